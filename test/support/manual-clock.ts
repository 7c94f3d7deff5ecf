import type { Clock } from '../../src/platform/index.ts'

export type ManualClock = Clock & {
  /** Lets the time pass, timers ringing in their order; after each, what it started gets to run. */
  advance(byMs: number): Promise<void>
  /** Lets the time pass at once, as a process that was held up sees it: the timers ring late, together. */
  jump(byMs: number): Promise<void>
}

/** A clock that stands still until it is turned. */
export function createManualClock(startWallMs = Date.parse('2026-01-01T00:00:00Z')): ManualClock {
  let nowMs = 0
  let made = 0
  const timers = new Map<number, { atMs: number; callback: () => void }>()

  async function ring(untilMs: number, late: boolean): Promise<void> {
    for (;;) {
      let first: number | null = null
      for (const [id, timer] of timers) {
        if (timer.atMs <= untilMs && (first === null || timer.atMs < (timers.get(first)?.atMs ?? 0))) first = id
      }
      if (first === null) break
      const timer = timers.get(first)
      timers.delete(first)
      if (!late) nowMs = Math.max(nowMs, timer?.atMs ?? 0)
      timer?.callback()
      await settled()
    }
    nowMs = Math.max(nowMs, untilMs)
  }

  return {
    wallMs: () => startWallMs + nowMs,
    monoMs: () => nowMs,
    after(delayMs, callback) {
      const id = made++
      timers.set(id, { atMs: nowMs + Math.max(0, delayMs), callback })
      return () => void timers.delete(id)
    },
    advance: (byMs) => ring(nowMs + byMs, false),
    async jump(byMs) {
      nowMs += byMs
      await ring(nowMs, true)
    },
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
