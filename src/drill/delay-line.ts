import type { Clock } from '../platform/index.ts'

/** Hands things on in order, each after its delay. */
export type DelayLine<T> = {
  /** False when the line is full: the thing is not taken. */
  push(thing: T, weight: number, delayMs: number): boolean
  clear(): void
}

/** `capacity` bounds the sum of the weights that wait. Without delay, and with nothing waiting, a thing passes at once. */
export function createDelayLine<T>(clock: Clock, capacity: number, deliver: (thing: T) => void): DelayLine<T> {
  const waiting: { thing: T; weight: number; dueMs: number }[] = []
  let weightWaiting = 0
  let cancel: (() => void) | null = null

  function flush(): void {
    cancel = null
    // A timer may come a little early; what is due within the millisecond goes now.
    while (waiting[0] && waiting[0].dueMs <= clock.monoMs() + 1) {
      const { thing, weight } = waiting.shift() as { thing: T; weight: number }
      weightWaiting -= weight
      deliver(thing)
    }
    if (waiting[0] && !cancel) cancel = clock.after(waiting[0].dueMs - clock.monoMs(), flush)
  }

  return {
    push(thing, weight, delayMs) {
      if (delayMs <= 0 && waiting.length === 0) {
        deliver(thing)
        return true
      }
      if (weightWaiting + weight > capacity) return false
      const last = waiting.at(-1)
      // A delay that shrank must not let the later overtake the earlier: streams keep their order.
      const dueMs = Math.max(clock.monoMs() + delayMs, last?.dueMs ?? 0)
      waiting.push({ thing, weight, dueMs })
      weightWaiting += weight
      cancel ??= clock.after(dueMs - clock.monoMs(), flush)
      return true
    },
    clear() {
      cancel?.()
      cancel = null
      waiting.length = 0
      weightWaiting = 0
    },
  }
}
