import { LIMITS } from '../contract/index.ts'
import { SEAL_OVERHEAD_BYTES } from './seal.ts'
import { PACKET_OVERHEAD_BYTES } from './wire.ts'

/** The rhythm of the grid. Each is a trade between how fast all agree and what it costs when nothing happens. */
export const RHYTHM = {
  /** One gossip round: summary and news to `fanout` peers. */
  roundMs: 1_000,
  fanout: 3,
  /** A node's heartbeat and figures. Its row counts as stale after `staleAfterMs` without. */
  pulseMs: 5_000,
  staleAfterMs: 20_000,
  /** News that should not wait for the round is collected for so long. */
  urgentMs: 15,
  /** Between one urgent telling and the next. */
  urgentAgainMs: 120,
  /** A full exchange with one peer. */
  exchangeMs: 60_000,
  /** How often one node that is down is called, so that two halves find each other again. */
  reunionMs: 5_000,
  /** How often the seeds are called while nobody is there. */
  seedMs: 1_000,
  /** Versions are compared with one peer at most so often. */
  compareMs: 400,
  /** How long a go-between and the direct check have for an answer. */
  askMs: 350,
  /** A time-out that rings this late shows that this process was held up: the answer may lie in the socket. It gets this much longer. */
  graceMs: 80,
  /** Between one new incarnation and the next, when somebody else speaks under this identity. */
  outliveMs: 1_000,
  /** The row of a node that said goodbye is kept for so long, so that nobody brings it back. */
  forgetLeftMs: 3_600_000,
} as const

/** What one datagram holds of messages. */
export const MAX_MESSAGE_BYTES = LIMITS.datagramBytes - SEAL_OVERHEAD_BYTES - PACKET_OVERHEAD_BYTES
