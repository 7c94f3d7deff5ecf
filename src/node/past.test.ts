import * as fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Graph, Identity, type NodeState } from '../contract/index.ts'
import type { Grid } from '../grid/index.ts'
import { mergeGraph } from '../judge/index.ts'
import { systemClock } from '../platform/index.ts'
import { openStore, type KeptNode, type Store } from '../store/index.ts'
import { createManualClock, type ManualClock } from '../../test/support/manual-clock.ts'
import { cardOf } from './facts.ts'
import { graphAt, pastBetween } from './past.ts'
import { Recorder } from './recorder.ts'

type Row = Grid['row']
const identityOf = (n: number): Identity => Identity.parse(n.toString(16).padStart(32, '0'))
const SELF = identityOf(0)

/** Rows and members as a grid holds them, to be changed by hand. */
function createFakeGrid() {
  const rows = new Map<Identity, Row>()
  const states = new Map<Identity, NodeState>()
  let turns = 0
  const grid = {
    self: SELF,
    table: {
      get: (identity: Identity) => (rows.has(identity) ? { row: rows.get(identity) as Row } : undefined),
      identities: () => [...rows.keys()].sort(),
      hash: () => Buffer.from((++turns).toString(16).padStart(32, '0'), 'hex'),
    },
    member: (identity: Identity) => ({ state: states.get(identity) ?? 'up', sinceMs: 1_000 }),
    lies: () => [],
  }
  return {
    grid: grid as unknown as Grid,
    /** A row of the next version. */
    say(n: number, links: readonly [to: number, state: 'up' | 'down' | 'lossy'][], id = `n${n}`): void {
      const identity = identityOf(n)
      rows.set(identity, {
        identity,
        publicKey: new Uint8Array(32),
        incarnation: 1,
        version: (rows.get(identity)?.version ?? 0) + 1,
        id,
        site: 'fra',
        address: null,
        program: '0.2.0',
        left: false,
        degraded: [],
        links: links.map(([to, state]) => ({
          toType: 'node',
          to: identityOf(to),
          kind: 'udp',
          state,
          dead: null,
          sinceMs: 2e3,
          detail: null,
          address: null,
          site: null,
        })),
      })
    },
    member: (n: number, state: NodeState): void => void states.set(identityOf(n), state),
    forget: (n: number): void => void rows.delete(identityOf(n)),
    known: (): KeptNode[] => [...rows.values()].map((row) => ({ ...cardOf(grid as unknown as Grid, row), links: row.links })),
    lastHash: (): string => turns.toString(16).padStart(32, '0'),
  }
}

let store: Store
beforeAll(async () => {
  store = await openStore({
    dir: null,
    clock: systemClock,
    budgetBytes: 2 ** 24,
    keepSecondsMs: 1e9,
    keepTensMs: 1e9,
    keepMinutesMs: 0xe8d4a51000,
    onError: (error) => {
      throw error
    },
  })
})
afterAll(() => store.close())

/** Each scene has a time of its own in the one store. */
let scenes = 0
type Scene = ReturnType<typeof createFakeGrid> & { clock: ManualClock; recorder: Recorder; at(atMs: number): Promise<Graph> }
function createScene(keepFact: Store['keepFact'] = (fact) => store.keepFact(fact)): Scene {
  const clock = createManualClock(Date.UTC(2026, 0, 1) + scenes++ * 30 * 86_400_000)
  const fake = createFakeGrid()
  const grid = fake.grid
  const recorder = new Recorder({ clock, store: { keepFact }, grid: () => grid, gridName: () => 'calm-otter' })
  const options = { clock, store, recorder, simulated: false }
  return { ...fake, clock, recorder, at: (atMs) => graphAt(atMs, options) }
}

/** The graph of facts, as it should be. */
function merged(nodes: readonly KeptNode[]): Pick<Graph, 'nodes' | 'links'> {
  const { nodes: shown, links } = mergeGraph({
    self: SELF,
    staleAfterMs: Infinity,
    nodes: nodes.map((node) => ({
      ...node,
      rowAgeMs: 0,
      links: node.links.map((link) => ({
        ...link,
        lossRatio: null,
        rttMsP50: null,
      })),
    })),
  })
  return { nodes: shown, links }
}

