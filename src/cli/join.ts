import { MidwatchError } from '../contract/index.ts'
import { settingOptions, type Call, type CommandSpec } from './command.ts'
import { runNode } from './run-node.ts'

export const command: CommandSpec = {
  name: 'join',
  args: '[invitation]',
  summary: "join the grid that an invitation is for, then run this machine's node",
  about:
    'Takes the invitation as a word, from MIDWATCH_INVITATION, or from standard input. After that it is `midwatch up`, with the same options.',
  examples: [
    ['midwatch join mw1…', 'what `midwatch invite` printed on the other host'],
    ['midwatch join --id db-2 --site ams < invitation', 'keeps it out of the process list'],
    ['MIDWATCH_INVITATION=mw1… midwatch join', 'from the environment, in a container'],
  ],
  options: settingOptions,
  run: async (call) => {
    const invitation = await readInvitation(call)
    // Until it is used up it is a secret; process lists show the words of a command.
    if (call.args[0] !== undefined) process.title = 'midwatch join'
    return runNode(call, invitation)
  },
}

/** Longest text that is searched for an invitation. */
const TEXT_BYTES_MAX = 8_192

async function readInvitation(call: Call): Promise<string> {
  const [word] = call.args
  const text = (word === '-' ? undefined : word) ?? (call.machine.env['MIDWATCH_INVITATION'] || (await readStdin()))
  if (text === null) throw new MidwatchError('MW_USAGE', 'No invitation: give it as a word, in MIDWATCH_INVITATION, or on standard input.')
  // A whole pasted command will do.
  const found = /(?:^|\s)(mw1[A-Za-z0-9_.~-]{8,})(?:\s|$)/.exec(text)?.[1]
  if (found === undefined) throw new MidwatchError('MW_INVITATION', 'An invitation begins with mw1 and has no spaces in it.')
  return found
}

async function readStdin(): Promise<string | null> {
  if (process.stdin.isTTY) return null
  let text = ''
  for await (const part of process.stdin.setEncoding('utf8') as AsyncIterable<string>) {
    text += part
    if (text.length > TEXT_BYTES_MAX)
      throw new MidwatchError('MW_INVITATION', `Standard input holds more than ${TEXT_BYTES_MAX} characters.`)
  }
  return text.trim() === '' ? null : text
}
