import { every, type Clock } from '../platform/index.ts'

/** Later than this, the process was held up (a busy machine, a paused one) and what it did not hear proves nothing. */
const STALL_MS = 250
const TICK_MS = 100

export type StallWatch = {
  start(): void
  stop(): void
  /** Was this process held up at any time since? */
  since(monoMs: number): boolean
}

/** Notices by a timer that rings late. */
export function watchStalls(clock: Clock): StallWatch {
  let cancel = (): void => {}
  let expectedMs = Infinity
  let lastStallMs = -Infinity

  function look(): void {
    const nowMs = clock.monoMs()
    if (nowMs - expectedMs > STALL_MS) lastStallMs = nowMs
  }

  return {
    start() {
      cancel()
      expectedMs = clock.monoMs() + TICK_MS
      cancel = every(clock, TICK_MS, () => {
        look()
        expectedMs = clock.monoMs() + TICK_MS
      })
    },
    stop() {
      cancel()
      expectedMs = Infinity
    },
    since(monoMs) {
      // After a stall the probe's own time-out may ring before the tick that would have noticed.
      look()
      return lastStallMs >= monoMs
    },
  }
}