const step = fc.record({
  waitMs: fc.oneof(fc.integer({ min: 1_100, max: 60_000 }), fc.integer({ min: 3_600_000, max: 9 * 3_600_000 })),
  doings: fc.array(
    fc.record({
      n: fc.integer({ min: 0, max: 4 }),
      what: fc.constantFrom('say', 'say', 'say', 'down', 'up', 'forget', 'rename'),
      links: fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.constantFrom('up' as const, 'down' as const, 'lossy' as const)), {
        selector: ([to]) => to,
        maxLength: 4,
      }),
    }),
    { minLength: 1, maxLength: 4 },
  ),
})

function perform(
  { say, member, forget, recorder }: Scene,
  { n, what, links }: { n: number; what: string; links: [number, 'up' | 'down' | 'lossy'][] },
): void {
  if (what === 'say') say(n, links)
  else if (what === 'rename') say(n, links, `n${(n + 1) % 5}`)
  else if (what === 'forget' && n !== 0) forget(n)
  else if (n !== 0) member(n, what === 'down' ? 'down' : 'up')
  recorder.noticed(identityOf(n))
}

describe('the graph at a time', () => {
  test('is what judge made of the facts as they were then, whatever happened', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 15 }), async (story) => {
        const scene = createScene()
        scene.say(0, [])
        scene.recorder.start()
        const beginMs = scene.clock.wallMs()
        const known = [{ atMs: beginMs, nodes: scene.known(), hash: scene.lastHash() }]
        for (const { waitMs, doings } of story) {
          await scene.clock.advance(waitMs)
          for (const doing of doings) perform(scene, doing)
          known.push({ atMs: scene.clock.wallMs(), nodes: scene.known(), hash: scene.lastHash() })
        }
        await scene.clock.advance(5_000)
        for (const [i, { atMs, nodes, hash }] of known.entries()) {
          const untilMs = known[i + 1]?.atMs ?? scene.clock.wallMs()
          for (const time of [atMs, untilMs - 1]) {
            const graph = Graph.parse(await scene.at(time))
            expect(graph).toMatchObject({ ...merged(nodes), at: new Date(time).toISOString(), grid: 'calm-otter' })
            // A hash counts from the time at which something that is kept became different.
            if (JSON.stringify(known[i - 1]?.nodes) !== JSON.stringify(nodes)) expect(graph.hash).toBe(hash)
          }
        }
        scene.recorder.stop()
      }),
      { numRuns: 15 },
    )
  })

  test('is none before the first, in the future, and while this node was not running', async () => {
    const scene = createScene()
    scene.say(0, [])
    const startMs = scene.clock.wallMs()
    scene.recorder.start()
    await scene.clock.advance(60_000)
    scene.recorder.stop()
    await scene.clock.advance(600_000)
    scene.recorder.start()
    const againMs = scene.clock.wallMs()
    await scene.clock.advance(60_000)
    const refusal = (atMs: number): Promise<unknown> => scene.at(atMs).catch((error: unknown) => error)
    expect(await refusal(againMs + 3_600_000)).toMatchObject({ code: 'MW_NO_PAST', message: expect.stringContaining('has not come yet') })
    expect(await refusal(startMs + 120_000)).toMatchObject({
      code: 'MW_NO_PAST',
      message: expect.stringContaining(
        `not running from ${new Date(startMs + 60_000).toISOString()} to ${new Date(againMs).toISOString()}`,
      ),
    })
    expect(await scene.at(againMs)).toMatchObject({ self: 'n0' })
    // The one store holds what other scenes wrote before.
    expect(await refusal(Date.UTC(1999, 0, 1))).toMatchObject({ code: 'MW_NO_PAST', message: expect.stringContaining('reaches back to') })
    scene.recorder.stop()
  })

  test('begins anew where the wall clock goes back', async () => {
    const scene = createScene()
    scene.say(0, [])
    scene.say(1, [[0, 'up']])
    scene.recorder.start()
    await scene.clock.advance(10_000)
    const back = { ...scene.clock, wallMs: () => scene.clock.wallMs() - 7_200_000 }
    const recorder = new Recorder({ clock: back, store, grid: () => scene.grid, gridName: () => 'calm-otter' })
    recorder.start()
    scene.say(1, [[0, 'down']])
    recorder.noticed(identityOf(1))
    await scene.clock.advance(2_000)
    const graph = await graphAt(back.wallMs(), { clock: back, store, recorder, simulated: false })
    expect(graph.links.map(({ state }) => state)).toEqual(['down'])
    for (const each of [recorder, scene.recorder]) each.stop()
  })
})

