import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { encode } from 'cborg'
import { describe, expect, it } from 'vitest'
import { Label, LIMITS, MidwatchError, Settings, type Identity } from '../../src/contract/index.ts'
import { createInvitations } from '../../src/grid/invitations.ts'
import { makeKeyChange, readKeyChange, type KeyChangeOrder } from '../../src/grid/key-change.ts'
import { Lines } from '../../src/grid/lines.ts'
import { PartsInbox } from '../../src/grid/parts.ts'
import { newCounters } from '../../src/grid/ports.ts'
import { KeyRing, ringStateOf } from '../../src/grid/ring.ts'
import { readRow } from '../../src/grid/row.ts'
import { Spread } from '../../src/grid/spread.ts'
import { answerSealed, callSealed, type SealedStream } from '../../src/grid/stream.ts'
import { RowTable } from '../../src/grid/table.ts'
import { decodePacket } from '../../src/grid/wire.ts'
import { loadSettings } from '../../src/node/settings/index.ts'
import { openDatabase } from '../../src/store/database.ts'
import { canonicalJson } from '../../src/store/journal.ts'
import type { Answers } from '../../src/store/messages.ts'
import { createQueue } from '../../src/store/queue.ts'
import { keysNumber, localStreams, signedRow } from '../support/grid-makers.ts'
import { hearingNode } from '../support/hearing-node.ts'
import { createManualClock } from '../support/manual-clock.ts'
import { GRID_KEY, targetClaim } from '../support/virtual-grid.ts'
import { dieOf, randomnessOf } from '../support/virtual-network.ts'
import { until } from '../support/until.ts'
import { sealerOf } from '../support/wire-format.ts'
import { RECORDED_KEEP } from '../upgrade/recording.ts'

/** A test of that name, in a file of its own, sends one more than the limit. */
type Elsewhere = { readonly file: string; readonly test: string }
type Check = (() => void | Promise<void>) | Elsewhere

const KEYS = keysNumber(1)
const times = <T>(count: number, make: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => make(n))
const idOf = (n: number): Uint8Array => new Uint8Array(Buffer.from(n.toString(16).padStart(32, '0'), 'hex'))

/** A row as its bytes, with what is being tried in it. */
const rowBytes = (parts: { id?: string; address?: string; links?: unknown[] }): Uint8Array =>
  encode([1, KEYS.publicKey, 1, 1, parts.id ?? 'a', 'home', parts.address ?? null, '', false, [], parts.links ?? []])
const link = (detail: string | null, address: string | null): unknown[] => ['shop', 1, 0, -1, null, detail, address, null]

function invitationsAt(clock = createManualClock()) {
  const refused: string[] = []
  const invitations = createInvitations({
    clock,
    random: randomnessOf(dieOf(1)),
    gridKey: () => GRID_KEY,
    peers: () => [],
    isRemoved: () => false,
    onUsed: async () => {},
    onRefused: (reason) => refused.push(reason),
  })
  return { clock, invitations, refused }
}

async function sealedPair() {
  const clock = createManualClock()
  const { caller, answerer } = localStreams()
  let isClosed = false
  answerer.onClose(() => (isClosed = true))
  const [called, answered] = await Promise.all([
    callSealed(caller, 0, new Uint8Array(8), GRID_KEY, clock),
    answerSealed(answerer, () => GRID_KEY, clock),
  ])
  return { clock, caller: called!, answerer: answered!.sealed, isClosed: () => isClosed }
}

/** The keys of a grid of one node, and a way to change them. */
function ringOf(keys: typeof KEYS) {
  const clock = createManualClock()
  const ring = new KeyRing(ringStateOf(GRID_KEY), keys, clock)
  const order = (n: number): KeyChangeOrder => ({
    grid: ring.grid,
    generation: ring.generation + 1,
    by: 'a',
    atMs: clock.wallMs(),
    removed: [],
    oldKey: ring.current.key,
    newKey: randomnessOf(dieOf(5_000 + n)).bytes(32),
    members: [keys.publicKey],
  })
  const change = async (n: number): Promise<void> => {
    const step = ring.weigh(await makeKeyChange(order(n), keys, clock), () => true)
    if (step.step !== 'take') throw new Error(`the change was not taken: ${step.step}`)
    ring.become(step.state)
  }
  return { clock, ring, order, change }
}

