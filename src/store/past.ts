import type { DatabaseSync } from 'node:sqlite'
import { applyChange, packRecord, unpackRecord, type FactsChange } from './facts.ts'
import type { KeptNode } from './kept.ts'
import type { FactsAt, Keep, QueuedFact } from './messages.ts'

/**
 * How the past is kept: what judge takes, so that it can be judged again. Of each node a whole record now and then, and between those only
 * what changed. A run is a stretch of time without a break; what lies between two runs nobody saw.
 */
const KIND = { gone: 0, whole: 1, change: 2 } as const
/** What a record costs beside its content: the key, the hash, and the room that pages leave. */
const RECORD_OVERHEAD_BYTES = 90
/** Two runs that lie so close have no gap between them that a person would ask about. */
const NO_GAP_MS = 2_000
const HOUR_MS = 3_600_000
/** What is given up at a time, of the time that is kept: a step of an hour would take thousands of turns. */
const GIVE_UP_SHARE = 0.02

type Run = { startMs: number; fromMs: number; endMs: number; bytes: number; card: string }
type Place = { atMs: number; kind: number }
type Row = Place & { hash: Uint8Array; record: Uint8Array }

export type PastTables = ReturnType<typeof openPast>

export function openPast(db: DatabaseSync, keep: Keep) {
  const putRun = db.prepare(
    'INSERT INTO runs (startMs, fromMs, endMs, bytes, card) VALUES (?1, ?1, ?2, 0, ?3) ON CONFLICT DO UPDATE SET endMs = max(endMs, ?2)',
  )
  const growRun = db.prepare('UPDATE runs SET endMs = max(endMs, ?), bytes = bytes + ? WHERE startMs = ?')
  const cutRun = db.prepare('UPDATE runs SET fromMs = max(fromMs, ?), bytes = bytes - ? WHERE startMs = ?')
  const runAt = db.prepare('SELECT * FROM runs WHERE startMs <= ? ORDER BY startMs DESC LIMIT 1')
  const runAfter = db.prepare('SELECT * FROM runs WHERE startMs > ? ORDER BY startMs LIMIT 1')
  const runsBefore = db.prepare('SELECT * FROM runs WHERE startMs < ?')
  const totals = db.prepare('SELECT min(fromMs) AS oldestMs, coalesce(sum(bytes), 0) AS bytes FROM runs')
  const dropRun = db.prepare('DELETE FROM runs WHERE startMs = ?')
  const dropFacts = db.prepare('DELETE FROM facts WHERE run = ?')

  const put = db.prepare('INSERT OR REPLACE INTO facts (run, identity, atMs, kind, hash, record) VALUES (?, ?, ?, ?, ?, ?)')
  const nextIdentity = db.prepare('SELECT identity FROM facts WHERE run = ? AND identity > ? ORDER BY identity LIMIT 1')
  const lastWhole = db.prepare(
    `SELECT atMs, kind FROM facts WHERE run = ? AND identity = ? AND atMs <= ? AND kind <> ${KIND.change} ORDER BY atMs DESC LIMIT 1`,
  )
  const between = db.prepare(
    'SELECT atMs, kind, hash, record FROM facts WHERE run = ? AND identity = ? AND atMs >= ? AND atMs <= ? ORDER BY atMs',
  )
  const sizeBefore = db.prepare(
    `SELECT coalesce(sum(length(record) + ${RECORD_OVERHEAD_BYTES}), 0) AS bytes FROM facts WHERE run = ? AND identity = ? AND atMs < ?`,
  )
  const dropBefore = db.prepare('DELETE FROM facts WHERE run = ? AND identity = ? AND atMs < ?')

  /** Runs inside a transaction. A record of a run that the database does not know has lost what it builds on, and is left out. */
  function write(facts: readonly QueuedFact[]): void {
    for (const fact of facts) {
      if (fact.kind === 'run') {
        putRun.run(fact.runMs, fact.atMs, fact.json)
        continue
      }
      const record = packRecord(fact.json)
      const { changes } = growRun.run(fact.atMs, record.byteLength + RECORD_OVERHEAD_BYTES, fact.runMs)
      if (changes === 0) continue
      const [identity, hash] = [Buffer.from(fact.identity, 'hex'), Buffer.from(fact.hash, 'hex')]
      put.run(fact.runMs, identity, fact.atMs, KIND[fact.kind], hash, record)
    }
  }

  /** One step through the index for each: a plain DISTINCT would read every record. */
  function* identitiesOf(run: number): Iterable<Uint8Array> {
    let last = new Uint8Array()
    for (;;) {
      const row = nextIdentity.get(run, last) as { identity: Uint8Array<ArrayBuffer> } | undefined
      if (!row) return
      last = row.identity
      yield last
    }
  }

  /** Without figures: those are samples. */
  function at(atMs: number): FactsAt {
    const { oldestMs } = totals.get() as { oldestMs: number | null }
    const run = runAt.get(atMs) as Run | undefined
    if (oldestMs === null || !run || atMs < run.fromMs) return { type: 'none', oldestMs }
    if (atMs > run.endMs) {
      const next = runAfter.get(atMs) as Run | undefined
      if (!next || next.startMs - run.endMs > NO_GAP_MS) return { type: 'gap', fromMs: run.endMs, toMs: next?.startMs ?? null, oldestMs }
    }
    const nodes: KeptNode[] = []
    let newest: Row | null = null
    for (const identity of identitiesOf(run.startMs)) {
      const begin = lastWhole.get(run.startMs, identity, atMs) as Place | undefined
      if (!begin) continue
      let node: KeptNode | null = null
      for (const row of between.iterate(run.startMs, identity, begin.atMs, atMs) as Iterable<Row>) {
        if (!newest || row.atMs >= newest.atMs) newest = row
        if (row.kind === KIND.gone) continue
        const value: unknown = JSON.parse(unpackRecord(row.record))
        if (row.kind === KIND.whole) node = value as KeptNode
        else if (node) node = applyChange(node, value as FactsChange)
      }
      if (node) nodes.push(node)
    }
    return { type: 'facts', card: run.card, hash: newest ? Buffer.from(newest.hash).toString('hex') : null, nodes, figures: [] }
  }

  /** Deletes what the graphs from `atMs` on do not need: all records of a node before its last whole one of that time. All or nothing. */
  function forgetBefore(atMs: number): void {
    db.exec('SAVEPOINT forget')
    try {
      deleteBefore(Math.floor(atMs))
      db.exec('RELEASE forget')
    } catch (error) {
      db.exec('ROLLBACK TO forget; RELEASE forget')
      throw error
    }
  }

  function deleteBefore(atMs: number): void {
    for (const run of runsBefore.all(atMs) as Run[]) {
      if (run.endMs < atMs) {
        dropFacts.run(run.startMs)
        dropRun.run(run.startMs)
        continue
      }
      if (run.fromMs >= atMs) continue
      let bytes = 0
      for (const identity of identitiesOf(run.startMs)) {
        const whole = lastWhole.get(run.startMs, identity, atMs) as Place | undefined
        if (!whole) continue
        const end = whole.kind === KIND.gone ? whole.atMs + 1 : whole.atMs
        bytes += (sizeBefore.get(run.startMs, identity, end) as { bytes: number }).bytes
        dropBefore.run(run.startMs, identity, end)
      }
      cutRun.run(atMs, bytes, run.startMs)
    }
  }

  return {
    write,
    at,
    oldestMs: (): number | null => (totals.get() as { oldestMs: number | null }).oldestMs,
    bytes: (): number => (totals.get() as { bytes: number }).bytes,
    dropOld: (nowMs: number): void => forgetBefore(nowMs - keep.keepMinutesMs),
    /** Gives up the oldest stretch, if it began before `spareFromMs`. False when there is nothing to give up. */
    giveUpOldest(nowMs: number, spareFromMs: number): boolean {
      const { oldestMs } = totals.get() as { oldestMs: number | null }
      const untilMs = Math.min(spareFromMs, nowMs - HOUR_MS)
      if (oldestMs === null || oldestMs >= untilMs) return false
      forgetBefore(Math.min(untilMs, oldestMs + Math.max(HOUR_MS, (nowMs - oldestMs) * GIVE_UP_SHARE)))
      return true
    },
  }
}
