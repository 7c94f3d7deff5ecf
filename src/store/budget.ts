import type { DatabaseSync } from 'node:sqlite'
import type { Journal } from './journal.ts'
import type { Keep } from './messages.ts'
import type { PastTables } from './past.ts'
import { TIERS, WINDOW_MS, firstKeyOf } from './samples.ts'

const HOUR_MS = 3_600_000
/** Pages of write-ahead log after which SQLite moves them to the database (2 MB), and the size it is cut back to. */
const WAL_PAGES = 512
const PAGE_BYTES = 4_096
/** What the write-ahead log and its index may take of the budget: two rounds, since a reader can hold one back. */
const WAL_SHARE_BYTES = 2 * WAL_PAGES * PAGE_BYTES

/** Must run before anything is written: page size and auto_vacuum are fixed by the first write. */
export function setUpFile(db: DatabaseSync): void {
  db.exec(`
    PRAGMA page_size = ${PAGE_BYTES};
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA wal_autocheckpoint = ${WAL_PAGES};
    PRAGMA journal_size_limit = ${WAL_PAGES * PAGE_BYTES};
    PRAGMA cache_size = -2048;
    PRAGMA busy_timeout = 2000;
  `)
}

/**
 * What goes first when the disk budget is reached: the finest figures of other nodes' links, oldest first, because those
 * nodes keep their own. Each kind first keeps its last stretch; only if that is not enough, the stretches go too, in the same order. The
 * journal gives way only where it alone takes more than half of the budget. So do the facts of the past, at a fifth: they are small and tell
 * what was, where figures only tell how much, so they go late; but a grid that flaps for months must not push out all figures.
 */
const GIVE_UP = [
  { table: 'told_tens', spareMs: HOUR_MS },
  { table: 'told_minutes', spareMs: 24 * HOUR_MS },
  { table: 'own_tens', spareMs: HOUR_MS },
  { table: 'own_minutes', spareMs: 24 * HOUR_MS },
  { table: 'facts', spareMs: 24 * HOUR_MS },
  { table: 'own_seconds', spareMs: 2 * WINDOW_MS },
] as const

export function openBudget(db: DatabaseSync, keep: Keep, journal: Journal, past: PastTables) {
  const targetBytes = Math.max(keep.budgetBytes - WAL_SHARE_BYTES, keep.budgetBytes / 2)
  const pageCount = db.prepare('PRAGMA page_count')
  const freePages = db.prepare('PRAGMA freelist_count')
  const fileBytes = (): number => Number(pageCount.get()!['page_count']) * PAGE_BYTES
  const freeBytes = (): number => Number(freePages.get()!['freelist_count']) * PAGE_BYTES
  const usedBytes = (): number => fileBytes() - freeBytes()

  const tables = new Map(
    TIERS.map(({ table }) => [
      table,
      {
        oldest: db.prepare(`SELECT min(key) AS key FROM ${table}`),
        before: db.prepare(`DELETE FROM ${table} WHERE key < ?`),
      },
    ]),
  )

  /** Deletes what is older than its time. */
  function dropOld(nowMs: number): void {
    for (const tier of TIERS) tables.get(tier.table)!.before.run(firstKeyOf(nowMs - keep[tier.keep]))
  }

  /** Deletes the oldest stretch of a table, if it began before `spareFromMs`. */
  function dropOldest(table: string, spareFromMs: number, nowMs: number): boolean {
    if (table === 'facts') return past.giveUpOldest(nowMs, spareFromMs)
    const spareFromKey = spareFromMs === Infinity ? Infinity : firstKeyOf(spareFromMs)
    const { oldest, before } = tables.get(table)!
    const { key } = oldest.get() as { key: number | null }
    if (key === null || key >= spareFromKey) return false
    const windowKeys = firstKeyOf(WINDOW_MS)
    before.run((Math.floor(key / windowKeys) + 1) * windowKeys)
    return true
  }

  /** Brings the file under the budget when it is over: down to 95 %, so that it does not happen at each write. */
  function hold(nowMs: number): void {
    if (fileBytes() <= targetBytes) return
    const enoughBytes = targetBytes * 0.95
    while (journal.sizeBytes() > targetBytes / 2 && journal.retireTenth());
    while (past.bytes() > targetBytes / 5 && past.giveUpOldest(nowMs, Infinity));
    for (const sparing of [true, false]) {
      for (const { table, spareMs } of GIVE_UP) {
        const spareFromMs = sparing ? nowMs - spareMs : Infinity
        while (usedBytes() > enoughBytes && dropOldest(table, spareFromMs, nowMs));
      }
    }
    const overPages = Math.ceil((fileBytes() - targetBytes) / PAGE_BYTES)
    if (overPages > 0) db.prepare(`PRAGMA incremental_vacuum(${overPages})`).all()
    db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all()
  }

  return {
    dropOld,
    hold,
    fileBytes,
    /** The log of samples may take an eighth; then its windows are closed early. */
    logBytes: keep.budgetBytes / 8,
  }
}
