import type { JournalEntry, JournalEvent, MidwatchError, SamplePoint } from '../contract/index.ts'
import type { Clock } from '../platform/index.ts'
import type { KeptNode, RunCard } from './kept.ts'
import type { Moment } from './journal.ts'
import type { FactsAt, Figure, Keep, QueuedFact } from './messages.ts'

export type StoreOptions = Keep & {
  /** The data folder, which must exist and be this process's alone; null keeps everything in memory, and little of it. */
  dir: string | null
  clock: Clock
  /** MW_STORE, each time that history is in danger; the node runs on. */
  onError(error: MidwatchError): void
  /** A fresh database took the place of one that failed: facts that build on earlier ones build on nothing. */
  onFresh?(): void
}

/** What was known at a time, for judge to judge again; or why nothing is kept of it. */
export type KeptAt =
  | { type: 'facts'; card: RunCard; hash: string | null; nodes: KeptNode[]; figures: Figure[] }
  | Exclude<FactsAt, { type: 'facts' }>

/** Whether the journal is whole: `brokenAt` is the first entry that does not follow from the ones before it. */
export type ChainCheck =
  | { ok: true; entries: number; head: { seq: number; hash: string } }
  | { ok: false; entries: number; brokenAt: number; why: string }

export type StoreCounters = {
  /** Samples and events that wait for the disk. */
  queued: number
  /** Dropped because the queue was full, the thread ended under them, or they could not be kept. */
  droppedSamples: number
  /** Only where the database refuses to write and LIMITS.storeQueue events wait already. */
  droppedEvents: number
  failedWrites: number
  restarts: number
  /** Journal entries and nodes of the past read that had no shape this program knows; left out of the answer. */
  unreadableEntries: number
}

export type Store = {
  /** Keeps an event for good. At the storage thread at once, on disk within milliseconds. */
  append(event: JournalEvent): void
  /** Keeps what one of our own probes measured. */
  record(sample: { link: string; atMs: number; ok: boolean; rttMs: number | null }): void
  /** Keeps figures that another node told of its own link: in steps of 10 s and of a minute only. */
  recordSketch(sketch: { link: string; atMs: number; sent: number; lost: number; rttMsP50: number | null }): void
  /** Buckets of `stepMs` in [fromMs, toMs), oldest first, empty ones left out, at most LIMITS.historyPoints: then they are wider. */
  history(link: string, fromMs: number, toMs: number, stepMs: number): Promise<SamplePoint[]>
  /** Keeps something for the past, within half a second. False when it was refused: too much waits already. */
  keepFact(fact: QueuedFact): boolean
  /** What was known of every node at a time. */
  factsAt(atMs: number): Promise<KeptAt>
  /** How far back facts go, and how much changed in each of at most `count` steps of [fromMs, toMs). Null begins where the facts begin. */
  moments(fromMs: number | null, toMs: number, count: number): Promise<{ oldestMs: number | null; moments: Moment[] }>
  /** Turns of the link between two labels since `fromMs`, newest first. */
  turns(from: string, to: string, fromMs: number, limit: number): Promise<JournalEntry[]>
  /** Newest first; `before` is a seq to go on from, `until` a time that none is later than. At most LIMITS.timelineEntries. */
  journal(query: { limit: number; before?: number; untilMs?: number }): Promise<JournalEntry[]>
  /** Checks the whole chain, hash by hash. */
  verify(): Promise<ChainCheck>
  /** What the database takes on the disk, write-ahead log included. */
  size(): Promise<{ bytes: number }>
  counters(): StoreCounters
  /** Resolves when everything told so far is on disk; MW_STORE when it cannot be. */
  flush(): Promise<void>
  /** Writes what waits, then ends the thread. Never rejects: what could not be written was told to onError. */
  close(): Promise<void>
}
