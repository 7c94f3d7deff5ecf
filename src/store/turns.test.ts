import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LIMITS, linkKey, type JournalEvent, type LinkState } from '../contract/index.ts'
import { createManualClock, type ManualClock } from '../../test/support/manual-clock.ts'
import { openStore } from './index.ts'
import { createQueue } from './queue.ts'
import type { Store } from './types.ts'

let clock: ManualClock
let store: Store
beforeEach(async () => {
  clock = createManualClock()
  store = await openStore({
    dir: null,
    clock,
    budgetBytes: 2 ** 24,
    keepSecondsMs: 1e9,
    keepTensMs: 1e9,
    keepMinutesMs: 1e9,
    onError: (error) => {
      throw error
    },
  })
})
afterEach(() => store.close())

function turn(fromNode: string, toName: string, to: LinkState): JournalEvent {
  return { type: 'link.changed', fromNode, toName, toType: 'node', kind: 'udp', from: 'up', to, dead: null, detail: null }
}
const startMs = Date.parse('2026-01-01T00:00:00Z')

describe('turns of a link', () => {
  test('are its own, since then, newest first, and no more than asked for', async () => {
    for (let n = 0; n < LIMITS.historyTurns + 1; n++) {
      store.append(turn('a', 'b', n % 2 === 0 ? 'down' : 'up'))
      store.append(turn('b', 'a', 'down'))
      await clock.advance(1_000)
    }
    store.append({ type: 'node.stopped', reason: 'it is late' })
    const all = await store.turns('a', 'b', startMs, LIMITS.historyTurns)
    expect(all.length).toBe(LIMITS.historyTurns)
    expect(all[0]!.at > all[1]!.at).toBe(true)
    for (const { event } of all) expect(event).toMatchObject({ fromNode: 'a', toName: 'b' })
    expect(await store.turns('a', 'b', clock.wallMs() - 10_000, LIMITS.historyTurns)).toHaveLength(10)
    expect(await store.turns('a', linkKey('a', 'node', 'b'), startMs, 10)).toEqual([])
  })
})

describe('moments', () => {
  test('are the steps in which something changed, at most so many, with the last time of each', async () => {
    for (let n = 0; n < 2_000; n++) {
      store.append(turn('a', 'b', n % 4 === 0 ? 'down' : 'up'))
      await clock.advance(1_700)
    }
    store.append({ type: 'node.stopped', reason: 'no change of the graph' })
    const { moments } = await store.moments(startMs, clock.wallMs() + 1, LIMITS.pastMoments)
    expect(moments.length).toBeLessThanOrEqual(LIMITS.pastMoments)
    expect(moments.length).toBeGreaterThan(LIMITS.pastMoments / 2)
    expect(moments.reduce((sum, { changes }) => sum + changes, 0)).toBe(2_000)
    expect(moments.reduce((sum, { bad }) => sum + bad, 0)).toBe(500)
    expect(moments.at(-1)!.atMs).toBe(startMs + 1_999 * 1_700)
    expect((await store.moments(startMs + 60_000, startMs + 70_000, 600)).moments.length).toBe(6)
    expect((await store.moments(startMs + 1, startMs, 600)).moments).toEqual([])
  })
})

describe('the journal until a time', () => {
  test('is what was written by then', async () => {
    for (let n = 0; n < 40; n++) {
      store.append(turn('a', 'b', 'down'))
      await clock.advance(1_000)
    }
    const seqs = async (query: Parameters<Store['journal']>[0]): Promise<number[]> => (await store.journal(query)).map(({ seq }) => seq)
    expect(await seqs({ limit: 2, untilMs: startMs + 9_999 })).toEqual([10, 9])
    expect(await seqs({ limit: 2, untilMs: startMs + 10_000 })).toEqual([11, 10])
    expect(await seqs({ limit: 2, untilMs: startMs - 1 })).toEqual([])
    expect(await seqs({ limit: 2, untilMs: clock.wallMs() })).toEqual([40, 39])
    expect(await seqs({ limit: 2, before: 5, untilMs: startMs + 9_999 })).toEqual([4, 3])
  })
})

test('figures at a time are those of the minute before it: of the open window, of one just closed, and of long ago', async () => {
  const card = { self: 'a'.repeat(32), grid: 'calm-otter' }
  const run = (): boolean => store.keepFact({ kind: 'run', runMs: startMs, atMs: clock.wallMs(), json: JSON.stringify(card) })
  const figuresAt = async (atMs: number): Promise<unknown> => {
    const found = await store.factsAt(atMs)
    return found.type === 'facts' && found.figures.map(({ link, lossRatio, rttMsP50 }) => [link, lossRatio, rttMsP50])
  }
  const measure = async (seconds: number, ok: boolean, rttMs: number): Promise<void> => {
    for (let n = 0; n < seconds; n += 10) {
      store.record({ link: 'own', atMs: clock.wallMs(), ok, rttMs: ok ? rttMs : null })
      store.recordSketch({ link: 'told', atMs: clock.wallMs(), sent: 100, lost: 25, rttMsP50: 7 })
      await clock.advance(10_000)
    }
    run()
  }
  run()
  await measure(300, true, 2)
  await measure(60, false, 0)
  await measure(120, true, 4)
  const expected = async (): Promise<void> => {
    expect(await figuresAt(startMs + 290_000)).toEqual([
      ['own', 0, 2],
      ['told', 0.25, 7],
    ])
    expect(await figuresAt(startMs + 359_000)).toMatchObject([
      ['own', 1, null],
      ['told', 0.25, 7],
    ])
    expect(await figuresAt(startMs + 479_000)).toMatchObject([
      ['own', 0, 4],
      ['told', 0.25, 7],
    ])
  }
  await expected()
  await clock.advance(900_000)
  await measure(20, true, 9)
  await store.flush()
  await expected()
  expect(await figuresAt(startMs + 800_000)).toEqual([])
})

test('facts that wait are bounded by what they weigh; one more is refused, and there is room when they are written', () => {
  const queue = createQueue()
  const fact = (json: string) => ({ kind: 'whole', runMs: 1, atMs: 1, identity: 'a', hash: 'b', json }) as const
  expect(queue.addFact(fact('x'.repeat(LIMITS.storeFactsChars)))).toBe(true)
  expect(queue.addFact(fact('x'))).toBe(false)
  expect(queue.take(true)?.facts).toHaveLength(1)
  queue.written(0)
  expect(queue.addFact(fact('x'))).toBe(true)
})
