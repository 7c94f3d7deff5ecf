import { Invitation } from '../contract/index.ts'
import { findNode } from './client.ts'
import { clean } from './output.ts'
import { findOptions, type CommandSpec } from './command.ts'
import { spanText } from './words.ts'

export const command: CommandSpec = {
  name: 'invite',
  summary: 'print one command that lets another host join; good once, for ten minutes',
  about: 'The command goes to standard output, all else to standard error.',
  examples: [
    ['midwatch invite', 'print the command, to be pasted on the other host'],
    ['ssh db-2 "$(midwatch invite)"', 'invite and join in one go'],
    ['midwatch invite --json', '{command, token, expiresAt}'],
  ],
  options: async () => findOptions,
  run: async (call) => {
    const { out } = call
    const invitation = await (await findNode(call)).post('/api/invite', Invitation)
    if (call.json) out.json(invitation)
    else {
      out.remark('Paste this on the other host:')
      out.line(clean(invitation.command))
      const expiry = new Date(invitation.expiresAt)
      out.remark(`Good once, until ${expiry.toLocaleTimeString('en-GB')} (for ${spanText(expiry.getTime() - Date.now())}).`)
    }
    return 0
  },
}
