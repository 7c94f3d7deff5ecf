import { setTimeout as pause } from 'node:timers/promises'
import { Keys, LIMITS, MidwatchError, type KeysChange } from '../contract/index.ts'
import { findNode, type Client } from './client.ts'
import { findOptions, type Call, type CommandSpec, type ExitCode } from './command.ts'
import { clean, table } from './output.ts'
import { sinceText } from './words.ts'

export const command: CommandSpec = {
  name: 'keys',
  args: '[rotate|remove] [node]',
  summary: "show the grid's key by its public name, change it, or remove a node",
  about:
    'A new key goes to every node of the grid, sealed for each, and nothing stops meanwhile. With `remove` one node does not get it: it can neither\n' +
    'read what follows nor come back, under any name, unless it is invited again. Invitations that are open are void after a removal.\n' +
    'The old key is read for 15 s more. Exit code 1: some node has not been heard with the new key by then; it takes it when it is back.',
  examples: [
    ['midwatch keys', 'the key, since when, who lacks it, who was removed'],
    ['midwatch keys rotate', 'a new key for all nodes'],
    ['midwatch keys remove db-2', 'a new key for all but db-2, which may be down or stolen'],
    ['midwatch keys rotate --force', 'though some nodes are too old to take a new key'],
    ['midwatch keys --json', '{grid, generation, key, since, by, waiting, removed}'],
  ],
  options: async () => [...findOptions, { flags: '--force', about: 'go on though some nodes run a version that cannot take a new key' }],
  run: async (call) => {
    const change = changeOf(call)
    const client = await findNode(call)
    return change ? changeKey(call, client, change) : show(call, await client.get('/api/keys', Keys))
  },
}

const LOOK_MS = 250

function changeOf(call: Call): KeysChange | null {
  const [act, node] = call.args
  const force = call.options['force'] === true
  if (act === undefined) return null
  if (act === 'rotate' && node === undefined) return { force }
  if (act === 'remove' && node !== undefined) return { force, remove: node }
  throw new MidwatchError(
    'MW_USAGE',
    act === 'remove' ? 'remove: name the node.' : `"${[act, node].join(' ').trim()}" is no change of keys.`,
  )
}

async function changeKey(call: Call, client: Client, change: KeysChange): Promise<ExitCode> {
  const { out, json } = call
  const untilMs = performance.now() + LIMITS.oldKeyMs
  let keys = await client.post('/api/keys', Keys, change)
  if (!json) {
    const what = change.remove === undefined ? '' : `${clean(change.remove)} is removed. `
    const end = new Date(Date.now() + LIMITS.oldKeyMs).toLocaleTimeString('en-GB')
    out.line(`${what}The grid has a new key: number ${keys.generation}, ${keys.key}. The old one is read until ${end}.`)
  }
  let told = ''
  while (keys.waiting.length > 0 && performance.now() < untilMs) {
    const waiting = waitingText(keys)
    if (!json && waiting !== told) out.remark(waiting)
    told = waiting
    await pause(LOOK_MS)
    keys = await client.get('/api/keys', Keys)
  }
  if (json) out.json(keys)
  else if (keys.waiting.length === 0) out.line('All nodes have it.')
  else out.line(`${waitingText(keys)} Who is down takes it when it is back.`)
  return keys.waiting.length === 0 ? 0 : 1
}

function waitingText({ waiting }: Keys): string {
  const shown = waiting.slice(0, 8).map(clean).join(', ')
  return `Not yet heard with it: ${shown}${waiting.length > 8 ? ` and ${waiting.length - 8} more` : ''}.`
}

function show(call: Call, keys: Keys): ExitCode {
  const { out } = call
  if (call.json) {
    out.json(keys)
    return 0
  }
  const at = new Date().toISOString()
  const made = keys.by === null ? 'the first' : `changed on ${clean(keys.by)}${keys.since === null ? '' : `, ${keys.since.slice(0, 19)}Z`}`
  out.line(`Grid ${keys.grid}, key number ${keys.generation}: ${keys.key}, ${made}.`)
  out.line(keys.waiting.length === 0 ? 'All nodes have it.' : waitingText(keys))
  if (keys.removed.length > 0) {
    out.line('\nRemoved')
    const rows = keys.removed.map((gone) => [gone.id, gone.identity.slice(0, 8), `on ${gone.by}`, sinceText(gone.at, at)])
    for (const line of table(out, rows)) out.line(line)
  }
  return 0
}
