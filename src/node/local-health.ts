import type { Degraded } from '../contract/index.ts'

export const HEALTH = {
  /** So late to run that probes were surely missed. */
  stallMs: 400,
  /** Stalls within `windowMs` that make a node busy: one alone is a hiccup. */
  stalls: 3,
  windowMs: 10_000,
  /** Datagrams dropped at the socket within one look; a few are lost in any burst. */
  drops: 20,
  /** Trouble ends when there was none for so long, so that a moment of load does not make the row flap. */
  calmMs: 30_000,
} as const

/** Whether this node can trust its own view. */
export class LocalHealth {
  readonly #stalls: number[] = []
  #busy = false
  #dropped: number | null = null
  #droppedMs: number | null = null

  /** To be told the longest wait of the event loop since the last call. */
  observe(longestMs: number, nowMs: number): void {
    if (longestMs > HEALTH.stallMs) this.#stalls.push(nowMs)
    const keepMs = this.#busy ? HEALTH.calmMs : HEALTH.windowMs
    while (this.#stalls[0] !== undefined && nowMs - this.#stalls[0] > keepMs) this.#stalls.shift()
    this.#busy = this.#busy ? this.#stalls.length > 0 : this.#stalls.length >= HEALTH.stalls
    if (this.#droppedMs !== null && nowMs - this.#droppedMs > HEALTH.calmMs) this.#droppedMs = null
  }

  /** To be told how many datagrams the socket dropped in all; null where nobody counts. */
  observeDrops(dropped: number | null, nowMs: number): void {
    if (dropped !== null && this.#dropped !== null && dropped - this.#dropped >= HEALTH.drops) this.#droppedMs = nowMs
    this.#dropped = dropped
  }

  reasons(isIsolated: boolean): Degraded[] {
    const reasons: (Degraded | false)[] = [isIsolated && 'hears-nobody', this.#busy && 'busy', this.#droppedMs !== null && 'socket-drops']
    return reasons.filter((reason) => reason !== false)
  }
}
