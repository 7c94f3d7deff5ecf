import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ApiError, Graph, LIMITS, LinksChanged, TimelineEntry } from '../contract/index.ts'
import type { Clock } from '../platform/index.ts'
import {
  BEARER,
  ask,
  createFakeNode,
  entry,
  fakeGraph,
  graphLink,
  graphNode,
  listen,
  startServer,
  type FakeNode,
  type TestServer,
} from '../../test/support/serve-fixture.ts'
import { createEventHub, type EventHub, type EventStream } from './events.ts'

/** A clock that a test turns by hand. */
function handClock(): Clock & { turn(ms: number): void } {
  let nowMs = 0
  let timers: { atMs: number; callback: () => void }[] = []
  return {
    wallMs: () => nowMs,
    monoMs: () => nowMs,
    after: (delayMs, callback) => {
      const timer = { atMs: nowMs + delayMs, callback }
      timers.push(timer)
      return () => {
        timers = timers.filter((other) => other !== timer)
      }
    },
    turn: (ms) => {
      const endMs = nowMs + ms
      for (;;) {
        const next = timers.filter((timer) => timer.atMs <= endMs).toSorted((a, b) => a.atMs - b.atMs)[0]
        if (!next) break
        timers = timers.filter((timer) => timer !== next)
        nowMs = next.atMs
        next.callback()
      }
      nowMs = Math.max(nowMs, endMs)
    },
  }
}

type FakeStream = EventStream & {
  texts: string[]
  buffered: number
  drain(): void
  leave(): void
  destroyed: boolean
  names(): string[]
  clear(): void
}
function fakeStream(): FakeStream {
  const drains: (() => void)[] = []
  const closes: (() => void)[] = []
  const stream: FakeStream = {
    texts: [],
    buffered: 0,
    destroyed: false,
    write: (bytes) => void stream.texts.push(Buffer.from(bytes).toString()),
    bufferedBytes: () => stream.buffered,
    onDrain: (listener) => void drains.push(listener),
    onClose: (listener) => void closes.push(listener),
    destroy: () => {
      stream.destroyed = true
      stream.leave()
    },
    drain: () => {
      stream.buffered = 0
      for (const listener of drains) listener()
    },
    leave: () => {
      for (const listener of closes) listener()
    },
    names: () => [...stream.texts.join('').matchAll(/^event: (\w+)$/gm)].map((match) => match[1] as string),
    clear: () => void (stream.texts = []),
  }
  return stream
}

const lastLinks = (stream: FakeStream): LinksChanged =>
  LinksChanged.parse(JSON.parse([...stream.texts.join('').matchAll(/^event: links\ndata: (.*)$/gm)].at(-1)?.[1] as string))

