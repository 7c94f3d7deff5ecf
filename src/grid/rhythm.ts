import { LIMITS } from '../contract/index.ts'
import { SEAL_OVERHEAD_BYTES } from './seal.ts'
import { PACKET_OVERHEAD_BYTES } from './wire.ts'

/** The rhythm of the grid. Each is a trade between how fast all agree and what it costs when nothing happens. */
export const RHYTHM = {
  /** One gossip round: summary and news to `fanout` peers. */
  roundMs: 1_000,
  fanout: 3,
  /** News that should not wait for the round is collected for so long. */
  urgentMs: 15,
  /** Between one urgent telling and the next. */
  urgentAgainMs: 120,
  /** How often one node that is down is called, so that two halves find each other again. */
  reunionMs: 5_000,
  /** How often one proof of a lie is told again. */
  proveMs: 5_000,
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
  /** And at most, when that goes on. */
  outliveMostMs: 30_000,
  /** Nobody moves away and back with a start at each end within this. */
  twoPlacesMs: 120_000,
  /** New versions of its own row that a node of a small grid tells one after the other, before it waits `rowMs` for each. */
  rowsAtOnce: 10,
  /** The row of a node that said goodbye is kept for so long, so that nobody brings it back. */
  forgetLeftMs: 3_600_000,
} as const

/**
 * What heartbeats and figures may cost, in bytes a second and node, whatever the size of the grid: where there are more nodes each speaks
 * less often. A death is found by probes, and a change of state is told at once; neither waits for these.
 */
const HEARTBEAT_BYTES_PER_S = 2_000
const SKETCH_BYTES_PER_S = 900
/** A heartbeat with its signature, and a sketch without its figures, as messages. */
const HEARTBEAT_BYTES = 112
const SKETCH_BYTES = 120
/** Told by each node so often, a piece of news misses a node by chance with e^-4, 2 in a hundred; figures may miss some more. */
const HEARTBEAT_TELLINGS = 4
const SKETCH_TELLINGS = 3
const LEAST_MS = 5_000
/** What one link of one row costs each node that takes the row in, and which share of its time such rows may take where all of them turn without end. */
const LINK_COST_MS = 0.003
const ROWS_SHARE = 0.01
const LEAST_ROW_MS = 1_000

export type Pace = {
  /** A node's heartbeat, and by how many each node that hears it tells it on. */
  readonly pulseMs: number
  readonly pulseTellings: number
  /** A row counts as stale so long after the last sign of its owner: five heartbeats in a row that all missed. */
  readonly staleAfterMs: number
  /** Without any proof of life for so long a node is down, even if nobody probes it. */
  readonly silentMs: number
  /** Between one new version of the own row and the next, when links turn without end. */
  readonly rowMs: number
  readonly sketchMs: number
  readonly sketchTellings: number
  /** A full exchange with one peer: it names every row there is. */
  readonly exchangeMs: number
}

/** How often what is said, in a grid of so many nodes, with so many links to each row. */
export function paceOf(nodes: number, linksPerRow: number): Pace {
  const told = Math.ceil(Math.log2(nodes + 1)) + 1
  const affordable = Math.floor((HEARTBEAT_BYTES_PER_S * LEAST_MS) / 1_000 / (nodes * HEARTBEAT_BYTES))
  const pulseTellings = Math.min(told, Math.max(HEARTBEAT_TELLINGS, affordable))
  const sketchTellings = Math.min(told, SKETCH_TELLINGS)
  const pulseMs = Math.max(LEAST_MS, (nodes * HEARTBEAT_BYTES * pulseTellings * 1_000) / HEARTBEAT_BYTES_PER_S)
  const sketchBytes = nodes * (SKETCH_BYTES + 2 * linksPerRow) * sketchTellings
  return {
    pulseMs,
    pulseTellings,
    staleAfterMs: 5 * pulseMs,
    silentMs: 8 * pulseMs,
    rowMs: Math.max(LEAST_ROW_MS, (nodes * linksPerRow * LINK_COST_MS) / ROWS_SHARE),
    sketchMs: Math.max(LEAST_MS, (sketchBytes * 1_000) / SKETCH_BYTES_PER_S),
    sketchTellings,
    exchangeMs: Math.max(60_000, 400 * nodes),
  }
}

/** What one datagram holds of messages. */
export const MAX_MESSAGE_BYTES = LIMITS.datagramBytes - SEAL_OVERHEAD_BYTES - PACKET_OVERHEAD_BYTES