/** A node that holds lines, and others that call it for one. */
function linesOf() {
  const clock = createManualClock()
  const waiting = { bytes: 0 }
  const make = (keys: typeof KEYS, open: () => Promise<SealedStream | null>) => {
    const counters = newCounters()
    const lines = new Lines({
      clock,
      random: randomnessOf(dieOf(1)),
      keys,
      counters,
      callsOut: () => keys !== KEYS,
      keyName: () => 'key',
      isMember: () => true,
      holders: () => [{ identity: KEYS.identity, address: { host: '10.0.0.1', port: 8777 }, site: 'home' }],
      open,
      packet: ([message]) => message!,
      onPacket: () => {},
      onOpened: () => {},
      onMissing: () => {},
    })
    return { lines, counters }
  }
  const held = make(KEYS, async () => null)
  const callFrom = async (n: number): Promise<void> => {
    const { caller, answerer } = localStreams()
    const [called, answered] = await Promise.all([
      callSealed(caller, 0, new Uint8Array(8), GRID_KEY, clock),
      answerSealed({ ...answerer, waitingBytes: () => waiting.bytes }, () => GRID_KEY, clock),
    ])
    const keys = keysNumber(n)
    const before = held.counters.linesRefused
    void held.lines.answer(answered!.sealed)
    make(keys, async () => called).lines.tick()
    await until('it is held or refused', () => held.lines.has(keys.identity) || held.counters.linesRefused > before)
  }
  return { ...held, waiting, callFrom }
}

const turns = (count: number): { atMs: number; json: string }[] =>
  times(count, (n) => {
    const event = {
      type: 'link.changed',
      fromNode: 'a',
      toName: 'b',
      toType: 'node',
      kind: 'udp',
      from: 'up',
      to: 'down',
      dead: null,
      detail: null,
    }
    return { atMs: n * 1_000, json: canonicalJson(event) }
  })

/**
 * What sends one more, for each limit. Whoever adds a limit adds a line here: a function that goes up to the limit and one beyond, or where
 * such a test stands already.
 */
