import type { Clock, Randomness } from '../platform/index.ts'

/** Something to do again and again. `run` answers whether it went well; null when that could not be told. */
export type Job = {
  readonly key: string
  readonly everyMs: number
  run(): Promise<boolean | null>
}

export type Schedule = {
  /** Each new job first runs soon, one after another, then at its own place within its period. */
  add(jobs: readonly Job[]): void
  remove(key: string): void
  start(): void
  /** Starts nothing more; what runs is its owner's to end. */
  stop(): void
  underWay(): number
  waiting(): number
}

/** After the outcome changed, the next tries come this soon, so that three equal ones take seconds and not three periods. */
const CONFIRM_AFTER_MS = [1_000, 2_000]
/** Distance of the first runs of jobs added together; also the widest gap that is kept between starts. */
const FIRST_RUNS_GAP_MS = 10
/** Starts come at most this much faster than evenly spread ones would. */
const PACE = 2
/** A late timer may be made up for by starts that are closer together, for this long. */
const CATCH_UP_MS = 10
const JITTER_SHARE = 0.02
const JITTER_MOST_MS = 100

type Slot = {
  readonly job: Job
  /** Place within the period, on the monotonic clock. */
  readonly phaseMs: number
  removed: boolean
  lastWell: boolean | null
  equalInARow: number
  cancel: () => void
}

/**
 * Runs jobs spread in time: a stable hash of the key gives each its place, starts keep a gap, at most `underWayMost` run at once, and those that
 * wait take turns. A job never runs twice at the same time; a run that takes longer than the period skips the places it missed.
 */
export function createSchedule(options: { clock: Clock; random: Randomness; underWayMost: number }): Schedule {
  const { clock, random } = options
  const slots = new Map<string, Slot>()
  const queue: Slot[] = []
  let running = 0
  let started = false
  let nextStartMs = 0
  let startsPerMs = 0
  let cancelPump: (() => void) | null = null

  function sleep(slot: Slot, delayMs: number): void {
    slot.cancel = clock.after(delayMs + jitter(slot.job.everyMs), () => {
      queue.push(slot)
      pump()
    })
  }

  function jitter(everyMs: number): number {
    return random.int(Math.ceil(Math.min(JITTER_MOST_MS, everyMs * JITTER_SHARE)) + 1)
  }

  function pump(): void {
    cancelPump?.()
    cancelPump = null
    if (!started) return
    const gapMs = Math.min(FIRST_RUNS_GAP_MS, 1 / (PACE * startsPerMs))
    while (queue.length > 0 && running < options.underWayMost) {
      const nowMs = clock.monoMs()
      if (nextStartMs > nowMs) {
        cancelPump = clock.after(nextStartMs - nowMs, pump)
        return
      }
      nextStartMs = Math.max(nextStartMs, nowMs - CATCH_UP_MS) + gapMs
      const slot = queue.shift() as Slot
      if (!slot.removed) void run(slot)
    }
  }

  async function run(slot: Slot): Promise<void> {
    running++
    let well: boolean | null
    try {
      well = await slot.job.run()
    } catch {
      well = null
    }
    running--
    if (started && !slot.removed) sleep(slot, delayAfter(slot, well))
    pump()
  }

  function delayAfter(slot: Slot, well: boolean | null): number {
    const nowMs = clock.monoMs()
    const { everyMs } = slot.job
    // At least half a period on, so that a first run or an extra one is not followed at once by the regular one.
    const earliestMs = nowMs + everyMs / 2
    const regularMs = earliestMs + modulo(slot.phaseMs - earliestMs, everyMs) - nowMs
    if (well === null) return regularMs
    if (well === slot.lastWell) slot.equalInARow++
    // All well at the first try needs no confirming.
    else slot.equalInARow = slot.lastWell === null && well ? Infinity : 1
    slot.lastWell = well
    return Math.min(regularMs, CONFIRM_AFTER_MS[slot.equalInARow - 1] ?? Infinity)
  }

  function remove(key: string): void {
    const slot = slots.get(key)
    if (!slot) return
    slots.delete(key)
    startsPerMs = Math.max(0, startsPerMs - 1 / slot.job.everyMs)
    slot.cancel()
    slot.removed = true
  }

  return {
    add(jobs) {
      jobs.forEach((job, index) => {
        remove(job.key)
        const slot: Slot = {
          job,
          phaseMs: spreadHash(job.key) % job.everyMs,
          removed: false,
          lastWell: null,
          equalInARow: 0,
          cancel: () => {},
        }
        slots.set(job.key, slot)
        startsPerMs += 1 / job.everyMs
        if (started) sleep(slot, index * FIRST_RUNS_GAP_MS)
      })
    },
    remove,
    start() {
      if (started) return
      started = true
      nextStartMs = clock.monoMs()
      let index = 0
      for (const slot of slots.values()) sleep(slot, index++ * FIRST_RUNS_GAP_MS)
    },
    stop() {
      started = false
      cancelPump?.()
      for (const slot of slots.values()) slot.cancel()
      queue.length = 0
    },
    underWay: () => running,
    waiting: () => queue.length,
  }
}

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by
}

/** FNV-1a, then murmur's last step: keys that differ in one letter land far apart. 0 to 2^32 - 1. */
export function spreadHash(key: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
