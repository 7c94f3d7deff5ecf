import { mkdtemp, rm } from 'node:fs/promises'
import { statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { SamplePoint } from '../contract/index.ts'
import { openDatabase } from './database.ts'
import { canonicalJson } from './journal.ts'
import type { KeptNode } from './kept.ts'
import type { Answers, QueuedEvent, QueuedFact, QueuedSample, FactsAt } from './messages.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const MIB = 2 ** 20
const T0 = Date.UTC(2026, 0, 5)

/**
 * The life of a node, thinned: one window of ten minutes in each step, 16 links instead of 240, and a budget that is as much smaller. MONTHS_STEP_MIN=10
 * leaves out no window, MONTHS=12 makes it a year.
 */
const STEP_MS = Number(process.env['MONTHS_STEP_MIN'] ?? 240) * MINUTE_MS
const MONTHS = Number(process.env['MONTHS'] ?? 3.5)
const OWN = 4
const LINKS = 16
const NODES = 6
const EVENTS_A_STEP = 20

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'midwatch-months-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

/** A figure of each link each 10 s for ten minutes. */
function samplesFrom(atMs: number): QueuedSample[] {
  return Array.from({ length: 60 * LINKS }, (_, i) => {
    const link = i % LINKS
    const sampleMs = atMs + Math.floor(i / LINKS) * 10_000
    const lost = i % 97 === 0 ? 1 : 0
    return { link: `link${link}`, told: link >= OWN, atMs: sampleMs, sent: 1, lost, rttMs: lost ? null : 1 + (i % 7) / 10 }
  })
}

function eventsFrom(atMs: number): QueuedEvent[] {
  return Array.from({ length: EVENTS_A_STEP }, (_, i) => {
    const [from, to] = i % 2 === 0 ? ['up', 'down'] : ['down', 'up']
    const event = {
      type: 'link.changed',
      fromNode: 'fra-1',
      toName: `n${i % 5}`,
      toType: 'node',
      kind: 'udp',
      from,
      to,
      dead: null,
      detail: 'no answer',
    }
    return { atMs: atMs + i * 15_000, json: canonicalJson(event) }
  })
}

const hex = (n: number): string => n.toString(16).padStart(32, '0')
const CARD = JSON.stringify({ self: hex(1), grid: 'calm-otter' })
/** What a node says at a step: its version tells which. */
function nodeAt(n: number, step: number): KeptNode {
  const links = Array.from({ length: NODES }, (_, to) => ({
    toType: 'node',
    to: hex(to + 1),
    kind: 'udp',
    state: (step + to) % 3 === 0 ? 'down' : 'up',
    dead: null,
    sinceMs: T0 + step * 1e3 + to,
    detail: null,
    address: null,
    site: null,
  }))
  return {
    identity: hex(n),
    id: `n${n}`,
    site: 'fra',
    address: '192.0.2.1:8777',
    program: '0.2.0',
    state: 'up',
    sinceMs: T0,
    incarnation: 1,
    version: step,
    degraded: [],
    lies: [],
    links,
  } as unknown as KeptNode
}
/** Each node whole once a step, and turns of one link in between. */
function factsFrom(atMs: number, step: number): QueuedFact[] {
  const facts: QueuedFact[] = [{ kind: 'run', runMs: T0, atMs, json: CARD }]
  for (let n = 1; n <= NODES; n++) {
    facts.push({ kind: 'whole', runMs: T0, atMs, identity: hex(n), hash: hex(step), json: JSON.stringify(nodeAt(n, step)) })
    for (let turn = 1; turn <= 12; turn++) {
      const json = JSON.stringify({ links: [{ ...nodeAt(n, step).links[0], detail: `turn ${turn}` }] })
      facts.push({ kind: 'change', runMs: T0, atMs: atMs + turn * 10_000, identity: hex(n), hash: hex(step), json })
    }
  }
  return [...facts, { kind: 'run', runMs: T0, atMs: atMs + 11 * MINUTE_MS, json: CARD }]
}

// 16 MB is the least that the settings take, and here room for all that is kept by age; the others press on journal and past too.
test.each([5, 7, 16])('months of a node hold in %i MB, and what is kept can be asked for', { timeout: 600_000 }, (budgetMb) => {
  const path = join(dir, 'midwatch.db')
  const keep = { budgetBytes: budgetMb * MIB, keepSecondsMs: HOUR_MS, keepTensMs: DAY_MS, keepMinutesMs: 30 * DAY_MS }
  const database = openDatabase(path, keep, (message) => expect.fail(message))
  const ask = <T extends keyof Answers>(question: Parameters<typeof database.answer>[0] & { type: T }): Answers[T] =>
    database.answer(question) as Answers[T]
  const onDisk = (): number =>
    ['', '-wal', '-shm'].reduce((sum, suffix) => sum + (statSync(path + suffix, { throwIfNoEntry: false })?.size ?? 0), 0)
  const history = (link: number, fromMs: number, toMs: number, stepMs: number): SamplePoint[] =>
    ask({ type: 'history', link: `link${link}`, fromMs, toMs, stepMs })
  let most = 0

  function checkAll(nowMs: number, step: number): void {
    // The journal: whole, from where it now begins.
    const check = ask({ type: 'check', from: null })
    let part = check
    while (!part.done) part = ask({ type: 'check', from: part.last })
    expect([part.broken, part.last.seq]).toEqual([null, (step + 1) * EVENTS_A_STEP])
    expect(ask({ type: 'turns', pair: 'fra-1>n3', from: new Date(nowMs - HOUR_MS).toISOString(), limit: 10 }).length).toBeGreaterThan(0)
    // Each tier has the newest window, and answers for what is older.
    const lastMs = T0 + step * STEP_MS
    for (const [link, stepMs] of [
      [0, 1_000],
      [0, 10_000],
      [0, 60_000],
      [9, 10_000],
      [9, 60_000],
    ] as const) {
      const points = history(link, lastMs, lastMs + 10 * MINUTE_MS, stepMs)
      expect(points.reduce((sum, { sent }) => sum + sent, 0)).toBe(60)
    }
    expect(history(0, nowMs - 30 * DAY_MS, nowMs, 30 * MINUTE_MS).length).toBeGreaterThan(0)
    // The past: of its oldest time, of the newest, and of none before.
    const { oldestMs, moments } = ask({ type: 'moments', fromMs: null, toMs: nowMs, count: 600 })
    expect(moments.length).toBeGreaterThan(0)
    expect(oldestMs).toBeGreaterThanOrEqual(Math.max(T0, nowMs - 31 * DAY_MS))
    expect(oldestMs).toBeLessThanOrEqual(Math.max(T0, nowMs - DAY_MS))
    for (const atMs of [oldestMs!, nowMs - MINUTE_MS]) {
      const found = ask({ type: 'facts', atMs }) as FactsAt & { type: 'facts' }
      expect([found.type, found.nodes?.length]).toEqual(['facts', NODES])
      const then = Math.floor((atMs - T0) / STEP_MS)
      expect(found.nodes.map(({ version }) => version)).toEqual(Array.from({ length: NODES }, () => then))
    }
    expect(ask({ type: 'facts', atMs: oldestMs! - 1 }).type).toBe('none')
  }

  const steps = Math.floor((MONTHS * 30 * DAY_MS) / STEP_MS)
  for (let step = 0; step < steps; step++) {
    const atMs = T0 + step * STEP_MS
    const nowMs = atMs + 11 * MINUTE_MS
    database.write(eventsFrom(atMs), samplesFrom(atMs), nowMs, factsFrom(atMs, step))
    most = Math.max(most, onDisk())
    database.upkeep(nowMs)
    most = Math.max(most, onDisk())
    if (step % Math.ceil(steps / 8) === 0 || step === steps - 1) checkAll(nowMs, step)
  }
  expect(most).toBeLessThanOrEqual(keep.budgetBytes)
  const { oldestMs } = ask({ type: 'moments', fromMs: null, toMs: T0, count: 1 })
  const reachDays = (T0 + steps * STEP_MS - oldestMs!) / DAY_MS
  const retired = ask({ type: 'check', from: null }).from.seq
  // Under pressure the past and the journal give way, but never their newest; with room the past goes by age alone.
  if (budgetMb < 6) expect(retired).toBeGreaterThan(0)
  if (budgetMb < 6) expect(reachDays).toBeLessThan(29)
  if (budgetMb > 10) expect([retired, Math.round(reachDays)]).toEqual([0, 30])
  database.answer({ type: 'close' })
})