describe('the hub', () => {
  let node: FakeNode
  let clock: ReturnType<typeof handClock>
  let hub: EventHub
  let unexpected: unknown[]
  beforeEach(() => {
    node = createFakeNode()
    clock = handClock()
    unexpected = []
    hub = createEventHub({ node, clock, unexpected: (error) => unexpected.push(error) })
  })
  afterEach(() => hub.close())

  const attached = (): FakeStream => {
    const stream = fakeStream()
    expect(hub.attach(stream)).toBe(true)
    return stream
  }
  const setLink = (i: number, more: Parameters<typeof graphLink>[2], hash = node.current.hash): void => {
    node.current = { ...node.current, hash, links: node.current.links.map((link, j) => (i === j ? { ...link, ...more } : link)) }
  }

  it('begins with the whole graph', () => {
    const stream = attached()
    expect(stream.names()).toEqual(['graph'])
    Graph.parse(JSON.parse(/^data: (.*)$/m.exec(stream.texts.join(''))?.[1] as string))
  })

  it('sends a state change within 100 ms, with only the links that changed', () => {
    const stream = attached()
    stream.clear()
    setLink(0, { state: 'down', says: 'down', since: '2026-03-01T03:20:00.000Z' }, 'f'.repeat(32))
    node.emit({ type: 'change', entry: entry(2) })
    clock.turn(99)
    expect(stream.names()).toEqual([])
    clock.turn(1)
    expect(stream.names()).toEqual(['links', 'change'])
    expect(lastLinks(stream)).toMatchObject({ hash: 'f'.repeat(32), links: [{ from: 'a', to: 'b', state: 'down' }] })
  })

  it('gathers what comes close together', () => {
    const stream = attached()
    stream.clear()
    for (let seq = 1; seq <= 5; seq++) node.emit({ type: 'change', entry: entry(seq) })
    setLink(0, { state: 'down' })
    setLink(1, { state: 'down' })
    clock.turn(100)
    expect(stream.names()).toEqual(['links', 'change', 'change', 'change', 'change', 'change'])
    expect(stream.texts).toHaveLength(1)
    expect(lastLinks(stream).links).toHaveLength(2)
  })

  it('sends measurements at most once a second', () => {
    const stream = attached()
    stream.clear()
    for (let i = 1; i <= 30; i++) {
      setLink(0, { rttMsP50: i * 10 })
      node.emit({ type: 'links' })
      clock.turn(100)
    }
    expect(stream.names().length).toBeGreaterThanOrEqual(2)
    expect(stream.names().length).toBeLessThanOrEqual(3)
  })

  it('a state change does not wait for the measurements', () => {
    const stream = attached()
    node.emit({ type: 'links' })
    clock.turn(200)
    stream.clear()
    setLink(0, { state: 'lossy' })
    node.emit({ type: 'change', entry: entry(1) })
    clock.turn(100)
    expect(stream.names()).toEqual(['links', 'change'])
  })

  it('leaves out jitter, and sends what small steps add up to', () => {
    const stream = attached()
    stream.clear()
    const step = (rttMsP50: number): string[] => {
      stream.clear()
      setLink(4, { rttMsP50 })
      node.emit({ type: 'links' })
      clock.turn(2_000)
      return stream.names()
    }
    expect(step(32)).toEqual([])
    expect(step(33)).toEqual([])
    expect(step(34.2)).toEqual(['links'])
    expect(step(33.5)).toEqual([])
  })

  it('the first lost probe is never jitter', () => {
    const stream = attached()
    stream.clear()
    setLink(0, { lossRatio: 0.0001 })
    node.emit({ type: 'links' })
    clock.turn(1_000)
    expect(lastLinks(stream).links).toHaveLength(1)
  })

  it('sends the new hash when nothing else changed', () => {
    const stream = attached()
    stream.clear()
    node.current = { ...node.current, hash: 'e'.repeat(32) }
    node.emit({ type: 'links' })
    clock.turn(1_000)
    expect(lastLinks(stream)).toMatchObject({ hash: 'e'.repeat(32), links: [] })
  })

  it.each([
    ['a node comes', () => fakeGraph({ nodes: [...fakeGraph().nodes, graphNode('d')] })],
    ['a node goes', () => fakeGraph({ nodes: fakeGraph().nodes.slice(0, 2) })],
    ['a node changes', () => fakeGraph({ nodes: [graphNode('a'), graphNode('b', { state: 'suspect' }), graphNode('c')] })],
    ['a target goes', () => fakeGraph({ targets: [] })],
    ['a link goes', () => fakeGraph({ links: fakeGraph().links.slice(1) })],
    ['the node changes grids', () => fakeGraph({ grid: 'other' })],
  ])('sends the whole graph when %s', (_, next) => {
    const stream = attached()
    stream.clear()
    node.current = next()
    node.emit({ type: 'graph' })
    clock.turn(100)
    expect(stream.names()).toEqual(['graph'])
  })

  it('the order of links is no news, and a new link is only itself', () => {
    const stream = attached()
    stream.clear()
    node.current = fakeGraph({ links: [graphLink('c', 'a'), ...fakeGraph().links.toReversed()] })
    node.emit({ type: 'links' })
    clock.turn(1_000)
    expect(stream.names()).toEqual(['links'])
    expect(lastLinks(stream).links).toEqual([graphLink('c', 'a')])
  })

  it('ages and row versions alone are no news', () => {
    const stream = attached()
    stream.clear()
    node.current = fakeGraph({ nodes: fakeGraph().nodes.map((one) => ({ ...one, rowAgeMs: 900, rowVersion: 7 })) })
    node.emit({ type: 'graph' })
    clock.turn(100)
    expect(stream.names()).toEqual([])
  })

  it('looks at the graph once per tick, however many listen', () => {
    const streams = Array.from({ length: 20 }, attached)
    const before = node.graphs
    expect(before).toBe(1)
    setLink(0, { state: 'down' })
    node.emit({ type: 'change', entry: entry(1) })
    clock.turn(100)
    expect(node.graphs).toBe(before + 1)
    expect(new Set(streams.map((stream) => stream.texts.at(-1))).size).toBe(1)
  })

  it('a newcomer starts from where the others are', () => {
    attached()
    setLink(0, { state: 'down' })
    node.emit({ type: 'change', entry: entry(1) })
    clock.turn(100)
    const late = attached()
    expect(late.texts.join('')).toContain('"state":"down"')
  })

  it('a slow client misses events, then gets the graph once it has drained', () => {
    const slow = attached()
    const quick = attached()
    slow.clear()
    slow.buffered = 2_000_000
    for (let i = 0; i < 50; i++) {
      setLink(0, { state: i % 2 === 0 ? 'down' : 'up' })
      node.emit({ type: 'change', entry: entry(i + 1) })
      clock.turn(100)
    }
    expect(slow.texts).toEqual([])
    expect(quick.names().filter((name) => name === 'links')).toHaveLength(50)
    expect(hub.counters.dropped).toBe(1)
    slow.drain()
    expect(slow.names()).toEqual(['graph'])
    slow.clear()
    setLink(0, { state: 'slow' })
    node.emit({ type: 'change', entry: entry(60) })
    clock.turn(100)
    expect(slow.names()).toEqual(['links', 'change'])
  })

  it('a client that takes nothing at all is cut', () => {
    const dead = attached()
    dead.buffered = 2_000_000
    node.emit({ type: 'change', entry: entry(1) })
    clock.turn(60_000)
    expect(dead.destroyed).toBe(true)
    expect(hub.counters.clients).toBe(0)
  })

  it('keeps a quiet connection open with a comment every 15 s', () => {
    const stream = attached()
    stream.clear()
    clock.turn(45_000)
    expect(stream.texts).toEqual([':\n\n', ':\n\n', ':\n\n'])
  })

  it('takes no more than the bound, and works only while somebody listens', () => {
    const streams = Array.from({ length: LIMITS.eventClients }, attached)
    expect(hub.attach(fakeStream())).toBe(false)
    expect(node.listeners()).toBe(1)
    for (const stream of streams) stream.leave()
    expect(node.listeners()).toBe(0)
    const before = node.graphs
    node.emit({ type: 'graph' })
    clock.turn(60_000)
    expect(node.graphs).toBe(before)
  })

  it('keeps the newest changes when there are too many for one tick', () => {
    const stream = attached()
    stream.clear()
    for (let seq = 1; seq <= LIMITS.timelineEntries + 5; seq++) node.emit({ type: 'change', entry: entry(seq) })
    clock.turn(100)
    const seqs = [...stream.texts.join('').matchAll(/^event: change\ndata: (.*)$/gm)].map(
      (match) => TimelineEntry.parse(JSON.parse(match[1] as string)).seq,
    )
    expect([seqs.length, seqs[0], seqs.at(-1)]).toEqual([LIMITS.timelineEntries, 6, LIMITS.timelineEntries + 5])
  })

  it('survives a node that fails to answer', () => {
    const stream = attached()
    const graph = node.graph
    node.graph = () => {
      throw new Error('not now')
    }
    node.emit({ type: 'graph' })
    clock.turn(100)
    expect(unexpected).toHaveLength(1)
    node.graph = graph
    stream.clear()
    setLink(0, { state: 'down' })
    node.emit({ type: 'graph' })
    clock.turn(100)
    expect(stream.names()).toEqual(['links'])
  })

  it('spreads out when making events is dear', () => {
    const stream = attached()
    const graph = node.graph
    node.graph = () => {
      clock.turn(300)
      return graph()
    }
    node.emit({ type: 'graph' })
    clock.turn(100)
    node.graph = graph
    stream.clear()
    setLink(0, { state: 'down' })
    node.emit({ type: 'change', entry: entry(1) })
    clock.turn(2_500)
    expect(stream.names()).toEqual([])
    clock.turn(600)
    expect(stream.names()).toEqual(['links', 'change'])
  })
})

