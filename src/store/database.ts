import { DatabaseSync } from 'node:sqlite'
import { openBudget, setUpFile } from './budget.ts'
import { openJournal, type ChainPart } from './journal.ts'
import type { Answers, FactsAt, Keep, Question, QueuedEvent, QueuedFact, QueuedSample } from './messages.ts'
import { openPast } from './past.ts'
import { openSamples } from './samples.ts'
import { MIGRATIONS } from './schema.ts'

/** SQLite's result codes for a file that is no sound database. */
const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26
/** Entries that one question of a chain check covers, some 10 ms: writes get their turn in between. */
const CHECKED_AT_ONCE = 2_000

class TooNew extends Error {}

/** True for a database that no retry will mend: damaged, or made by a newer program. */
export function isBeyondUse(error: unknown): boolean {
  if (error instanceof TooNew) return true
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB
}

function openFile(path: string | null): DatabaseSync {
  const db = new DatabaseSync(path ?? ':memory:')
  try {
    setUpFile(db)
    const version = Number(db.prepare('PRAGMA user_version').get()!['user_version'])
    if (version > MIGRATIONS.length) throw new TooNew(`it has version ${version}; this program knows ${MIGRATIONS.length}`)
    for (const [step, sql] of MIGRATIONS.entries()) {
      if (step >= version) db.exec(`BEGIN IMMEDIATE; ${sql}; PRAGMA user_version = ${step + 1}; COMMIT`)
    }
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

export type Database = ReturnType<typeof openDatabase>

/** Everything the storage thread does, without the thread. `path` is null for a database in memory. Throws where it cannot be used. */
export function openDatabase(path: string | null, keep: Keep, onTrouble: (message: string) => void) {
  const { db, journal, samples, past, budget } = openParts()

  function openParts() {
    const file = openFile(path)
    try {
      const chain = openJournal(file)
      const { broken } = chain.checkTail()
      if (broken) onTrouble(`the journal's chain is broken at entry ${broken.seq}: ${broken.why}`)
      const tables = openPast(file, keep)
      return { db: file, journal: chain, samples: openSamples(file, keep), past: tables, budget: openBudget(file, keep, chain, tables) }
    } catch (error) {
      file.close()
      throw error
    }
  }

  function inTransaction<T>(work: () => T): T {
    db.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      db.exec('COMMIT')
      return result
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK')
      journal.reload()
      samples.reload()
      throw error
    }
  }

  function closeWindows(nowMs: number): void {
    const due = samples.logBytes() > budget.logBytes ? samples.openWindows() : samples.due(nowMs)
    if (due.length === 0) return
    for (const window of due) inTransaction(() => samples.close(window))
    inTransaction(() => {
      samples.forget(nowMs)
      budget.dropOld(nowMs)
      past.dropOld(nowMs)
    })
  }

  function withFigures(found: FactsAt, atMs: number): FactsAt {
    return found.type === 'facts' ? { ...found, figures: samples.figuresAt(atMs) } : found
  }

  function checkChain(from: ChainPart['last'] | null): Answers['check'] {
    const anchor = journal.anchor()
    // The beginning may have been retired between two questions of one check.
    const begin = from && from.seq >= anchor.seq ? from : anchor
    return { ...journal.check(begin, CHECKED_AT_ONCE), from: begin }
  }

  return {
    lastSeq: (): number => journal.head().seq,
    /** Writes events, samples and facts in one transaction. Answers how many samples it refused. */
    write: (events: readonly QueuedEvent[], measured: readonly QueuedSample[], nowMs: number, facts: readonly QueuedFact[] = []): number =>
      inTransaction(() => {
        journal.append(events)
        past.write(facts)
        return samples.append(measured, nowMs)
      }),
    /** Roll-up, retention and budget, when they are due. Apart from `write`: what was written stays, though this fails. */
    upkeep(nowMs: number): void {
      closeWindows(nowMs)
      budget.hold(nowMs)
    },
    answer(question: Question): Answers[Question['type']] {
      switch (question.type) {
        case 'history':
          return samples.history(question.link, question.fromMs, question.toMs, question.stepMs)
        case 'journal':
          return journal.page(question.beforeSeq, question.limit, question.until ?? null)
        case 'turns':
          return journal.turns(question.pair, question.from, question.limit)
        case 'facts':
          return withFigures(past.at(question.atMs), question.atMs)
        case 'moments': {
          const oldestMs = past.oldestMs()
          const { fromMs, toMs, count } = question
          return { oldestMs, moments: journal.moments(fromMs ?? oldestMs ?? toMs, toMs, count) }
        }
        case 'check':
          return checkChain(question.from)
        case 'size':
          return { bytes: budget.fileBytes() }
        case 'close':
          db.close()
          return null
      }
    },
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
