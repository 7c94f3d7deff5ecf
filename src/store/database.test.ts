import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LIMITS, type SamplePoint } from '../contract/index.ts'
import { isBeyondUse, openDatabase, type Database } from './database.ts'
import { canonicalJson } from './journal.ts'
import type { Answers, Keep, QueuedSample } from './messages.ts'
import { bucketPoints } from './points.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const MIB = 2 ** 20
const KEEP: Keep = { budgetBytes: 64 * MIB, keepSecondsMs: HOUR_MS, keepTensMs: DAY_MS, keepMinutesMs: 30 * DAY_MS }
const T0 = Date.UTC(2026, 0, 5)

let dir: string
let path: string
let trouble: string[]
let opened: Database[]
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'midwatch-store-'))
  path = join(dir, 'midwatch.db')
  trouble = []
  opened = []
})
afterEach(async () => {
  for (const database of opened) close(database)
  await rm(dir, { recursive: true, force: true })
})

function open(place: string | null = path, keep: Keep = KEEP): Database {
  const database = openDatabase(place, keep, (message) => trouble.push(message))
  opened.push(database)
  return database
}
function close(database: Database): void {
  try {
    database.answer({ type: 'close' })
  } catch {
    // It was closed by the test.
  }
}
function write(database: Database, samples: QueuedSample[], atMs: number): number {
  const refused = database.write([], samples, atMs)
  database.upkeep(atMs)
  return refused
}
function tellOf(database: Database, count: number, fromMs = T0): void {
  const events = Array.from({ length: count }, (_, i) => ({
    atMs: fromMs + i,
    json: canonicalJson({ type: 'node.stopped', reason: `r${i}` }),
  }))
  database.write(events, [], fromMs)
}
const own = (atMs: number, rttMs: number | null, link = 'own'): QueuedSample => ({
  link,
  told: false,
  atMs,
  sent: 1,
  lost: rttMs === null ? 1 : 0,
  rttMs,
})
const told = (atMs: number, rttMs: number, link = 'told'): QueuedSample => ({ link, told: true, atMs, sent: 5, lost: 1, rttMs })
const history = (database: Database, link: string, fromMs: number, toMs: number, stepMs: number): SamplePoint[] =>
  database.answer({ type: 'history', link, fromMs, toMs, stepMs }) as SamplePoint[]
function check(database: Database): Answers['check'] {
  let part = database.answer({ type: 'check', from: null }) as Answers['check']
  while (!part.done) part = database.answer({ type: 'check', from: part.last }) as Answers['check']
  return part
}
function tamper(sql: string): void {
  const db = new DatabaseSync(path)
  db.exec(sql)
  db.close()
}

describe('the journal', () => {
  test('counts from 1 without gaps and its chain holds, over restarts too', () => {
    const first = open()
    tellOf(first, 3)
    close(first)
    const second = open()
    tellOf(second, 2)
    expect(second.lastSeq()).toBe(5)
    expect(check(second)).toMatchObject({ last: { seq: 5 }, done: true, broken: null })
  })

  test.each([
    ['an event that was altered', `UPDATE journal SET event = replace(event, 'r2499', 'r0') WHERE seq = 2500`, 2_500],
    ['a time that was altered', `UPDATE journal SET at = '2020-01-01T00:00:00.000Z' WHERE seq = 2001`, 2_001],
    ['an entry that was cut out', 'DELETE FROM journal WHERE seq = 1234', 1_234],
    [
      'two entries that changed places',
      'UPDATE journal SET event = (SELECT event FROM journal j WHERE j.seq = 13 - journal.seq) WHERE seq IN (6, 7)',
      6,
    ],
    ['a hash that was made up', `UPDATE journal SET hash = '${'a'.repeat(64)}' WHERE seq = 4990`, 4_990],
    ['its beginning cut off', 'DELETE FROM journal WHERE seq <= 10', 1],
  ])('a check names the very entry: %s', (_what, sql, seq) => {
    const before = open()
    tellOf(before, 5_000)
    close(before)
    tamper(sql)
    expect(check(open()).broken?.seq).toBe(seq)
  })

  test('a break near the end is told at the start, and the journal goes on', () => {
    const before = open()
    tellOf(before, 500)
    close(before)
    tamper(`UPDATE journal SET event = '{}' WHERE seq = 480`)
    const after = open()
    expect(trouble).toEqual([expect.stringContaining('broken at entry 480')])
    tellOf(after, 1)
    expect(after.lastSeq()).toBe(501)
  })

  test('gives way only where it alone takes half of the budget; what is left still hangs together', () => {
    const keep = { ...KEEP, budgetBytes: 4 * MIB }
    const database = open(path, keep)
    for (let i = 0; i < 40; i++) {
      tellOf(database, 500, T0 + i * 1_000)
      database.upkeep(T0 + i * 1_000)
    }
    const part = check(database)
    expect(part).toMatchObject({ last: { seq: 20_000 }, broken: null })
    expect(part.from.seq).toBeGreaterThan(0)
    const { bytes } = database.answer({ type: 'size' }) as { bytes: number }
    expect(bytes).toBeLessThanOrEqual(keep.budgetBytes)
  })

  test('an append that is rolled back leaves no gap', () => {
    const database = open()
    tellOf(database, 1)
    expect(() => database.write([{ atMs: NaN, json: '{}' }], [], T0)).toThrow()
    tellOf(database, 1)
    expect(check(database)).toMatchObject({ last: { seq: 2 }, broken: null })
  })
})

