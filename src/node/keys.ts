import { MidwatchError, type Keys, type KeysChange } from '../contract/index.ts'
import type { Seat } from './seat.ts'
import type { Views } from './views.ts'

/** The first release that takes a new key. */
const TAKES_KEYS = [0, 2] as const

/** The grid's key as this node has it, by its public name. */
export function keysOfGrid(seat: Seat, views: Views): Keys {
  const { ring } = seat.grid
  const shown = new Map(views.graph().nodes.map((node) => [node.identity, node.id]))
  return {
    grid: ring.grid,
    generation: ring.generation,
    key: ring.current.name,
    since: ring.state.takenMs === null ? null : new Date(ring.state.takenMs).toISOString(),
    by: ring.last?.by ?? null,
    waiting: seat.grid
      .waitingForKey()
      .map((identity) => shown.get(identity) ?? identity.slice(0, 8))
      .sort(),
    removed: ring.removed.map(({ identity, id, by, atMs }) => ({ identity, id, by, at: new Date(atMs).toISOString() })),
  }
}

/** Changes the grid's key, with one node taken out where it says so. Errors: MW_UNKNOWN_NAME, MW_BAD_REQUEST, MW_OLD_NODES, MW_REMOVED, MW_LIMIT. */
export async function changeKeys({ remove, force }: KeysChange, seat: Seat, views: Views): Promise<Keys> {
  const { nodes } = views.graph()
  const unwanted = remove === undefined ? undefined : nodes.find((node) => node.id === remove)
  if (remove !== undefined && !unwanted) throw new MidwatchError('MW_UNKNOWN_NAME', `no node is called ${remove}`)
  if (unwanted?.self) throw new MidwatchError('MW_BAD_REQUEST', `${unwanted.id} is this node itself: \`midwatch leave\` takes it out`)
  const old = nodes.filter((node) => node !== unwanted && node.state !== 'left' && !takesKeys(node.program))
  if (old.length > 0 && !force) {
    throw new MidwatchError('MW_OLD_NODES', `too old for a new key: ${old.map((node) => `${node.id} (${node.program})`).join(', ')}`)
  }
  await seat.grid.changeKey(unwanted ? [{ identity: unwanted.identity, id: unwanted.id }] : [])
  return keysOfGrid(seat, views)
}

function takesKeys(program: string): boolean {
  const [major = 0, minor = 0] = program.split('.').map(Number)
  return major > TAKES_KEYS[0] || (major === TAKES_KEYS[0] && minor >= TAKES_KEYS[1])
}
