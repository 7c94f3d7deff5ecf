import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { LIMITS } from '../contract/limits.ts'
import type { SamplePoint } from '../contract/samples.ts'
import type { Figure, Keep, QueuedSample } from './messages.ts'
import {
  RECORD_BYTES,
  bucketPoints,
  decodePoints,
  encodePoints,
  encodeRecords,
  mergePoints,
  recordPoint,
  type LogRecord,
} from './points.ts'

/**
 * How samples are kept. Each batch is appended as one row of `recent`, so a write costs a page or two and a kill loses
 * only what had not been sent yet. Every ten minutes that window of the log is closed: per link it becomes one row in each tier, the log goes.
 * Nothing lives in memory, so a start has nothing to replay.
 */
export const WINDOW_MS = 600_000
/** A window stays open this much longer: a probe that times out tells its loss late. Later ones are merged into the rows. */
const LATE_MS = 15_000
const KEYS = 2 ** 24
const HOUR_MS = 3_600_000
/** A link's figures at a time are those of so long before. */
const FIGURE_MS = 60_000

export type Tier = { readonly table: string; readonly told: boolean; readonly widthMs: number; readonly keep: keyof Keep & `keep${string}` }
export const TIERS: readonly Tier[] = [
  { table: 'own_seconds', told: false, widthMs: 1_000, keep: 'keepSecondsMs' },
  { table: 'own_tens', told: false, widthMs: 10_000, keep: 'keepTensMs' },
  { table: 'own_minutes', told: false, widthMs: 60_000, keep: 'keepMinutesMs' },
  { table: 'told_tens', told: true, widthMs: 10_000, keep: 'keepTensMs' },
  { table: 'told_minutes', told: true, widthMs: 60_000, keep: 'keepMinutesMs' },
]

const windowOf = (atMs: number): number => Math.floor(atMs / WINDOW_MS)
/** First key of the window that `atMs` falls in. Everything before has a smaller key. */
export const firstKeyOf = (atMs: number): number => windowOf(Math.max(0, atMs)) * KEYS

type Link = { id: number; told: boolean; seenMs: number }
type TierTable = Tier & { get: StatementSync; put: StatementSync; ofWindow: StatementSync; ends: StatementSync }

