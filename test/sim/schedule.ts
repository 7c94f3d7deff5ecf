import { dieOf } from '../support/virtual-network.ts'

/** Which rows a start has, and which incarnation it takes: what it left off with, nothing at all, or what the disk held some time before. */
export type Memory = 'kept' | 'lost' | 'snapshot'

export type Nat = 'none' | 'datagrams' | 'streams'

/** What a liar does, a node with the grid key that keeps no rule. */
export type LieKind = 'two-rows' | 'forge' | 'frame' | 'grow' | 'accuse' | 'nonsense'
/** What a stranger does, who has no key and hears everything. */
export type FloodKind = 'replay' | 'noise' | 'sessions' | 'streams'

/** One thing that happens. Nodes are numbers; each action is whole in itself, so that any of them can be left out. */
export type Action = { readonly atMs: number; readonly forMs: number } & (
  | { readonly type: 'cut'; readonly from: readonly number[]; readonly to: readonly number[]; readonly isOneWay: boolean }
  | {
      readonly type: 'rough'
      readonly from: readonly number[]
      readonly to: readonly number[]
      readonly lossRatio: number
      readonly duplicateRatio: number
      readonly latencyMs: number
      readonly jitterMs: number
    }
  | { readonly type: 'stall'; readonly node: number }
  | { readonly type: 'clock'; readonly node: number; readonly byMs: number }
  | { readonly type: 'restart'; readonly node: number; readonly memory: Memory; readonly ageMs: number }
  /** `nat`: they can only call out, with or without datagrams. */
  | { readonly type: 'join'; readonly count: number; readonly leave: boolean; readonly nat: Nat }
  | { readonly type: 'copy'; readonly node: number }
  /** The grid's key changes; `removes` takes out a liar, or a node that was there. */
  | { readonly type: 'rekey'; readonly node: number; readonly removes: boolean }
  | { readonly type: 'targets'; readonly node: number; readonly count: number; readonly state: 'up' | 'down' }
  | { readonly type: 'lie'; readonly kind: LieKind; readonly size: number }
  | { readonly type: 'flood'; readonly kind: FloodKind; readonly perSecond: number; readonly node: number }
)

/** Trouble until `healMs`, then quiet until `endMs`. */
export type Act = { readonly beginMs: number; readonly healMs: number; readonly endMs: number }
export type Schedule = { readonly seed: number; readonly nodes: number; readonly acts: readonly Act[]; readonly actions: readonly Action[] }

const SETTLE_MS = 6_000
const QUIET_MS = 18_000
const HOUR_MS = 3_600_000

/** The story of a seed: 4 to 12 nodes, one to three acts. */
export function scheduleOf(seed: number): Schedule {
  const die = dieOf(Math.imul(seed, 2_654_435_761) ^ 0x5eed)
  const int = (below: number): number => Math.floor(die() * below)
  const among = <T>(options: readonly T[]): T => options[int(options.length)] as T
  // Fewer of the larger ones: what they cost grows with the square.
  const nodes = 4 + Math.floor(die() ** 3 * 9)
  const some = (count: number): number[] => {
    const left = Array.from({ length: nodes }, (_, node) => node)
    return Array.from({ length: Math.min(count, nodes) }, () => left.splice(int(left.length), 1)[0] as number).sort((a, b) => a - b)
  }
  /** Two groups: halves, one against the rest, or any two. */
  const sides = (): [number[], number[]] => {
    const from = some(among([Math.floor(nodes / 2), 1, 1 + int(nodes - 1)]))
    const rest = Array.from({ length: nodes }, (_, node) => node).filter((node) => !from.includes(node))
    return [from, die() < 0.7 ? rest : rest.slice(0, 1 + int(rest.length))]
  }

  function action(type: Action['type'], atMs: number, leftMs: number): Action {
    const forMs = Math.min(leftMs, 1_000 + int(24_000))
    const when = { atMs, forMs }
    switch (type) {
      case 'cut': {
        const [from, to] = sides()
        return { ...when, type, from, to, isOneWay: die() < 0.4 }
      }
      case 'rough': {
        const [from, to] = die() < 0.4 ? [some(nodes), some(nodes)] : sides()
        const isSlow = die() < 0.4
        return {
          ...when,
          type,
          from,
          to,
          lossRatio: among([0, 0.02, 0.1, 0.4]),
          duplicateRatio: among([0, 0, 0.1, 0.6]),
          latencyMs: isSlow ? among([20, 150, 700]) : 0.3,
          jitterMs: among([0.2, 30, 400]),
        }
      }
      case 'stall':
        return { ...when, type, node: int(nodes), forMs: Math.min(leftMs, among([300, 1_200, 4_000])) }
      case 'clock':
        return { ...when, type, node: int(nodes), byMs: Math.round((die() * 2 - 1) * 12 * HOUR_MS), forMs: 0 }
      case 'restart':
        return { ...when, type, node: int(nodes), memory: among(['kept', 'kept', 'lost', 'snapshot']), ageMs: 5_000 * (1 + int(8)) }
      case 'join':
        return {
          ...when,
          type,
          count: die() < 0.05 ? 12 : 1 + int(3),
          leave: die() < 0.5,
          nat: among(['none', 'none', 'none', 'datagrams', 'streams']),
        }
      case 'copy':
        return { ...when, type, node: int(nodes) }
      case 'rekey':
        return { ...when, type, node: int(nodes), removes: die() < 0.4 }
      case 'targets':
        return { ...when, type, node: int(nodes), count: among([3, 40, 200]), state: among(['up', 'down']) }
      case 'lie':
        return {
          ...when,
          forMs: Math.min(leftMs, 8_000 + int(10_000)),
          type,
          kind: among(['two-rows', 'forge', 'frame', 'grow', 'accuse', 'nonsense']),
          size: int(1_000),
        }
      case 'flood':
        return {
          ...when,
          type,
          kind: among(['replay', 'noise', 'sessions', 'streams']),
          perSecond: among([20, 100, 400]),
          node: int(nodes),
        }
    }
  }

  const acts: Act[] = []
  const actions: Action[] = []
  const TYPES: readonly Action['type'][] = [
    'cut', 'cut', 'cut', 'rough', 'rough', 'stall', 'clock', 'restart', 'restart', 'restart', 'join', 'copy', 'rekey', 'targets', 'lie', 'lie', 'lie', 'flood',
  ] // prettier-ignore
  const actCount = among([1, 1, 1, 2, 3])
  for (let act = 0, beginMs = SETTLE_MS; act < actCount; act++) {
    const healMs = beginMs + 18_000 + int(14_000)
    const count = 2 + int(5)
    for (let at = 0; at < count; at++) {
      const atMs = beginMs + int(healMs - beginMs - 9_000)
      actions.push(action(among(TYPES), atMs, healMs - atMs))
    }
    acts.push({ beginMs, healMs, endMs: healMs + QUIET_MS })
    beginMs = healMs + QUIET_MS
  }
  actions.sort((a, b) => a.atMs - b.atMs)
  return { seed, nodes, acts, actions }
}
