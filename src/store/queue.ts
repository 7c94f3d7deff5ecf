import { LIMITS } from '../contract/limits.ts'
import type { QueuedEvent, QueuedSample } from './messages.ts'

/** Samples in one message, so that one message never keeps the thread for long. */
const BATCH_SAMPLES = 5_000

/**
 * What waits for the disk, LIMITS.storeQueue items at most. What is sent stays here until it is known to be on disk. When it is full
 * the oldest samples give way; events give way to nothing, and are refused only where the queue holds nothing else.
 */
export function createQueue() {
  const events: QueuedEvent[] = []
  const samples: QueuedSample[] = []
  /** How many of each queue's first entries are under way; null when none are. */
  let underWay: { events: number; samples: number } | null = null
  let droppedSamples = 0
  let droppedEvents = 0

  function makeRoom(): boolean {
    if (events.length + samples.length < LIMITS.storeQueue) return true
    const held = underWay?.samples ?? 0
    if (samples.length <= held) return false
    samples.splice(held, 1)
    droppedSamples++
    return true
  }

  return {
    size: (): number => events.length + samples.length,
    counts: () => ({ queued: events.length + samples.length, droppedSamples, droppedEvents }),
    /** False when it was refused. */
    addEvent(event: QueuedEvent): boolean {
      const room = makeRoom() || events.length < LIMITS.storeQueue
      if (room) events.push(event)
      else droppedEvents++
      return room
    },
    addSample(sample: QueuedSample): void {
      if (makeRoom()) samples.push(sample)
      else droppedSamples++
    },
    /** The next message's load: all events, and samples if wanted. Null when there is nothing, or a load is under way still. */
    take(withSamples: boolean): { events: QueuedEvent[]; samples: QueuedSample[] } | null {
      const count = withSamples ? Math.min(samples.length, BATCH_SAMPLES) : 0
      if (underWay || events.length + count === 0) return null
      underWay = { events: events.length, samples: count }
      return { events: events.slice(), samples: samples.slice(0, count) }
    },
    /** The load is on disk, but for samples that the database refused. */
    written(refusedSamples: number): void {
      events.splice(0, underWay?.events ?? 0)
      samples.splice(0, underWay?.samples ?? 0)
      droppedSamples += refusedSamples
      underWay = null
    },
    /** The load was not written and may be sent again. */
    unwritten(): void {
      underWay = null
    },
    /** Nobody can say what became of the load, but for how many events the database has gained. Its samples are given up. */
    lost(writtenEvents: number): void {
      if (!underWay) return
      events.splice(0, Math.max(0, Math.min(writtenEvents, underWay.events)))
      samples.splice(0, underWay.samples)
      droppedSamples += underWay.samples
      underWay = null
    },
  }
}