const CHECKS: Partial<Record<keyof typeof LIMITS, Check>> = {
  datagramBytes() {
    const { node, hear } = hearingNode(1)
    const seal = sealerOf(GRID_KEY, randomnessOf(dieOf(1)))
    const overhead = seal(new Uint8Array(0)).length
    hear(seal(new Uint8Array(LIMITS.datagramBytes - overhead)))
    expect(node.grid.counters.refusedMalformed).toBe(0)
    hear(seal(new Uint8Array(LIMITS.datagramBytes - overhead + 1)))
    expect(node.grid.counters.refusedMalformed).toBe(1)
  },
  async frameBytes() {
    const { caller, answerer } = await sealedPair()
    caller.send(new Uint8Array(LIMITS.frameBytes))
    expect((await answerer.receive())?.length).toBe(LIMITS.frameBytes)
    caller.send(new Uint8Array(LIMITS.frameBytes + 1))
    expect(await answerer.receive()).toBeNull()
  },
  async framesPerStream() {
    const { caller, answerer } = await sealedPair()
    let received = 0
    for (let sent = 0; sent <= LIMITS.framesPerStream; sent++) {
      caller.send(Uint8Array.of(1))
      if (await answerer.receive()) received++
    }
    expect(received).toBe(LIMITS.framesPerStream)
  },
  streams() {
    const { node } = hearingNode(2)
    for (let open = 0; open < LIMITS.streams; open++)
      void node.grid.accept(localStreams().answerer, { keyOf: () => null, answer: async () => {} })
    expect(node.grid.counters.streamsRefused).toBe(0)
    void node.grid.accept(localStreams().answerer, { keyOf: () => null, answer: async () => {} })
    expect(node.grid.counters.streamsRefused).toBe(1)
  },
  async streamIdleMs() {
    const { clock, answerer, isClosed } = await sealedPair()
    const received = answerer.receive()
    await clock.advance(LIMITS.streamIdleMs - 1)
    expect(isClosed()).toBe(false)
    await clock.advance(1)
    expect(await received).toBeNull()
    expect(isClosed()).toBe(true)
  },
  nodes() {
    const table = new RowTable()
    for (let n = 0; n < LIMITS.nodes; n++) table.apply(signedRow(keysNumber(1_000 + n)), 0)
    expect(table.size).toBe(LIMITS.nodes)
    expect(table.apply(signedRow(KEYS), 0)).toEqual({ outcome: 'refused', why: 'full' })
    expect(table.size).toBe(LIMITS.nodes)
  },
  linksPerRow() {
    const links = times(LIMITS.linksPerRow + 1, (n) => targetClaim(`t${n}`))
    expect(readRow(signedRow(KEYS, { links: links.slice(1) }).bytes)?.links).toHaveLength(LIMITS.linksPerRow)
    expect(readRow(signedRow(KEYS, { links }).bytes)).toBeNull()
  },
  labelChars() {
    expect(Label.safeParse('x'.repeat(LIMITS.labelChars)).success).toBe(true)
    expect(Label.safeParse('x'.repeat(LIMITS.labelChars + 1)).success).toBe(false)
    expect(readRow(rowBytes({ id: 'x'.repeat(LIMITS.labelChars + 1) }))).toBeNull()
  },
  detailChars() {
    expect(readRow(rowBytes({ links: [link('x'.repeat(LIMITS.detailChars), null)] }))).not.toBeNull()
    expect(readRow(rowBytes({ links: [link('x'.repeat(LIMITS.detailChars + 1), null)] }))).toBeNull()
  },
  addressChars() {
    expect(readRow(rowBytes({ links: [link(null, 'x'.repeat(LIMITS.addressChars))] }))).not.toBeNull()
    expect(readRow(rowBytes({ links: [link(null, 'x'.repeat(LIMITS.addressChars + 1))] }))).toBeNull()
    expect(readRow(rowBytes({ address: 'x'.repeat(LIMITS.addressChars + 1) }))).toBeNull()
  },
  rumours() {
    const spread = new Spread()
    for (let n = 0; n <= LIMITS.rumours; n++) spread.add(`${n}`, [encode(n)], 1)
    const told = spread.take(2 ** 20)
    expect(told).toHaveLength(LIMITS.rumours)
    expect(told).not.toContainEqual(encode(0))
  },
  membersPerDatagram() {
    const versions = (count: number): unknown => [6, idOf(0), idOf(9), times(count, (n) => [idOf(n), 1, 1, 1])]
    const read = (message: unknown) => decodePacket(encode([idOf(1), 1, [message]]))
    expect(read(versions(LIMITS.membersPerDatagram))).toMatchObject({ unreadable: 0 })
    expect(read(versions(LIMITS.membersPerDatagram + 1))).toMatchObject({ unreadable: 1, messages: [] })
    expect(read([7, times(LIMITS.membersPerDatagram + 1, idOf)])).toMatchObject({ unreadable: 1, messages: [] })
  },
  async sessions() {
    const { node, world, hear } = hearingNode(3)
    const packet = encode([KEYS.publicKey.subarray(0, 16), 1, []])
    const say = (n: number): Uint8Array => sealerOf(GRID_KEY, randomnessOf(dieOf(n)))(packet)
    for (let n = 0; n < LIMITS.sessions + 1; n++) {
      if (n % LIMITS.newSessionsPerSecond === 0) await world.run(1_000)
      hear(say(n))
    }
    await world.run(1_000)
    expect(node.grid.counters).toMatchObject({ refusedReplayed: 0, refusedTooManySessions: 0 })
    // All but the first are remembered: what they said does not count a second time.
    hear(say(1))
    expect(node.grid.counters.refusedReplayed).toBe(1)
    hear(say(0))
    expect(node.grid.counters.refusedReplayed).toBe(1)
  },
  newSessionsPerSecond() {
    const { node, hear } = hearingNode(4)
    for (let n = 0; n <= LIMITS.newSessionsPerSecond; n++) hear(new Uint8Array([0xd1, ...randomnessOf(dieOf(n)).bytes(60)]))
    expect(node.grid.counters).toMatchObject({ refusedNotAuthentic: LIMITS.newSessionsPerSecond, refusedTooManySessions: 1 })
  },
  unfinishedRows() {
    const part = (version: number, at: number) =>
      ({ type: 'row-part', identity: KEYS.identity, incarnation: 1, version, part: at, parts: 2, piece: new Uint8Array(80) }) as const
    const inbox = new PartsInbox()
    const from = KEYS.identity
    for (let version = 0; version <= LIMITS.unfinishedRows; version++) inbox.add(from, part(version, 0))
    expect(inbox.add(from, part(1, 1))).not.toBeNull()
    expect(inbox.add(from, part(0, 1))).toBeNull()
  },
  targets() {
    const targets = times(LIMITS.targets + 1, (n) => ({ kind: 'tcp', name: `t${n}`, host: 'h', port: 1 }))
    expect(Settings.safeParse({ id: 'a', data: 'd', targets: targets.slice(1) }).success).toBe(true)
    expect(Settings.safeParse({ id: 'a', data: 'd', targets }).success).toBe(false)
  },
  httpTargetRedirects() {
    const target = (redirects: number) => [{ kind: 'http', name: 'shop', url: 'http://shop.test/', redirects }]
    expect(Settings.safeParse({ id: 'a', data: 'd', targets: target(LIMITS.httpTargetRedirects) }).success).toBe(true)
    expect(Settings.safeParse({ id: 'a', data: 'd', targets: target(LIMITS.httpTargetRedirects + 1) }).success).toBe(false)
  },
  invitations() {
    const { invitations } = invitationsAt()
    for (let n = 0; n < LIMITS.invitations; n++) invitations.make(['10.0.0.1:8777'])
    expect(() => invitations.make(['10.0.0.1:8777'])).toThrow(
      new MidwatchError('MW_LIMIT', `${LIMITS.invitations} invitations are open already`),
    )
  },
  async invitationMs() {
    const { clock, invitations } = invitationsAt()
    const { invitation } = invitations.make(['10.0.0.1:8777'])
    await clock.advance(LIMITS.invitationMs - 1)
    expect(invitations.keyOf(Buffer.from(invitation, 'hex'))).not.toBeNull()
    await clock.advance(1)
    expect(invitations.keyOf(Buffer.from(invitation, 'hex'))).toBeNull()
  },
  joinAttemptsPerMinute() {
    const { invitations, refused } = invitationsAt()
    for (let n = 0; n <= LIMITS.joinAttemptsPerMinute; n++) expect(invitations.keyOf(idOf(n).subarray(8))).toBeNull()
    expect(refused).toHaveLength(LIMITS.joinAttemptsPerMinute)
  },
  async configBytes() {
    const asked: number[] = []
    const readFile = (_: string, maxBytes: number): string => {
      asked.push(maxBytes)
      throw new Error(`larger than ${maxBytes} bytes`)
    }
    const load = loadSettings({ flags: {}, env: {}, cwd: '/', home: '/', isRoot: true, hostname: 'a', readFile })
    await expect(load).rejects.toMatchObject({ code: 'MW_CONFIG_FILE' })
    expect(asked).toEqual([LIMITS.configBytes])
  },
  storeQueue() {
    const queue = createQueue()
    const sample = { link: 'a', told: false, sent: 1, lost: 0, rttMs: 1 }
    for (let n = 0; n <= LIMITS.storeQueue; n++) queue.addSample({ ...sample, atMs: n })
    expect(queue.counts()).toMatchObject({ queued: LIMITS.storeQueue, droppedSamples: 1 })
  },
  async answerBytesPerSecond() {
    const { node, world, hear } = hearingNode(5)
    const links = times(12, (n) => targetClaim(`target-${n}`))
    const owners = times(LIMITS.membersPerDatagram, (n) => keysNumber(200 + n))
    const rows = owners.map((keys) => signedRow(keys, { links }))
    for (const row of rows) node.grid.applyRow(row)
    node.grid.applyRow(signedRow(KEYS, { address: '10.0.0.99:8777' }))
    const seal = sealerOf(GRID_KEY, randomnessOf(dieOf(5)))
    const want = [7, owners.map(({ identity }) => Buffer.from(identity, 'hex'))]
    const atOnceBytes = rows.reduce((sum, row) => sum + row.bytes.length, 0)
    const before = world.sent.bytes
    for (let askedBytes = 0; askedBytes < 2 * LIMITS.answerBytesPerSecond; askedBytes += atOnceBytes)
      hear(seal(encode([Buffer.from(KEYS.identity, 'hex'), 1, [want]])))
    // What is sealed around each row is not counted.
    expect((world.sent.bytes - before) / LIMITS.answerBytesPerSecond).toBeGreaterThan(0.9)
    expect((world.sent.bytes - before) / LIMITS.answerBytesPerSecond).toBeLessThan(1.25)
  },
  async keyChanges() {
    const { ring, change } = ringOf(KEYS)
    for (let n = 0; n <= LIMITS.keyChanges; n++) await change(n)
    expect(ring.generation).toBe(LIMITS.keyChanges + 2)
    expect(ring.state.changes).toHaveLength(LIMITS.keyChanges)
  },
  async removedNodes() {
    const removed = times(LIMITS.removedNodes + 1, (n) => ({
      identity: n.toString(16).padStart(32, '0') as Identity,
      id: 'x',
      by: 'y',
      atMs: 0,
    }))
    const { order } = ringOf(KEYS)
    const kept = readKeyChange(await makeKeyChange({ ...order(1), removed }, KEYS, createManualClock()))?.removed
    expect(kept).toHaveLength(LIMITS.removedNodes)
    expect(kept?.[0]?.identity).toBe(removed[1]?.identity)
  },
  async oldKeyMs() {
    const { ring, change, clock } = ringOf(KEYS)
    await change(1)
    await clock.advance(LIMITS.oldKeyMs - 1)
    expect(ring.accepted()).toHaveLength(2)
    await clock.advance(1)
    expect(ring.accepted()).toHaveLength(1)
  },
  pastMoments() {
    const database = openDatabase(null, RECORDED_KEEP, (message) => expect.unreachable(message))
    database.write(turns(2 * LIMITS.pastMoments + 1), [], 0)
    const asked = { type: 'moments', fromMs: 0, toMs: 1e9, count: LIMITS.pastMoments } as const
    const { moments } = database.answer(asked) as Answers['moments']
    expect(moments.length).toBeLessThanOrEqual(LIMITS.pastMoments)
    expect(moments.reduce((sum, { changes }) => sum + changes, 0)).toBe(2 * LIMITS.pastMoments + 1)
    database.answer({ type: 'close' })
  },
  historyTurns() {
    const database = openDatabase(null, RECORDED_KEEP, (message) => expect.unreachable(message))
    database.write(turns(LIMITS.historyTurns + 1), [], 0)
    const asked = { type: 'turns', pair: 'a>b', from: new Date(0).toISOString(), limit: LIMITS.historyTurns } as const
    expect(database.answer(asked)).toHaveLength(LIMITS.historyTurns)
    database.answer({ type: 'close' })
  },
  async lines() {
    const { lines, counters, callFrom } = linesOf()
    await Promise.all(times(LIMITS.lines, (n) => callFrom(100 + n)))
    expect(counters.linesRefused).toBe(0)
    await callFrom(99)
    expect(counters.linesRefused).toBe(1)
    expect(times(LIMITS.lines, (n) => lines.has(keysNumber(100 + n).identity))).not.toContain(false)
    expect(lines.has(keysNumber(99).identity)).toBe(false)
    lines.stop()
  },
  async lineWaitingBytes() {
    const { lines, counters, callFrom, waiting } = linesOf()
    await callFrom(100)
    const send = (): void => lines.send(keysNumber(100).identity, [new Uint8Array(1_000)])
    waiting.bytes = LIMITS.lineWaitingBytes - 1_000
    send()
    expect(counters.lineNewsDropped).toBe(0)
    waiting.bytes++
    send()
    expect(counters.lineNewsDropped).toBe(1)
    lines.stop()
  },
  storeFactsChars() {
    const queue = createQueue()
    const fact = (chars: number) => ({ json: 'x'.repeat(chars) }) as Parameters<typeof queue.addFact>[0]
    expect(queue.addFact(fact(LIMITS.storeFactsChars))).toBe(true)
    expect(queue.addFact(fact(1))).toBe(false)
  },
  probeSenders: {
    file: 'src/sense/probes/udp/index.test.ts',
    test: 'are remembered of so many senders: of one more the longest silent is forgotten',
  },
  probesUnderWay: { file: 'src/sense/prober.test.ts', test: 'a thousand black holes never take more than the limit at once' },
  httpTargetBodyBytes: { file: 'src/sense/probes/http/index.test.ts', test: 'of a huge body no more is read than the limit' },
  apiBodyBytes: { file: 'test/fuzz/http.test.ts', test: 'that is too long or too slow is cut' },
  eventClients: {
    file: 'test/fuzz/http.test.ts',
    test: 'as a flood of event clients gets no further than the bound, and makes room again',
  },
  timelineEntries: { file: 'src/store/store.test.ts', test: 'one answer holds no more journal entries than the bound' },
  historyPoints: {
    file: 'src/store/database.test.ts',
    test: 'seconds reach back an hour, tens a day, minutes as long as set; one answer is stitched of them without a seam',
  },
  storeToldLinks: { file: 'src/store/database.test.ts', test: 'links of others beyond the bound are refused; our own never' },
  storeQuestions: { file: 'src/store/store.test.ts', test: 'too many questions at once are refused by the bound, and the others answered' },
}

describe('each limit', { timeout: 30_000 }, () => {
  it.each(Object.keys(LIMITS) as (keyof typeof LIMITS)[])('has a test that sends one more: %s', async (name) => {
    const check = CHECKS[name]
    if (!check) throw new Error(`LIMITS.${name} has no test that sends one more: add one to CHECKS in test/limits/limits.test.ts`)
    if (typeof check === 'function') return check()
    const text = readFileSync(join(import.meta.dirname, '../..', check.file), 'utf8')
    expect(text, `${check.file} has no test "${check.test}"`).toContain(`'${check.test}'`)
  })
})
