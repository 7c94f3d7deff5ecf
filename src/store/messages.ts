import type { SamplePoint } from '../contract/samples.ts'
import type { ChainLink, ChainPart, JournalRow, Moment } from './journal.ts'
import type { KeptNode } from './kept.ts'

/** A measurement on its way to the storage thread: one probe of our own, or figures that another node told. */
export type QueuedSample = { link: string; told: boolean; atMs: number; sent: number; lost: number; rttMs: number | null }
export type QueuedEvent = { atMs: number; json: string }
/** Something for the past: that a run goes on, or what was known of a node from `atMs` on. A run is named by its start. */
export type QueuedFact =
  | { kind: 'run'; runMs: number; atMs: number; json: string }
  | { kind: 'whole' | 'change' | 'gone'; runMs: number; atMs: number; identity: string; hash: string; json: string }

/** What was measured of a link around a time. */
export type Figure = { link: string; lossRatio: number; rttMsP50: number | null }
/** What was known at a time: the facts, or why there are none. `oldestMs` is how far back they go. */
export type FactsAt =
  | { type: 'facts'; card: string; hash: string | null; nodes: KeptNode[]; figures: Figure[] }
  | { type: 'gap'; fromMs: number; toMs: number | null; oldestMs: number }
  | { type: 'none'; oldestMs: number | null }

export type Keep = { budgetBytes: number; keepSecondsMs: number; keepTensMs: number; keepMinutesMs: number }

/** What the thread starts with. */
export type ThreadData = { path: string | null; keep: Keep }

export type Question =
  | { type: 'history'; link: string; fromMs: number; toMs: number; stepMs: number }
  | { type: 'journal'; beforeSeq: number; limit: number; until?: string | null }
  | { type: 'turns'; pair: string; from: string; limit: number }
  | { type: 'facts'; atMs: number }
  | { type: 'moments'; fromMs: number | null; toMs: number; count: number }
  | { type: 'check'; from: ChainLink | null }
  | { type: 'size' }
  | { type: 'close' }

/** What each question is answered with. */
export type Answers = {
  history: SamplePoint[]
  journal: JournalRow[]
  turns: JournalRow[]
  facts: FactsAt
  moments: { oldestMs: number | null; moments: Moment[] }
  check: ChainPart & { from: ChainLink }
  size: { bytes: number }
  close: null
}

export type ToThread =
  | { type: 'write'; nowMs: number; events: QueuedEvent[]; samples: QueuedSample[]; facts: QueuedFact[] }
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
