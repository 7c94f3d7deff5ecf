import { DatabaseSync } from 'node:sqlite'
import * as fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { applyChange, changeOf, packRecord, unpackRecord } from './facts.ts'
import { KeptNode } from './kept.ts'
import type { FactsAt, QueuedFact } from './messages.ts'
import { openPast, type PastTables } from './past.ts'
import { MIGRATIONS } from './schema.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const KEEP = { budgetBytes: 64 * 2 ** 20, keepSecondsMs: HOUR_MS, keepTensMs: DAY_MS, keepMinutesMs: 30 * DAY_MS }
const T0 = Date.UTC(2026, 0, 5)
const CARD = JSON.stringify({ self: 'a'.repeat(32), grid: 'calm-otter' })

const identityOf = (n: number): string => n.toString(16).padStart(32, '0')
const hashOf = (n: number): string => n.toString(16).padStart(32, '0')

const aLink = fc.record({
  toType: fc.constantFrom('node', 'target'),
  to: fc.integer({ min: 1, max: 6 }).map((n) => `n${n}`),
  kind: fc.constantFrom('udp', 'http'),
  state: fc.constantFrom('up', 'down', 'one-way', 'lossy'),
  dead: fc.constantFrom(null, 'in', 'out'),
  sinceMs: fc.option(fc.integer({ min: 0, max: 9_999_999_999 })),
  detail: fc.option(fc.string({ maxLength: 20 })),
  address: fc.option(fc.string({ maxLength: 20 })),
  site: fc.constantFrom(null, 'fra'),
})
const aNode = fc
  .record({
    id: fc.constantFrom('a', 'b'),
    site: fc.constantFrom('fra', 'ams'),
    address: fc.constantFrom(null, '192.0.2.1:8777'),
    program: fc.constant('0.2.0'),
    state: fc.constantFrom('up', 'suspect', 'down', 'left'),
    sinceMs: fc.option(fc.nat()),
    incarnation: fc.nat(9),
    version: fc.nat(99),
    degraded: fc.subarray(['hears-nobody', 'busy']),
    lies: fc.subarray(['two-rows', 'too-large']),
    links: fc.array(aLink, { maxLength: 8 }),
  })
  .map((node) => KeptNode.parse({ identity: identityOf(1), ...node }))

/** Links in one order, of two to one destination the first. */
function settled({ links, ...card }: KeptNode): unknown {
  const known = new Map<string, unknown>()
  for (const link of links) if (!known.has(`${link.toType}:${link.to}`)) known.set(`${link.toType}:${link.to}`, link)
  return { ...card, links: [...known].sort(([a], [b]) => (a < b ? -1 : 1)) }
}

describe('what changed of a node', () => {
  test('makes the later out of the earlier, and is nothing where nothing did', () => {
    fc.assert(
      fc.property(aNode, aNode, (before, after) => {
        const change = changeOf(before, after)
        if (change) expect(settled(applyChange(before, JSON.parse(JSON.stringify(change))))).toEqual(settled(after))
        else expect(settled(before)).toEqual(settled(after))
        expect(changeOf(before, { ...before, links: before.links.toReversed().toReversed() })).toBeNull()
      }),
    )
  })

  test('costs bytes, not kilobytes: one link of two hundred that turns', () => {
    const links = Array.from({ length: 200 }, (_, n) => ({
      toType: 'node' as const,
      to: packRecord(`node ${n}`)
        .reduce((hex, byte) => hex + byte.toString(16), '')
        .slice(0, 32)
        .padEnd(32, '7'),
      kind: 'udp' as const,
      state: 'up' as const,
      dead: null,
      sinceMs: T0 + n * 77e3,
      detail: null,
      address: null,
      site: null,
    }))
    const before = KeptNode.parse({
      identity: identityOf(1),
      id: 'fra-1',
      site: 'fra',
      address: '192.0.2.1:8777',
      program: '0.2.0',
      state: 'up',
      sinceMs: T0,
      incarnation: 3,
      version: 1234,
      degraded: [],
      lies: [],
      links,
    })
    const turned = links.map((link, n) => (n === 77 ? { ...link, state: 'down' as const, sinceMs: T0 + DAY_MS } : link))
    const change = packRecord(JSON.stringify(changeOf(before, { ...before, version: 1_235, links: turned })))
    expect(change.byteLength).toBeLessThan(90)
    expect(packRecord(JSON.stringify(before)).byteLength).toBeLessThan(12_000)
  })

  test('records are read as they were written', () => {
    fc.assert(fc.property(fc.string(), (text) => unpackRecord(packRecord(text)) === text))
  })
})

let past: PastTables
beforeEach(() => {
  const db = new DatabaseSync(':memory:')
  for (const sql of MIGRATIONS) db.exec(sql)
  past = openPast(db, KEEP)
})

function run(runMs: number, atMs = runMs): QueuedFact {
  return { kind: 'run', runMs, atMs, json: CARD }
}
function fact(kind: 'whole' | 'change' | 'gone', runMs: number, atMs: number, n: number, value: object = {}): QueuedFact {
  return { kind, runMs, atMs, identity: identityOf(n), hash: hashOf(atMs - T0), json: JSON.stringify(value) }
}
const node = (n: number, version = 1): KeptNode =>
  KeptNode.parse({
    identity: identityOf(n),
    id: `n${n}`,
    site: 'fra',
    address: null,
    program: '0.2.0',
    state: 'up',
    sinceMs: null,
    incarnation: 1,
    version,
    degraded: [],
    lies: [],
    links: [],
  })