export function openSamples(db: DatabaseSync, keep: Keep) {
  const tables: TierTable[] = TIERS.map((tier) => ({
    ...tier,
    get: db.prepare(`SELECT points FROM ${tier.table} WHERE key = ?`),
    put: db.prepare(`INSERT OR REPLACE INTO ${tier.table} (key, points) VALUES (?, ?)`),
    ofWindow: db.prepare(`SELECT key % ${KEYS} AS link, points FROM ${tier.table} WHERE key >= ? AND key < ?`),
    ends: db.prepare(`SELECT (SELECT min(key) FROM ${tier.table}) AS oldest, (SELECT max(key) FROM ${tier.table}) AS newest`),
  }))
  const appendLog = db.prepare('INSERT INTO recent (key, records) VALUES (?, ?)')
  const sumLog = db.prepare(
    `SELECT key / ${KEYS} AS window, max(key) % ${KEYS} + 1 AS rows, sum(length(records)) AS bytes FROM recent GROUP BY key / ${KEYS}`,
  )
  const readLog = db.prepare('SELECT records FROM recent WHERE key >= ? AND key < ? ORDER BY key')
  const clearLog = db.prepare('DELETE FROM recent WHERE key >= ? AND key < ?')
  const findLink = db.prepare('SELECT id, told, seenMs FROM links WHERE key = ?')
  const addLink = db.prepare('INSERT INTO links (key, told, seenMs) VALUES (?, ?, ?)')
  const sawLink = db.prepare('UPDATE links SET seenMs = ? WHERE id = ?')
  const allLinks = db.prepare('SELECT id, key FROM links')
  const toldLinks = db.prepare('SELECT id FROM links WHERE told = 1')
  const forgetLinks = db.prepare('DELETE FROM links WHERE seenMs < ?')

  /** Links in use; the rest are looked up when they speak again. */
  const known = new Map<string, Link>()
  let knownTold = 0
  /** Windows whose log is not closed yet. */
  const open = new Map<number, { rows: number; bytes: number }>()
  reload()

  /** Memory follows the database: at the start, and after a rollback. */
  function reload(): void {
    known.clear()
    knownTold = 0
    open.clear()
    for (const row of sumLog.all() as { window: number; rows: number; bytes: number }[])
      open.set(row.window, { rows: row.rows, bytes: row.bytes })
  }

  function lookUp(key: string): Link | null {
    const link = known.get(key)
    if (link) return link
    const row = findLink.get(key) as { id: number; told: number; seenMs: number } | undefined
    return row ? { id: row.id, told: row.told === 1, seenMs: row.seenMs } : null
  }

  /** The link of a sample, made if new; null when there are too many that others tell of. */
  function linkOf(sample: QueuedSample, nowMs: number): Link | null {
    let link = known.get(sample.link)
    if (!link) {
      if (sample.told && knownTold >= LIMITS.storeToldLinks) return null
      link = lookUp(sample.link) ?? {
        id: Number(addLink.run(sample.link, sample.told ? 1 : 0, nowMs).lastInsertRowid),
        told: sample.told,
        seenMs: nowMs,
      }
      if (link.id >= KEYS) return null
      known.set(sample.link, link)
      if (link.told) knownTold++
    }
    if (Math.abs(nowMs - link.seenMs) > HOUR_MS) {
      link.seenMs = nowMs
      sawLink.run(nowMs, link.id)
    }
    return link
  }

  /** Appends to the log; answers how many it refused. Runs inside a transaction. */
  function append(samples: readonly QueuedSample[], nowMs: number): number {
    const windows = new Map<number, LogRecord[]>()
    let refused = 0
    for (const sample of samples) {
      const plausible = sample.atMs >= nowMs - keep.keepMinutesMs && sample.atMs <= nowMs + HOUR_MS
      const link = plausible ? linkOf(sample, nowMs) : null
      if (!link) {
        refused++
        continue
      }
      const window = windowOf(sample.atMs)
      const record = {
        link: link.id,
        offsetMs: Math.floor(sample.atMs - window * WINDOW_MS),
        sent: sample.sent,
        lost: sample.lost,
        rttMs: sample.rttMs,
      }
      const records = windows.get(window)
      if (records) records.push(record)
      else windows.set(window, [record])
    }
    for (const [window, records] of windows) {
      const log = open.get(window) ?? { rows: 0, bytes: 0 }
      const row = encodeRecords(records)
      appendLog.run(window * KEYS + log.rows, row)
      open.set(window, { rows: log.rows + 1, bytes: log.bytes + row.byteLength })
    }
    return refused
  }

  /** The log of a window, in one piece. */
  function logOf(window: number): Buffer {
    const rows = readLog.all(window * KEYS, (window + 1) * KEYS) as { records: Uint8Array }[]
    return Buffer.concat(rows.map((row) => row.records))
  }

  /** Turns the log of a window into one row per link and tier. Runs inside a transaction. */
  function close(window: number): void {
    const windowStartMs = window * WINDOW_MS
    const log = logOf(window)
    const view = new DataView(log.buffer, log.byteOffset, log.byteLength)
    const linkAt = (record: number): number => view.getUint32(record * RECORD_BYTES, true)
    const told = new Set((toldLinks.all() as { id: number }[]).map((row) => row.id))
    // Record numbers, link by link: a window of the largest grid has half a million, too many to hold as objects.
    const order = Uint32Array.from({ length: log.byteLength / RECORD_BYTES }, (_, index) => index)
    order.sort((a, b) => linkAt(a) - linkAt(b) || a - b)
    for (let from = 0; from < order.length;) {
      const link = linkAt(order[from]!)
      const points: SamplePoint[] = []
      for (; from < order.length && linkAt(order[from]!) === link; from++) {
        points.push(recordPoint(view, order[from]! * RECORD_BYTES, windowStartMs, told.has(link)))
      }
      for (const table of tables) {
        if (table.told === told.has(link)) putPoints(table, window, link, points)
      }
    }
    clearLog.run(window * KEYS, (window + 1) * KEYS)
    open.delete(window)
  }

  function putPoints(table: TierTable, window: number, link: number, points: readonly SamplePoint[]): void {
    const shape = { windowStartMs: window * WINDOW_MS, widthMs: table.widthMs, told: table.told }
    const there = table.get.get(window * KEYS + link) as { points: Uint8Array } | undefined
    const all = there ? [...decodePoints(there.points, shape), ...points] : points
    table.put.run(window * KEYS + link, encodePoints(bucketPoints(all, table.widthMs), shape))
  }

  /** Windows that can be closed: over, or ahead of a wall clock that was set back. */
  function due(nowMs: number): number[] {
    return [...open.keys()].filter((window) => (window + 1) * WINDOW_MS + LATE_MS <= nowMs || window > windowOf(nowMs + HOUR_MS))
  }

  /** Forgets links that nothing is kept of any more, and drops quiet ones from memory. Runs inside a transaction. */
  function forget(nowMs: number): void {
    forgetLinks.run(nowMs - keep.keepMinutesMs - 2 * HOUR_MS)
    for (const [key, link] of known) {
      if (nowMs - link.seenMs < 3 * HOUR_MS) continue
      known.delete(key)
      if (link.told) knownTold--
    }
  }

  /**
   * Points of a link in [fromMs, toMs), merged into buckets of at least `stepMs`. Reads the widest tier that is not wider than a
   * bucket, and for the time that this tier does not reach back to, the next wider one; the open windows come from the log.
   */
  function history(key: string, fromMs: number, toMs: number, stepMs: number): SamplePoint[] {
    const link = lookUp(key)
    if (!link || !(toMs > fromMs) || !Number.isFinite(toMs - fromMs)) return []
    const step = Math.max(1, stepMs, Math.ceil((toMs - fromMs) / (LIMITS.historyPoints - 1)))
    const tiers = tables.filter((table) => table.told === link.told)
    const finest = Math.max(
      0,
      tiers.findLastIndex((tier) => tier.widthMs <= step),
    )
    const points: SamplePoint[] = []
    let untilMs = toMs
    for (const tier of tiers.slice(finest)) {
      const ends = tier.ends.get() as { oldest: number | null; newest: number | null }
      if (ends.oldest === null || ends.newest === null) continue
      const oldest = Math.floor(ends.oldest / KEYS)
      const last = Math.min(windowOf(untilMs - 1), Math.floor(ends.newest / KEYS))
      // The last term is for a clock that once stood in another century: no loop is longer than what is kept.
      const first = Math.max(windowOf(fromMs), oldest, last - Math.ceil(keep.keepMinutesMs / WINDOW_MS) - 2)
      for (let window = first; window <= last; window++) {
        const row = tier.get.get(window * KEYS + link.id) as { points: Uint8Array } | undefined
        if (row) points.push(...decodePoints(row.points, { windowStartMs: window * WINDOW_MS, widthMs: tier.widthMs, told: tier.told }))
      }
      untilMs = Math.min(untilMs, oldest * WINDOW_MS)
      if (untilMs <= fromMs) break
    }
    for (const window of open.keys()) {
      if (window < windowOf(fromMs) || window > windowOf(toMs - 1)) continue
      points.push(...bucketPoints(logPoints(window, link), tiers[finest]!.widthMs))
    }
    // A bucket belongs to the answer when it begins in it, or holds its first moment.
    const firstMs = Math.floor(fromMs / step) * step
    return bucketPoints(
      points.filter((point) => point.atMs >= firstMs && point.atMs < toMs),
      step,
    ).slice(-LIMITS.historyPoints)
  }

  /**
   * The figures of every link at a time: of the minute before it, from the finest tier that reaches so far, within its window. One read of
   * the window, not one for each link.
   */
  function figuresAt(atMs: number): Figure[] {
    const window = windowOf(atMs)
    const windowStartMs = window * WINDOW_MS
    const points = new Map<number, SamplePoint[]>()
    const add = (link: number, point: SamplePoint, widthMs: number): void => {
      if (point.atMs > atMs || point.atMs + widthMs <= atMs - FIGURE_MS) return
      const known = points.get(link)
      if (known) known.push(point)
      else points.set(link, [point])
    }
    for (const told of [false, true]) {
      for (const tier of tables.filter((table) => table.told === told)) {
        const rows = tier.ofWindow.all(window * KEYS, (window + 1) * KEYS) as { link: number; points: Uint8Array }[]
        if (rows.length === 0) continue
        const shape = { windowStartMs, widthMs: tier.widthMs, told }
        for (const row of rows) for (const point of decodePoints(row.points, shape)) add(row.link, point, tier.widthMs)
        break
      }
    }
    if (open.has(window)) {
      const log = logOf(window)
      const view = new DataView(log.buffer, log.byteOffset, log.byteLength)
      for (let at = 0; at < log.byteLength; at += RECORD_BYTES) add(view.getUint32(at, true), recordPoint(view, at, windowStartMs, true), 0)
    }
    return (allLinks.all() as { id: number; key: string }[]).flatMap(({ id, key }) => {
      const { sent, lost, rttMsP50 } = mergePoints(points.get(id) ?? [], atMs)
      return sent === 0 ? [] : [{ link: key, lossRatio: Math.min(1, lost / sent), rttMsP50 }]
    })
  }

  function logPoints(window: number, link: Link): SamplePoint[] {
    const log = logOf(window)
    const view = new DataView(log.buffer, log.byteOffset, log.byteLength)
    const points: SamplePoint[] = []
    for (let at = 0; at < log.byteLength; at += RECORD_BYTES) {
      if (view.getUint32(at, true) === link.id) points.push(recordPoint(view, at, window * WINDOW_MS, link.told))
    }
    return points
  }

  return {
    append,
    due,
    close,
    forget,
    history,
    figuresAt,
    reload,
    openWindows: (): number[] => [...open.keys()],
    logBytes: (): number => [...open.values()].reduce((sum, log) => sum + log.bytes, 0),
  }
}
