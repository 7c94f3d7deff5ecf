/** The only way to learn the time or to wait. A simulator hands in one that it turns by hand. */
export type Clock = {
  /** Wall clock, ms since 1970. For people; never for ages. */
  wallMs(): number
  /** Monotonic clock, ms with a fraction. For ages and time-outs. */
  monoMs(): number
  /** Calls back once after `delayMs`; the answer cancels it. */
  after(delayMs: number, callback: () => void): () => void
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monoMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs)
    return () => clearTimeout(timer)
  },
}

/** Calls back again and again, `everyMs` after the last call began. The answer stops it. */
export function every(clock: Clock, everyMs: number, callback: () => void): () => void {
  let cancel = clock.after(everyMs, tick)
  function tick(): void {
    cancel = clock.after(everyMs, tick)
    callback()
  }
  return () => cancel()
}
