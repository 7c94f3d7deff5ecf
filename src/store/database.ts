import { DatabaseSync } from 'node:sqlite'
import { moveAside, touchPrivate } from '../platform/files.ts'
import { openBudget, setUpFile } from './budget.ts'
import { openJournal, type ChainPart } from './journal.ts'
import type { Answers, Keep, Question, QueuedEvent, QueuedSample } from './messages.ts'
import { openSamples } from './samples.ts'
import { MIGRATIONS } from './schema.ts'

/** SQLite's result codes for a file that is no sound database. */
const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26
/** Entries that one question of a chain check covers, some 10 ms: writes get their turn in between. */
const CHECKED_AT_ONCE = 2_000

class TooNew extends Error {}

/** True for a database that no retry will mend. */
function isBeyondUse(error: unknown): boolean {
  if (error instanceof TooNew) return true
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB
}

function openFile(path: string | null): DatabaseSync {
  if (path !== null) touchPrivate(path)
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

const stamp = (nowMs: number): string => new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d+/g, '')

export type Database = ReturnType<typeof openDatabase>

/**
 * Everything the storage thread does, without the thread. One that is damaged or made by a newer program is moved aside (never deleted), a
 * fresh one takes its place, and `onTrouble` says so. Where no file can be had at all, memory has to do.
 */
export function openDatabase(path: string | null, keep: Keep, nowMs: number, onTrouble: (message: string) => void) {
  let place = path
  let fresh = false
  let parts = openOrReplace(nowMs)

  function openOrReplace(atMs: number) {
    try {
      return openParts()
    } catch (error) {
      try {
        if (place !== null && isBeyondUse(error)) {
          replace(atMs, error)
          return openParts()
        }
        throw error
      } catch (second) {
        onTrouble(`no database at ${place}: ${messageOf(second)}; history is kept in memory until the next start`)
        place = null
        fresh = true
        return openParts()
      }
    }
  }

  function openParts() {
    const db = openFile(place)
    try {
      const journal = openJournal(db)
      const opened = { db, journal, samples: openSamples(db, keep), budget: openBudget(db, place, keep, journal) }
      const { broken } = journal.checkTail()
      if (broken) onTrouble(`the journal's chain is broken at entry ${broken.seq}: ${broken.why}`)
      return opened
    } catch (error) {
      db.close()
      throw error
    }
  }

  function replace(atMs: number, error: unknown): void {
    const aside = `${place}.damaged-${stamp(atMs)}`
    // The write-ahead log goes along under the matching name, so that sqlite3 can still open what is left.
    for (const suffix of ['', '-wal', '-shm']) moveAside(`${place}${suffix}`, `${aside}${suffix}`)
    fresh = true
    onTrouble(`the database cannot be used (${messageOf(error)}); it is kept as ${aside} and a fresh one was begun`)
  }

  function inTransaction<T>(work: () => T): T {
    const { db, journal, samples } = parts
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

  /** Runs `work`; when the database turns out to be damaged, once more on a fresh one. */
  function withRepair<T>(atMs: number, work: () => T): T {
    try {
      return work()
    } catch (error) {
      if (place === null || !isBeyondUse(error)) throw error
      parts.db.close()
      replace(atMs, error)
      parts = openOrReplace(atMs)
      return work()
    }
  }

  function closeWindows(atMs: number): void {
    const { samples, budget } = parts
    const due = samples.logBytes() > budget.logBytes ? samples.openWindows() : samples.due(atMs)
    if (due.length === 0) return
    for (const window of due) inTransaction(() => samples.close(window))
    inTransaction(() => {
      samples.forget(atMs)
      budget.dropOld(atMs)
    })
  }

  return {
    fresh: (): boolean => fresh,
    lastSeq: (): number => parts.journal.head().seq,
    /** Writes events and samples in one transaction, then does what has come due. Answers how many samples it refused. */
    write(events: readonly QueuedEvent[], samples: readonly QueuedSample[], atMs: number): number {
      return withRepair(atMs, () =>
        inTransaction(() => {
          parts.journal.append(events)
          return parts.samples.append(samples, atMs)
        }),
      )
    },
    /** Roll-up, retention and budget. Apart from `write`, so that a failure here does not have events written twice. */
    upkeep(atMs: number): void {
      withRepair(atMs, () => {
        closeWindows(atMs)
        parts.budget.hold(atMs)
      })
    },
    answer(question: Question): Answers[Question['type']] {
      switch (question.type) {
        case 'history':
          return parts.samples.history(question.link, question.fromMs, question.toMs, question.stepMs)
        case 'journal':
          return parts.journal.page(question.beforeSeq, question.limit)
        case 'check':
          return checkChain(question.from)
        case 'size':
          return { bytes: parts.budget.sizeBytes() }
        case 'close':
          parts.db.close()
          return null
      }
    },
  }

  function checkChain(from: ChainPart['last'] | null): Answers['check'] {
    const begin = from ?? parts.journal.anchor()
    return { ...parts.journal.check(begin, CHECKED_AT_ONCE), from: begin }
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