describe('samples', () => {
  test('each tier says what a plain list of all samples says', () => {
    const step = fc.record({ gapMs: fc.integer({ min: 1, max: 90_000 }), rttMs: fc.option(fc.integer({ min: 0, max: 3_000 })) })
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 150 }),
        fc.integer({ min: 1, max: 20 }),
        fc.boolean(),
        (steps, batch, isTold) => {
          const database = open(null)
          let nowMs = T0
          const all = steps.map(({ gapMs, rttMs }) =>
            isTold ? told((nowMs += gapMs), rttMs ?? 7, 'x') : own((nowMs += gapMs), rttMs, 'x'),
          )
          for (let i = 0; i < all.length; i += batch) {
            const part = all.slice(i, i + batch)
            write(database, part, part.at(-1)!.atMs)
          }
          const plain = all.map(({ atMs, sent, lost, rttMs }) => ({
            atMs,
            sent,
            lost,
            rttMsP50: rttMs,
            rttMsMin: isTold ? null : rttMs,
            rttMsMax: isTold ? null : rttMs,
          }))
          for (const stepMs of [10_000, 60_000]) {
            expect(history(database, 'x', T0, nowMs + 1, stepMs)).toEqual(bucketPoints(plain, stepMs))
          }
          // Any other step: counts and extremes are exact. The bucket grid must lie on the tier's.
          const p50Free = (points: SamplePoint[]) => points.map((point) => ({ ...point, rttMsP50: 0 }))
          expect(p50Free(history(database, 'x', T0, nowMs + 1, 1_800_000))).toEqual(p50Free(bucketPoints(plain, 1_800_000)))
          const lastMs = nowMs - (nowMs % 1_000) - 15 * MINUTE_MS
          const seconds = history(database, 'x', Math.max(T0, lastMs), nowMs + 1, 1_000)
          const wanted = bucketPoints(plain, isTold ? 10_000 : 1_000).filter((point) => point.atMs >= Math.max(T0, lastMs))
          expect(seconds).toEqual(wanted)
          close(database)
        },
      ),
      { numRuns: 40 },
    )
  })

  test('seconds reach back an hour, tens a day, minutes as long as set; one answer is stitched of them without a seam', () => {
    const database = open()
    const endMs = T0 + 3 * HOUR_MS
    let sent = 0
    for (let atMs = T0; atMs < endMs; atMs += 1_000) {
      write(database, [own(atMs, 1)], atMs)
      sent++
    }
    const points = history(database, 'own', T0, endMs, 1_000)
    // More than historyPoints would be wanted, so the steps are wider; ask for less to see the seconds.
    expect(points.length).toBeLessThanOrEqual(LIMITS.historyPoints)
    expect(points.reduce((sum, point) => sum + point.sent, 0)).toBe(sent)
    const fine = history(database, 'own', endMs - 30 * MINUTE_MS, endMs, 1_000)
    expect(fine).toHaveLength(1_800)
    expect(new Set(fine.map((point) => point.sent))).toEqual(new Set([1]))
    const early = history(database, 'own', T0, T0 + 20 * MINUTE_MS, 1_000)
    expect(early).toHaveLength(120)
    expect(new Set(early.map((point) => point.sent))).toEqual(new Set([10]))
    const seam = history(database, 'own', endMs - 80 * MINUTE_MS, endMs - 55 * MINUTE_MS, 1_000)
    expect(seam.reduce((sum, point) => sum + point.sent, 0)).toBe(25 * 60)
  })

  test('what is older than its time goes', () => {
    const keep = { ...KEEP, keepSecondsMs: HOUR_MS, keepTensMs: 2 * HOUR_MS, keepMinutesMs: 3 * HOUR_MS }
    const database = open(path, keep)
    for (let atMs = T0; atMs < T0 + 6 * HOUR_MS; atMs += 10_000) write(database, [own(atMs, 1), told(atMs, 1)], atMs)
    for (const link of ['own', 'told']) {
      const [oldest] = history(database, link, T0, T0 + 6 * HOUR_MS, MINUTE_MS)
      expect(oldest!.atMs).toBeGreaterThanOrEqual(T0 + 2 * HOUR_MS + 40 * MINUTE_MS)
      expect(oldest!.atMs).toBeLessThanOrEqual(T0 + 3 * HOUR_MS)
    }
  })

  test('a late sample finds its place, whether its window is open or closed', () => {
    const database = open()
    write(database, [own(T0 + 1_000, 5)], T0 + 1_000)
    write(database, [own(T0 + 20 * MINUTE_MS, 1)], T0 + 20 * MINUTE_MS)
    write(database, [own(T0 + 1_500, 9), own(T0 + 2_000, null)], T0 + 20 * MINUTE_MS)
    const wanted = [
      { atMs: T0 + 1_000, sent: 2, lost: 0, rttMsMin: 5, rttMsP50: 5, rttMsMax: 9 },
      { atMs: T0 + 2_000, sent: 1, lost: 1, rttMsMin: null, rttMsP50: null, rttMsMax: null },
    ]
    expect(history(database, 'own', T0, T0 + 10_000, 1_000)).toEqual(wanted)
    write(database, [], T0 + 40 * MINUTE_MS)
    expect(history(database, 'own', T0, T0 + 10_000, 1_000)).toEqual(wanted)
  })

  test('a sample from another century is refused, and a clock that was set back does no harm', () => {
    const database = open()
    expect(write(database, [own(0, 1), own(T0 + 10 * DAY_MS, 1), own(T0, 1)], T0)).toBe(2)
    write(database, [own(T0 + 80 * 365 * DAY_MS, 1)], T0 + 80 * 365 * DAY_MS)
    write(database, [own(T0 + 1_000, 2)], T0 + 1_000)
    expect(history(database, 'own', 0, Number.MAX_SAFE_INTEGER, 1_000).length).toBeGreaterThan(0)
    expect(history(database, 'own', T0, T0 + 2_000, 1_000)).toMatchObject([{ rttMsP50: 1 }, { rttMsP50: 2 }].slice(-1))
  })

  test('links of others beyond the bound are refused; our own never', () => {
    const database = open(null)
    const many = Array.from({ length: LIMITS.storeToldLinks + 1 }, (_, i) => told(T0, 1, `told${i}`))
    expect(write(database, many, T0)).toBe(1)
    expect(write(database, [own(T0, 1)], T0)).toBe(0)
  })

  test('questions that make no sense have empty answers', () => {
    const database = open(null)
    write(database, [own(T0, 1)], T0)
    for (const [fromMs, toMs] of [
      [T0, T0],
      [T0 + 1, T0],
      [NaN, T0],
      [T0, Infinity],
    ] as const) {
      expect(history(database, 'own', fromMs, toMs, 1_000)).toEqual([])
    }
    expect(history(database, 'nobody', T0, T0 + 1, 1_000)).toEqual([])
  })
})

