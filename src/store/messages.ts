import type { SamplePoint } from '../contract/samples.ts'
import type { ChainLink, ChainPart, JournalRow } from './journal.ts'

/** A measurement on its way to the storage thread: one probe of our own, or figures that another node told. */
export type QueuedSample = { link: string; told: boolean; atMs: number; sent: number; lost: number; rttMs: number | null }
export type QueuedEvent = { atMs: number; json: string }

export type Keep = { budgetBytes: number; keepSecondsMs: number; keepTensMs: number; keepMinutesMs: number }

/** What the thread starts with. */
export type ThreadData = { path: string | null; keep: Keep }

export type Question =
  | { type: 'history'; link: string; fromMs: number; toMs: number; stepMs: number }
  | { type: 'journal'; beforeSeq: number; limit: number }
  | { type: 'check'; from: ChainLink | null }
  | { type: 'size' }
  | { type: 'close' }

/** What each question is answered with. */
export type Answers = {
  history: SamplePoint[]
  journal: JournalRow[]
  check: ChainPart & { from: ChainLink }
  size: { bytes: number }
  close: null
}

export type ToThread =
  | { type: 'write'; nowMs: number; events: QueuedEvent[]; samples: QueuedSample[] }
  | { type: 'ask'; id: number; question: Question }

export type FromThread =
  | { type: 'opened'; lastSeq: number }
  /** The last word of a thread whose database fails it. `beyondUse`: damaged, or made by a newer program. */
  | { type: 'unusable'; beyondUse: boolean; message: string }
  | { type: 'trouble'; message: string }
  | { type: 'written'; lastSeq: number; refusedSamples: number }
  | { type: 'unwritten'; message: string }
  | { type: 'answer'; id: number; value: unknown }
  | { type: 'unanswered'; id: number; message: string }
