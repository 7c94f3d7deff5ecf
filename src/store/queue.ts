import { LIMITS } from '../contract/limits.ts'
import type { QueuedEvent, QueuedFact, QueuedSample } from './messages.ts'

/** Samples in one message, so that one message never keeps the thread for long. */
const BATCH_SAMPLES = 5_000
const BATCH_FACTS = 500

/**
 * What waits for the disk, LIMITS.storeQueue items at most. What is sent stays here until it is known to be on disk. When it is full
 * the oldest samples give way; events give way to nothing, and are refused only where the queue holds nothing else.
 */
export function createQueue() {
  const events: QueuedEvent[] = []
  const samples: QueuedSample[] = []
  const facts: QueuedFact[] = []
  let factsChars = 0
  /** How many of each queue's first entries are under way; null when none are. */
  let underWay: { events: number; samples: number; facts: number } | null = null
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
    size: (): number => events.length + samples.length + facts.length,
    counts: () => ({ queued: events.length + samples.length + facts.length, droppedSamples, droppedEvents }),
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
    /** False when it was refused: facts build on each other, so none is dropped from between. */
    addFact(fact: QueuedFact): boolean {
      if (factsChars + fact.json.length > LIMITS.storeFactsChars) return false
      facts.push(fact)
      factsChars += fact.json.length
      return true
    },
    /** The next message's load: all events, samples and facts if wanted. Null when there is nothing, or a load is under way still. */
    take(withSamples: boolean): { events: QueuedEvent[]; samples: QueuedSample[]; facts: QueuedFact[] } | null {
      const count = withSamples ? Math.min(samples.length, BATCH_SAMPLES) : 0
      const factCount = withSamples ? Math.min(facts.length, BATCH_FACTS) : 0
      if (underWay || events.length + count + factCount === 0) return null
      underWay = { events: events.length, samples: count, facts: factCount }
      return { events: events.slice(), samples: samples.slice(0, count), facts: facts.slice(0, factCount) }
    },
    /** The load is on disk, but for samples that the database refused. */
    written(refusedSamples: number): void {
      events.splice(0, underWay?.events ?? 0)
      samples.splice(0, underWay?.samples ?? 0)
      for (const fact of facts.splice(0, underWay?.facts ?? 0)) factsChars -= fact.json.length
      droppedSamples += refusedSamples
      underWay = null
    },
    /** The load was not written and may be sent again. */
    unwritten(): void {
      underWay = null
    },
    /** Nobody can say what became of the load, but for how many events the database has gained. Its samples are given up; its facts may be written twice. */
    lost(writtenEvents: number): void {
      if (!underWay) return
      events.splice(0, Math.max(0, Math.min(writtenEvents, underWay.events)))
      samples.splice(0, underWay.samples)
      droppedSamples += underWay.samples
      underWay = null
    },
  }
}