describe('over HTTP', () => {
  let server: TestServer
  beforeEach(async () => {
    server = await startServer()
  })
  afterEach(() => server.close())

  it('streams graph, links and change', async () => {
    const client = await listen(server)
    expect(client.answer.headers['content-type']).toMatch(/^text\/event-stream/)
    await vi.waitUntil(() => client.events.length === 1)
    server.node.current = fakeGraph({ links: fakeGraph().links.map((link) => ({ ...link, state: 'down' as const })) })
    server.node.emit({ type: 'change', entry: entry(9) })
    await vi.waitUntil(() => client.events.length === 3)
    expect(client.events.map((event) => event.name)).toEqual(['graph', 'links', 'change'])
    Graph.parse(client.events[0]?.data)
    expect(LinksChanged.parse(client.events[1]?.data).links).toHaveLength(4)
    TimelineEntry.parse(client.events[2]?.data)
    client.close()
    await vi.waitUntil(() => server.node.listeners() === 0)
  })

  it('a reader that stops costs a bounded buffer, and comes back with a graph', async () => {
    const client = await listen(server)
    await vi.waitUntil(() => client.events.length === 1)
    client.answer.pause()
    const detail = 'x'.repeat(150)
    const many = (round: number): Graph =>
      fakeGraph({ links: Array.from({ length: 4_000 }, (_, i) => graphLink('a', `n${i}`, { detail: `${detail}${round}`, state: 'down' })) })
    const behind = async (): Promise<boolean> =>
      /^midwatch_http_event_clients_behind_total [1-9]/m.test((await ask(server, '/metrics', { headers: BEARER })).text)
    let round = 0
    while (!(await behind())) {
      server.node.current = many(++round)
      server.node.emit({ type: 'change', entry: entry(round) })
      const before = server.node.graphs
      await vi.waitUntil(() => server.node.graphs > before, { timeout: 10_000 })
    }
    client.events.length = 0
    client.answer.resume()
    const last = `${detail}${round}`
    await vi.waitUntil(() => client.events.some(({ name, data }) => name === 'graph' && (data as Graph).links[0]?.detail === last), {
      timeout: 10_000,
    })
    client.close()
  })

  it('one client more than the bound is told so', async () => {
    const clients = await Promise.all(Array.from({ length: LIMITS.eventClients }, () => listen(server)))
    expect(new Set(clients.map((client) => client.status))).toEqual(new Set([200]))
    const answer = await ask(server, '/api/events', { headers: BEARER })
    expect([answer.status, ApiError.parse(answer.json()).error.code]).toEqual([429, 'MW_LIMIT'])
    for (const client of clients) client.close()
  })

  it('HEAD does not start a stream', async () => {
    expect((await ask(server, '/api/events', { method: 'HEAD', headers: BEARER })).status).toBe(200)
    expect(server.node.listeners()).toBe(0)
  })

  it('closing the node ends the streams', async () => {
    const client = await listen(server)
    const ended = new Promise((resolve) => client.answer.once('close', resolve))
    await server.close()
    await ended
    expect(server.node.listeners()).toBe(0)
  })
})