describe('the budget', { timeout: 60_000 }, () => {
  test('holds at every moment while sixteen nodes overfill it for a month, and the newest is what is left', () => {
    // The month of a 16-node grid, thinned to be quick: ten figures of each link every four hours. The budget is thinned alike.
    const keep = { ...KEEP, budgetBytes: 5 * MIB }
    const database = open(path, keep)
    const endMs = T0 + 30 * DAY_MS
    let most = 0
    for (let atMs = T0; atMs < endMs; atMs += 4 * HOUR_MS) {
      const batch = Array.from({ length: 10 * 240 }, (_, i) => {
        const sampleMs = atMs + Math.floor(i / 240) * MINUTE_MS
        const link = i % 240
        return link < 15 ? own(sampleMs, 1, `own${link}`) : told(sampleMs, 1, `told${link}`)
      })
      write(database, batch, atMs + 10 * MINUTE_MS - 1)
      const onDisk = ['', '-wal', '-shm'].reduce((sum, suffix) => sum + (statSync(path + suffix, { throwIfNoEntry: false })?.size ?? 0), 0)
      most = Math.max(most, onDisk)
    }
    expect(most).toBeLessThanOrEqual(keep.budgetBytes)
    expect(most).toBeGreaterThan(keep.budgetBytes / 2)
    // Our own links gave up nothing that others' could give up first.
    expect(history(database, 'own3', T0, endMs, 30 * MINUTE_MS)[0]!.atMs).toBeLessThan(T0 + HOUR_MS)
    const [oldestTold] = history(database, 'told20', T0, endMs, 30 * MINUTE_MS)
    expect(oldestTold!.atMs).toBeGreaterThan(T0 + DAY_MS)
    expect(oldestTold!.atMs).toBeLessThan(endMs - DAY_MS)
  })

  test('holds in memory too, and the log of an open window gives way to rows without a trace in the counts', () => {
    const keep = { ...KEEP, budgetBytes: 1 * MIB }
    const database = open(null, keep)
    for (let second = 0; second < 300; second++) {
      const atMs = T0 + second * 1_000
      write(
        database,
        Array.from({ length: 40 }, (_, i) => own(atMs, second % 10, `own${i}`)),
        atMs,
      )
      const { bytes } = database.answer({ type: 'size' }) as { bytes: number }
      expect(bytes).toBeLessThanOrEqual(keep.budgetBytes)
    }
    const points = history(database, 'own7', T0, T0 + 10 * MINUTE_MS, MINUTE_MS)
    expect(points).toHaveLength(5)
    for (const point of points) {
      expect(point).toMatchObject({ sent: 60, lost: 0, rttMsMin: 0, rttMsMax: 9 })
      // A bucket that was cut in two by the early close has the median of two medians.
      expect(Math.abs(point.rttMsP50! - 4)).toBeLessThanOrEqual(1)
    }
  })

  test('a smaller budget shrinks the file at the next write', async () => {
    const before = open(path, { ...KEEP, budgetBytes: 64 * MIB })
    for (let atMs = T0; atMs < T0 + 6 * HOUR_MS; atMs += 10 * MINUTE_MS) {
      const batch = Array.from({ length: 240 * 60 }, (_, i) => told(atMs + Math.floor(i / 240) * 10_000, 1, `t${i % 240}`))
      write(before, batch, atMs + 10 * MINUTE_MS - 1)
    }
    close(before)
    expect((await stat(path)).size).toBeGreaterThan(5 * MIB)
    const keep = { ...KEEP, budgetBytes: 5 * MIB }
    const after = open(path, keep)
    write(after, [own(T0 + 6 * HOUR_MS, 1)], T0 + 6 * HOUR_MS)
    expect((after.answer({ type: 'size' }) as { bytes: number }).bytes).toBeLessThanOrEqual(keep.budgetBytes)
    expect((await stat(path)).size).toBeLessThanOrEqual(keep.budgetBytes)
  })
})

test.each([
  ['is no database', () => writeFile(path, 'this is no database, '.repeat(1_000))],
  ['was made by a newer program', async () => tamper('PRAGMA user_version = 99')],
])('a file that %s is refused as beyond use', async (_what, spoil) => {
  close(open())
  await spoil()
  let thrown: unknown
  try {
    open()
  } catch (error) {
    thrown = error
  }
  expect(isBeyondUse(thrown)).toBe(true)
})

test('a folder that is not there is no damage', () => {
  expect(() => open(join(dir, 'none', 'midwatch.db'))).toThrow(expect.toSatisfy((error) => !isBeyondUse(error)))
})
