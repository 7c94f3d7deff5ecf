import type { Grid } from '../grid/index.ts'
import { every, type Clock } from '../platform/index.ts'
import type { Logger } from './log.ts'

/** How often something was refused since the start, and where the last came from, if that is known. */
export type Refused = { readonly count: number; readonly from: string | null }

const TELL_EVERY_MS = 60_000

/** What is told of each kind of refusal; kinds that are not here only count. */
const WORDS: Readonly<Record<string, string>> = {
  refusedMalformed: "datagrams that are none of a grid's",
  refusedNotAuthentic: "datagrams that were not sealed with this grid's key",
  refusedReplayed: 'datagrams that had come before',
  refusedStale: 'datagrams of an earlier start of their sender, or of a node that was removed',
  refusedTooManySessions: 'datagrams beyond the bound of new senders a second',
  rowsRefused: 'rows that their owner did not sign, or that do not fit',
  streamsRefused: "callers that do not know this grid's key",
  linesRefused: 'callers for a line that did not prove who they are, or beyond the bound',
  malformed: 'connections on which something else than HTTP came',
  connections: 'HTTP connections beyond the bound',
  '400': 'requests that do not fit the API',
  '401': 'requests without the token',
  '403': 'requests from a place or page that is not allowed',
  '413': 'requests that were too long',
  '429': 'requests beyond a bound',
}

export function refusedByGrid({ counters, refusedFrom }: Pick<Grid, 'counters' | 'refusedFrom'>): Record<string, Refused> {
  const kinds = Object.entries(counters) as [keyof typeof counters, number][]
  return Object.fromEntries(kinds.map(([kind, count]) => [kind, { count, from: refusedFrom[kind] ?? null }]))
}

/** Writes what was refused to the node's log: a line a minute for each kind at most, with how many, and none where nothing was. */
export class Refusals {
  readonly #log: Logger
  readonly #read: () => Readonly<Record<string, Refused>>
  readonly #told = new Map<string, number>()
  readonly #stop: () => void

  constructor(clock: Clock, log: Logger, read: () => Readonly<Record<string, Refused>>) {
    this.#log = log
    this.#read = read
    this.#stop = every(clock, TELL_EVERY_MS, () => this.#tell())
  }

  stop(): void {
    this.#stop()
  }

  #tell(): void {
    for (const [kind, { count, from }] of Object.entries(this.#read())) {
      const before = this.#told.get(kind) ?? 0
      this.#told.set(kind, count)
      const words = WORDS[kind]
      // A grid that was left takes its counters along.
      const fresh = count < before ? count : count - before
      if (words === undefined || fresh === 0) continue
      const source = from === null ? '' : `, last from ${from}`
      this.#log.warn({ refused: kind, count: fresh }, `refused ${fresh.toLocaleString('en')} ${words} in the last minute${source}`)
    }
  }
}
