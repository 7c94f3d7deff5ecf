import type { Grid } from '../grid/index.ts'
import { every, type Clock } from '../platform/index.ts'

const TICK_MS = 250
/** So long without a datagram, with somebody there who must have answered a dozen by then, shows that none gets in. */
const DEAF_MS = 1_750

/**
 * Finds out that a node can only call out: streams that it opened work, others are there, and since its start not one datagram of theirs
 * has reached it. A node that somebody called can be called; and one that goes deaf later is in trouble, which is told as such.
 */
export class CallsOut {
  readonly #grid: () => Grid
  readonly #clock: Clock
  readonly #onFound: () => void
  #stop: () => void
  #lookedMs: number
  #deafMs = 0

  constructor(clock: Clock, grid: () => Grid, onFound: () => void) {
    this.#grid = grid
    this.#clock = clock
    this.#onFound = onFound
    this.#lookedMs = clock.monoMs()
    this.#stop = every(clock, TICK_MS, () => this.#look())
  }

  stop(): void {
    this.#stop()
  }

  #look(): void {
    const nowMs = this.#clock.monoMs()
    // Time in which this process was held up proves nothing.
    const passedMs = Math.min(nowMs - this.#lookedMs, TICK_MS)
    this.#lookedMs = nowMs
    const grid = this.#grid()
    if (grid.hearsDatagrams || grid.counters.exchangesAnswered > 0) return this.stop()
    const somebody = grid.peers().some((identity) => grid.member(identity)?.state === 'up')
    if (somebody && grid.counters.exchangesCalled > 0) this.#deafMs += passedMs
    if (this.#deafMs < DEAF_MS) return
    this.stop()
    this.#onFound()
  }
}
