import type { Degraded, Identity, Lie, NodeState } from '../contract/index.ts'
import type { Address, Clock, Network, Randomness } from '../platform/index.ts'
import type { KeyName, NodeKeys } from './keys.ts'
import type { Removal } from './key-change.ts'
import type { KeyRing, RingState } from './ring.ts'

/** What the node says of itself. */
export type Card = { readonly id: string; readonly site: string; readonly program: string; readonly address: string | null }

export type GridEvent =
  | { readonly type: 'member'; readonly identity: Identity; readonly from: NodeState | null; readonly to: NodeState }
  /** A row changed what the graph says; `identity` is its owner. */
  | { readonly type: 'row'; readonly identity: Identity }
  /** Figures of a node arrived. */
  | { readonly type: 'figures'; readonly identity: Identity }
  /** A node was caught at something that no honest one does. */
  | { readonly type: 'lied'; readonly identity: Identity; readonly lie: Lie }
  | { readonly type: 'degraded'; readonly reasons: readonly Degraded[] }
  /** The grid has a new key. */
  | { readonly type: 'key'; readonly generation: number; readonly key: KeyName; readonly by: string }
  | { readonly type: 'removed'; readonly removal: Removal }
  /** This node itself is out. */
  | { readonly type: 'outcast'; readonly by: string }

export type GridOptions = {
  readonly clock: Clock
  readonly random: Randomness
  readonly network: Network
  readonly keys: NodeKeys
  readonly ring: KeyRing
  readonly card: Card
  /** This start's incarnation: higher than any that this identity used before. */
  readonly incarnation: number
  /** Writes down, before it returns, that incarnations up to this one are used. */
  reserveIncarnation(incarnation: number): void
  /** Writes down what is kept of the keys. What it resolves to is on the disk. */
  saveRing(state: RingState): Promise<void>
  /** Nodes to speak to first. Asked anew each time, since the owner may add some. */
  seeds(): Promise<readonly Address[]>
  onEvent(event: GridEvent): void
  /** A probe packet from a peer, as it came off the wire. */
  onProbe(from: Identity, payload: Uint8Array): void
  /** A peer said by which address it sees this node. */
  onSeenAs(host: string): void
}

/** Everything the grid counts. All only grow. */
export const newCounters = () => ({
  packetsOpened: 0,
  refusedMalformed: 0,
  refusedTooManySessions: 0,
  refusedNotAuthentic: 0,
  refusedReplayed: 0,
  refusedStale: 0,
  messagesUnreadable: 0,
  rowsNew: 0,
  rowsRefused: 0,
  pulsesNew: 0,
  sketchesNew: 0,
  liesCaught: 0,
  rumours: 0,
  exchangesCalled: 0,
  exchangesAnswered: 0,
  exchangesFailed: 0,
  streamsRefused: 0,
  linesRefused: 0,
  lineNewsDropped: 0,
})
export type GridCounters = ReturnType<typeof newCounters>
