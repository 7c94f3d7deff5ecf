import { createHash } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'

/** A journal row as it lies in the database. `event` is the canonical JSON that the hash covers, byte for byte. */
export type JournalRow = { seq: number; at: string; event: string; hash: string }

/** A step of time: when the last of it changed, how many links and members did, and how many of those to something bad. */
export type Moment = { atMs: number; changes: number; bad: number }

export type ChainLink = { seq: number; hash: string }

/** Some entries of the chain, checked: where the check stands, and what breaks it. */
export type ChainPart = { last: ChainLink; done: boolean; broken: { seq: number; why: string } | null }

const TAIL_CHECKED = 100

const isoOf = (ms: number): string => new Date(ms).toISOString()

/** The same value has the same text: keys in order, no spaces. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}

/** SHA-256 over the hash before (32 bytes) and the canonical JSON of {at, event, seq}. */
export function entryHash(previousHash: string, entry: { seq: number; at: string; event: string }): string {
  const text = `{"at":${JSON.stringify(entry.at)},"event":${entry.event},"seq":${entry.seq}}`
  return createHash('sha256').update(previousHash, 'hex').update(text).digest('hex')
}

export type Journal = ReturnType<typeof openJournal>

/** The append-only chain. It begins at the anchor: seq 0 and zeros, or the last entry that was retired to keep the budget. */
export function openJournal(db: DatabaseSync) {
  const insert = db.prepare('INSERT INTO journal (seq, at, event, hash) VALUES (?, ?, ?, ?)')
  const newest = db.prepare('SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1')
  const page = db.prepare('SELECT seq, at, event, hash FROM journal WHERE seq < ? ORDER BY seq DESC LIMIT ?')
  const turnsOf = db.prepare('SELECT seq, at, event, hash FROM journal WHERE pair = ? AND at >= ? ORDER BY seq DESC LIMIT ?')
  const changes = db.prepare(
    `SELECT max(at) AS last, count(*) AS changes, sum(bad) AS bad FROM journal WHERE bad IS NOT NULL AND at >= ?3 AND at < ?4
     GROUP BY CAST((unixepoch(at, 'subsec') * 1000 - ?1) / ?2 AS INTEGER) ORDER BY last`,
  )
  const atOf = db.prepare('SELECT at FROM journal WHERE seq = ?')
  const onward = db.prepare('SELECT seq, at, event, hash FROM journal WHERE seq > ? ORDER BY seq LIMIT ?')
  const one = db.prepare('SELECT seq, hash FROM journal WHERE seq = ?')
  const readAnchor = db.prepare('SELECT seq, hash FROM anchor')
  const setAnchor = db.prepare('UPDATE anchor SET seq = ?, hash = ?')
  const retireTo = db.prepare('DELETE FROM journal WHERE seq <= ?')
  const sizeOfNewest = db.prepare('SELECT avg(length(event) + 200) AS bytes FROM (SELECT event FROM journal ORDER BY seq DESC LIMIT 1000)')

  const anchor = (): ChainLink => readAnchor.get() as ChainLink
  let head = (newest.get() as ChainLink | undefined) ?? anchor()

  /** Checks up to `count` entries after `from`. */
  function check(from: ChainLink, count: number): ChainPart {
    let last = from
    let seen = 0
    for (const row of onward.iterate(from.seq, count) as Iterable<JournalRow>) {
      const wanted = last.seq + 1
      if (row.seq !== wanted) return { last, done: true, broken: { seq: wanted, why: `entry ${wanted} is missing` } }
      if (row.hash !== entryHash(last.hash, row)) {
        return { last, done: true, broken: { seq: row.seq, why: `entry ${row.seq} does not fit its hash` } }
      }
      last = { seq: row.seq, hash: row.hash }
      seen++
    }
    return { last, done: seen < count, broken: null }
  }

  /** The first entry later than `until`, by halving: entries stand in the order of time, but for a clock that was set back. */
  function seqAfter(until: string): number {
    let [known, later] = [anchor().seq, head.seq + 1]
    while (later - known > 1) {
      const middle = Math.floor((known + later) / 2)
      const row = atOf.get(middle) as { at: string } | undefined
      if (row && row.at > until) later = middle
      else known = middle
    }
    return later
  }

  return {
    anchor,
    check,
    head: (): ChainLink => head,
    /** Must run inside a transaction; answers nothing, `head` moves on. */
    append(events: readonly { atMs: number; json: string }[]): void {
      for (const { atMs, json } of events) {
        const entry = { seq: head.seq + 1, at: new Date(atMs).toISOString(), event: json }
        const hash = entryHash(head.hash, entry)
        insert.run(entry.seq, entry.at, entry.event, hash)
        head = { seq: entry.seq, hash }
      }
    },
    /** After a rollback the head is what the database says. */
    reload(): void {
      head = (newest.get() as ChainLink | undefined) ?? anchor()
    },
    /** Newest first. `until`: none later than that. */
    page: (beforeSeq: number, limit: number, until: string | null): JournalRow[] =>
      page.all(until === null ? beforeSeq : Math.min(beforeSeq, seqAfter(until)), limit) as JournalRow[],
    /** Turns of one link, newest first. */
    turns: (pair: string, from: string, limit: number): JournalRow[] => turnsOf.all(pair, from, limit) as JournalRow[],
    /** How many links and members changed in each of at most `count` steps of [fromMs, toMs), those without a change left out. `atMs` is the last of them. */
    moments(fromMs: number, toMs: number, count: number): Moment[] {
      if (!(toMs > fromMs)) return []
      const stepMs = Math.max(1_000, Math.ceil((toMs - fromMs) / count))
      const rows = changes.all(fromMs, stepMs, isoOf(fromMs), isoOf(toMs)) as { last: string; changes: number; bad: number }[]
      return rows.map(({ last, changes, bad }) => ({ atMs: Date.parse(last), changes, bad }))
    },
    /** The newest entries, which a crash or a hasty hand would hurt first; the whole chain would cost seconds at each start. */
    checkTail(): ChainPart {
      const from = (one.get(Math.max(0, head.seq - TAIL_CHECKED)) as ChainLink | undefined) ?? anchor()
      return check(from, TAIL_CHECKED + 1)
    },
    /** Estimated from the newest entries: counting them all would read them all. */
    sizeBytes(): number {
      const { bytes } = sizeOfNewest.get() as { bytes: number | null }
      return (bytes ?? 0) * (head.seq - anchor().seq)
    },
    /** Retires the oldest tenth, whole; the anchor keeps the hash that the rest hangs on. False when there is nothing to retire. */
    retireTenth(): boolean {
      const from = anchor().seq
      const last = one.get(from + Math.ceil((head.seq - from) / 10)) as ChainLink | undefined
      if (!last || last.seq >= head.seq) return false
      setAnchor.run(last.seq, last.hash)
      retireTo.run(last.seq)
      return true
    },
  }
}
