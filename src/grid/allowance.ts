import type { Clock } from '../platform/index.ts'

/** Says whether there is still allowance for a cost (1 unless given), and takes it. */
export type Allowance = (cost?: number) => boolean

/** A token bucket: `count` at once, and as much again every `perMs`. */
export function createAllowance(clock: Clock, count: number, perMs: number): Allowance {
  let left = count
  let refilledMs = clock.monoMs()
  return (cost = 1) => {
    const nowMs = clock.monoMs()
    left = Math.min(count, left + ((nowMs - refilledMs) / perMs) * count)
    refilledMs = nowMs
    if (left < cost) return false
    left -= cost
    return true
  }
}