describe('writing down', () => {
  let facts: Parameters<Store['keepFact']>[0][]
  let full: boolean
  let scene: Scene
  beforeEach(() => {
    facts = []
    full = false
    scene = createScene((fact) => {
      if (!full) facts.push(fact)
      return !full
    })
    scene.say(0, [])
    scene.say(
      1,
      Array.from({ length: 60 }, (_, n) => [n + 2, 'up']),
    )
    scene.recorder.start()
  })
  const records = () => facts.filter(({ kind }) => kind !== 'run')
  const flap = (n: number): void => {
    scene.say(
      1,
      Array.from({ length: 60 }, (_, to) => [to + 2, to === 7 && n % 2 === 0 ? 'down' : 'up']),
    )
    scene.recorder.noticed(identityOf(1))
  }

  test('a link that flaps costs one small record a second, and a whole one of 64', async () => {
    await scene.clock.advance(1_000)
    facts = []
    for (let n = 0; n < 2_000; n++) {
      flap(n)
      await scene.clock.advance(100)
    }
    const sizes = records().map(({ json }) => json.length)
    expect(sizes.length).toBeLessThanOrEqual(201)
    expect(sizes.length).toBeGreaterThan(180)
    expect(sizes.filter((size) => size > 300).length).toBeLessThanOrEqual(4)
  })

  test('a node that turns everything all the time is written down ever less', async () => {
    for (let n = 0; n < 600; n++) {
      scene.say(
        1,
        Array.from({ length: 300 }, (_, to) => [to + 2, n % 2 === 0 ? 'down' : 'up']),
      )
      scene.recorder.noticed(identityOf(1))
      await scene.clock.advance(1_000)
    }
    // An allowance at once, one character a millisecond after that, and the last record may go beyond.
    expect(records().reduce((sum, { json }) => sum + json.length, 0)).toBeLessThan(262_144 + 600_000 + 60_000)
  })

  test('a node that is as it was costs nothing, and that this node is there little', async () => {
    await scene.clock.advance(1_000)
    facts = []
    for (let n = 0; n < 60; n++) {
      scene.recorder.noticed(identityOf(1))
      await scene.clock.advance(1_000)
    }
    expect(records()).toEqual([])
    expect(facts.length).toBe(6)
  })

  test('what the store cannot take ends the run; the next one begins whole', async () => {
    await scene.clock.advance(2_000)
    full = true
    flap(0)
    await scene.clock.advance(30_000)
    full = false
    facts = []
    const beginMs = scene.clock.wallMs()
    await scene.clock.advance(30_000)
    expect(records().map(({ kind }) => kind)).toEqual(['whole', 'whole'])
    expect(facts[0]?.runMs).toBeGreaterThanOrEqual(beginMs)
  })

  test('of a thousand nodes at once some are written down at a time', async () => {
    for (let n = 2; n < 1_000; n++)
      scene.say(
        n,
        Array.from({ length: 20 }, (_, to) => [to, 'up']),
      )
    await scene.clock.advance(2_000)
    facts = []
    for (let n = 2; n < 1_000; n++) scene.recorder.noticed(identityOf(n))
    await scene.clock.advance(25)
    expect(records().length).toBeLessThan(250)
    await scene.clock.advance(1_000)
    expect(records().length).toBe(998)
  })
})

test('the past tells how far back it reaches, and when something changed', async () => {
  const clock = createManualClock()
  const asked: unknown[] = []
  const moments = async (...question: unknown[]) => {
    asked.push(question)
    return { oldestMs: clock.wallMs() - 60_000, moments: [{ atMs: clock.wallMs() - 1_000, changes: 3, bad: 1 }] }
  }
  const options = { clock, store: { ...store, moments }, recorder: { catchUp: () => {} }, simulated: false }
  expect(await pastBetween(null, null, options)).toEqual({
    from: '2025-12-31T23:59:00.000Z',
    to: '2026-01-01T00:00:00.000Z',
    moments: [{ at: '2025-12-31T23:59:59.000Z', changes: 3, bad: 1 }],
  })
  expect(asked).toEqual([[null, clock.wallMs() + 1, 600]])
})
