import type { Degraded } from '../contract/index.ts'

/** Whether this node can trust its own view. Hysteresis, so that a moment of load does not make the row flap. */
export class LocalHealth {
  static readonly STALL_MS = 400
  static readonly STALLS = 3
  static readonly WINDOW_MS = 10_000
  static readonly CALM_MS = 30_000
  readonly #stalls: number[] = []
  #busy = false

  /** To be told the longest wait of the event loop since the last call. */
  observe(longestMs: number, nowMs: number): void {
    if (longestMs > LocalHealth.STALL_MS) this.#stalls.push(nowMs)
    const keepMs = this.#busy ? LocalHealth.CALM_MS : LocalHealth.WINDOW_MS
    while (this.#stalls[0] !== undefined && nowMs - this.#stalls[0] > keepMs) this.#stalls.shift()
    this.#busy = this.#busy ? this.#stalls.length > 0 : this.#stalls.length >= LocalHealth.STALLS
  }

  reasons(isIsolated: boolean): Degraded[] {
    return [...(isIsolated ? (['hears-nobody'] as const) : []), ...(this.#busy ? (['busy'] as const) : [])]
  }
}
