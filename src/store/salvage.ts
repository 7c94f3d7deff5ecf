import { DatabaseSync } from 'node:sqlite'
import type { JournalRow } from './journal.ts'

/** Entries that are read at a time, some 100 kB of text. */
const AT_ONCE = 500
/** No journal is longer: beyond it there is nothing to look for. */
const SEQ_MAX = 2 ** 40

/** Some entries of a journal as lines of JSON. */
export type Salvaged = { readonly lines: string; readonly entries: number }

/**
 * What can still be read of the journal in a database that cannot be used any more, in order. Where pages are damaged it goes on behind
 * them. Never throws: what cannot be read is left out.
 */
export function* salvageJournal(path: string): Generator<Salvaged> {
  let db: DatabaseSync
  try {
    db = new DatabaseSync(path, { readOnly: true, defensive: false })
    // A file that was cut short is then read as far as it goes.
    db.exec('PRAGMA writable_schema = ON')
  } catch {
    return
  }
  try {
    for (const rows of readable(db)) yield { lines: rows.map(lineOf).join(''), entries: rows.length }
  } finally {
    db.close()
  }
}

function* readable(db: DatabaseSync): Generator<JournalRow[]> {
  let after = 0
  for (;;) {
    let { rows, isDamaged } = read(db, after, AT_ONCE)
    if (rows.length === 0 && isDamaged) {
      const next = behindDamage(db, after)
      if (next === null) return
      ;({ rows, isDamaged } = read(db, next, AT_ONCE))
    }
    const last = rows.at(-1)
    if (!last) return
    yield rows
    if (!isDamaged && rows.length < AT_ONCE) return
    after = last.seq
  }
}

/** The least seq after which something can be read again; null when nothing can. */
function behindDamage(db: DatabaseSync, after: number): number | null {
  let [bad, good] = [after, after + 1]
  const isReadable = (seq: number): boolean => {
    const { rows, isDamaged } = read(db, seq, 1)
    return rows.length > 0 || !isDamaged
  }
  for (let step = 1; !isReadable(good); step *= 2) {
    if (good > SEQ_MAX) return null
    bad = good
    good += step
  }
  while (good - bad > 1) {
    const middle = Math.floor((good + bad) / 2)
    if (isReadable(middle)) good = middle
    else bad = middle
  }
  return good
}

/** Up to so many entries after `after`; fewer where it comes upon damage. */
function read(db: DatabaseSync, after: number, count: number): { rows: JournalRow[]; isDamaged: boolean } {
  const rows: JournalRow[] = []
  try {
    const statement = db.prepare('SELECT seq, at, event, hash FROM journal WHERE seq > ? ORDER BY seq LIMIT ?')
    for (const row of statement.iterate(after, count) as Iterable<JournalRow>) rows.push(row)
    return { rows, isDamaged: false }
  } catch {
    return { rows, isDamaged: true }
  }
}

/** The event stands there as it was hashed, byte for byte; one that is no JSON any more stands there as text. */
function lineOf({ seq, at, event, hash }: JournalRow): string {
  return `{"seq":${seq},"at":${JSON.stringify(at)},"event":${isJson(event) ? event : JSON.stringify(event)},"hash":${JSON.stringify(hash)}}\n`
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    // A line break between two tokens would end the line.
    return !text.includes('\n')
  } catch {
    return false
  }
}