const versionsAt = (atMs: number): Record<string, number> | string => {
  const found = past.at(atMs)
  return found.type === 'facts' ? Object.fromEntries(found.nodes.map(({ id, version }) => [id, version])) : found.type
}

describe('what was known at a time', () => {
  test('is the last whole record with the changes since, of each node that was there', () => {
    past.write([
      run(T0),
      fact('whole', T0, T0, 1, node(1)),
      fact('change', T0, T0 + 1_000, 1, { card: { version: 2 } }),
      fact('whole', T0, T0 + 1_500, 2, node(2)),
      fact('change', T0, T0 + 2_000, 1, { card: { version: 3 } }),
      fact('gone', T0, T0 + 3_000, 2),
      run(T0, T0 + 9_000),
    ])
    expect(versionsAt(T0 - 1)).toBe('none')
    expect(versionsAt(T0)).toEqual({ n1: 1 })
    expect(versionsAt(T0 + 1_999)).toEqual({ n1: 2, n2: 1 })
    expect(versionsAt(T0 + 2_000)).toEqual({ n1: 3, n2: 1 })
    expect(versionsAt(T0 + 3_000)).toEqual({ n1: 3 })
    expect(past.at(T0 + 2_500)).toMatchObject({ hash: hashOf(2_000), card: CARD })
    expect(past.at(T0 + 8_000)).toMatchObject({ hash: hashOf(3_000) })
  })

  test('nothing, where this node was not running; the answer says from when to when', () => {
    past.write([run(T0), fact('whole', T0, T0, 1, node(1)), run(T0, T0 + 60_000)])
    const again = T0 + 300_000
    past.write([run(again), fact('whole', again, again, 2, node(2)), run(again, again + 60_000)])
    expect(versionsAt(T0 + 60_000)).toEqual({ n1: 1 })
    expect(past.at(T0 + 61_000)).toEqual({ type: 'gap', fromMs: T0 + 60_000, toMs: again, oldestMs: T0 } satisfies FactsAt)
    expect(versionsAt(again)).toEqual({ n2: 1 })
    expect(past.at(again + 61_000)).toEqual({ type: 'gap', fromMs: again + 60_000, toMs: null, oldestMs: T0 } satisfies FactsAt)
  })

  test('a run that begins as another ends leaves no gap', () => {
    past.write([run(T0, T0), fact('whole', T0, T0, 1, node(1)), run(T0, T0 + 60_000), run(T0 + 61_000)])
    expect(versionsAt(T0 + 60_500)).toEqual({ n1: 1 })
  })

  test('what is told twice counts once, and what builds on nothing is left out', () => {
    const facts = [run(T0), fact('whole', T0, T0, 1, node(1)), fact('change', T0, T0 + 1_000, 1, { card: { version: 2 } })]
    past.write(facts)
    past.write(facts)
    past.write([fact('change', T0 + 5_000, T0 + 6_000, 1, { card: { version: 9 } }), run(T0, T0 + 9_000)])
    expect(versionsAt(T0 + 8_000)).toEqual({ n1: 2 })
  })
})

describe('what is given up', () => {
  const someFacts = fc.array(
    fc.record({
      waitMs: fc.integer({ min: 1, max: 10 * HOUR_MS }),
      n: fc.integer({ min: 1, max: 4 }),
      what: fc.constantFrom('whole', 'change', 'gone', 'restart'),
    }),
    { minLength: 1, maxLength: 60 },
  )

  test('takes nothing from the times after it, and counts its bytes back', () => {
    fc.assert(
      fc.property(someFacts, fc.float({ min: 0, max: 1, noNaN: true }), (story, share) => {
        const db = new DatabaseSync(':memory:')
        for (const sql of MIGRATIONS) db.exec(sql)
        past = openPast(db, KEEP)
        let [runMs, atMs] = [T0, T0]
        const there = new Map<number, number>()
        const times: number[] = []
        past.write([run(T0)])
        for (const { waitMs, n, what } of story) {
          atMs += waitMs
          const version = there.get(n)
          if (what === 'restart') {
            runMs = atMs
            there.clear()
            past.write([run(runMs)])
          } else if (what === 'gone' && version !== undefined) {
            there.delete(n)
            past.write([fact('gone', runMs, atMs, n)])
          } else {
            there.set(n, (version ?? 0) + 1)
            const isWhole = what === 'whole' || version === undefined
            past.write([
              isWhole
                ? fact('whole', runMs, atMs, n, node(n, version === undefined ? 1 : version + 1))
                : fact('change', runMs, atMs, n, { card: { version: version + 1 } }),
            ])
          }
          times.push(atMs, atMs + 1)
        }
        past.write([run(runMs, atMs + 1)])
        const before = new Map(times.map((time) => [time, versionsAt(time)]))
        const untilMs = Math.round(T0 + (atMs - T0) * share)
        const bytes = past.bytes()
        past.dropOld(untilMs + KEEP.keepMinutesMs)
        expect(past.bytes()).toBeLessThanOrEqual(bytes)
        for (const [time, said] of before) {
          if (time >= untilMs) expect(versionsAt(time)).toEqual(said)
          else if (time < past.oldestMs()!) expect(versionsAt(time)).toBe('none')
        }
        past.dropOld(atMs + 2 * HOUR_MS + KEEP.keepMinutesMs)
        expect([past.bytes(), past.oldestMs(), db.prepare('SELECT count(*) AS n FROM facts').get()!['n']]).toEqual([0, null, 0])
      }),
      { numRuns: 60 },
    )
  })
})
