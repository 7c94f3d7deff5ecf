import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { request as secureRequest } from 'node:https'
import { createServer, type AddressInfo, type Server } from 'node:net'
import type { Demo, Graph, GraphLink, GraphNode, Identity, Keys, SamplePoint, TimelineEntry } from '../../src/contract/index.ts'
import { MidwatchError } from '../../src/contract/index.ts'
import { systemClock, systemRandomness } from '../../src/platform/index.ts'
import { createServe, type Metric, type NodeEvent, type NodePort, type Serve, type ServeOptions } from '../../src/serve/index.ts'
import { statusText } from '../../src/tell/index.ts'

// For tests only: a node that is all facts, and a real server on loopback around it.

export const TOKEN = 'test-token-0123456789abcdef'
export const AT = '2026-03-01T03:20:00.000Z'

export function graphNode(id: string, more: Partial<GraphNode> = {}): GraphNode {
  const identity = Buffer.from(id.padEnd(16, '.')).toString('hex').slice(0, 32) as Identity
  return {
    id,
    identity,
    site: 'dc1',
    state: 'up',
    since: '2026-03-01T03:00:00.000Z',
    address: `10.0.0.${id.charCodeAt(0)}:8777`,
    program: '0.1.0',
    incarnation: 1,
    rowVersion: 1,
    rowAgeMs: 100,
    degraded: [],
    wantedId: null,
    callsOut: false,
    lies: [],
    self: id === 'a',
    ...more,
  }
}

export function graphLink(from: string, to: string, more: Partial<GraphLink> = {}): GraphLink {
  return {
    from,
    to,
    toType: 'node',
    kind: 'udp',
    state: 'up',
    says: 'up',
    dead: null,
    since: '2026-03-01T03:00:00.000Z',
    lossRatio: 0,
    rttMsP50: 0.4,
    detail: null,
    ...more,
  }
}

export function fakeGraph(more: Partial<Graph> = {}): Graph {
  return {
    hash: '0'.repeat(31) + '1',
    at: AT,
    grid: 'test',
    self: 'a',
    simulated: false,
    nodes: [graphNode('a'), graphNode('b'), graphNode('c', { site: 'dc2', state: 'down', since: '2026-03-01T03:08:00.000Z' })],
    targets: [{ id: 'shop', kind: 'http', address: 'http://shop.test/', site: null }],
    links: [
      graphLink('a', 'b'),
      graphLink('b', 'a'),
      graphLink('a', 'c', {
        state: 'down',
        says: 'down',
        since: '2026-03-01T03:08:00.000Z',
        lossRatio: 1,
        rttMsP50: null,
        detail: 'no answer',
      }),
      graphLink('b', 'c', {
        state: 'one-way',
        says: 'one-way',
        dead: 'in',
        since: '2026-03-01T03:19:15.000Z',
        lossRatio: 0.5,
        rttMsP50: 12.34,
      }),
      graphLink('a', 'shop', { toType: 'target', kind: 'http', lossRatio: 0.004, rttMsP50: 31 }),
    ],
    ...more,
  }
}

export function entry(seq: number): TimelineEntry {
  return { seq, at: AT, text: 'a to c is down', tone: 'bad', event: { type: 'fault.switched', fault: 'x', on: true } }
}

export const FAKE_OLDEST_MS = Date.parse('2026-02-01T00:00:00.000Z')
const POINT: SamplePoint = { atMs: 1_772_335_200_000, sent: 1, lost: 0, rttMsMin: 0.3, rttMsP50: 0.4, rttMsMax: 0.5 }

export type FakeNode = NodePort & {
  current: Graph
  emit(event: NodeEvent): void
  listeners(): number
  graphs: number
  calls: string[]
  isReady: boolean
}

const FAKE_KEYS: Keys = { grid: '0123abcd', generation: 2, key: '0123456789abcdef', since: AT, by: 'a', waiting: ['c'], removed: [] }

export function createFakeNode(): FakeNode {
  const listeners = new Set<(event: NodeEvent) => void>()
  const demo: Demo = { simulated: true, faults: [{ id: 'cut', title: 'Cut', expect: 'a line goes red', on: false }] }
  const linkOf = (from: string, to: string): GraphLink => {
    const found = node.current.links.find((link) => link.from === from && link.to === to)
    if (!found) throw new MidwatchError('MW_UNKNOWN_NAME', `"${from}" to "${to}" is no link.`)
    return found
  }
  const METRICS: Metric[] = [
    { name: 'midwatch_probes_total', help: 'probes sent', type: 'counter', values: [{ labels: { kind: 'udp' }, value: 42 }] },
    {
      name: 'midwatch_odd',
      help: 'a \\ and\na new line',
      type: 'gauge',
      values: [{ labels: { text: 'say "hi"\\\n' }, value: Number.NaN }],
    },
  ]
  const node: FakeNode = {
    current: fakeGraph(),
    emit: (event) => {
      for (const listener of listeners) listener(event)
    },
    listeners: () => listeners.size,
    graphs: 0,
    calls: [],
    isReady: true,
    graph: () => {
      node.graphs++
      return node.current
    },
    rundown: () => ({
      well: false,
      headline: 'c is down: nobody reaches it.',
      at: AT,
      self: 'a',
      hash: node.current.hash,
      counts: { nodes: 3, nodesUp: 2, targets: 1, targetsUp: 1, links: 5, linksTroubled: 2 },
      troubles: [],
      nodes: [node.current.nodes[2] as GraphNode],
      links: node.current.links.filter((link) => link.state !== 'up'),
    }),
    nodes: () => ({ nodes: node.current.nodes }),
    targets: () => ({ targets: node.current.targets.map((target) => ({ ...target, links: [] })) }),
    why: async (from, to) => ({ link: linkOf(from, to), sentences: ['It is so.'], otherWay: null, viaOthers: [], points: [POINT] }),
    graphAt: async (atMs) => {
      if (atMs < FAKE_OLDEST_MS) throw new MidwatchError('MW_NO_PAST', 'Nothing is kept of that time.')
      node.calls.push(`graphAt ${atMs}`)
      return { ...node.current, at: new Date(atMs).toISOString() }
    },
    past: async (fromMs, toMs) => {
      node.calls.push(`past ${fromMs} ${toMs}`)
      return { from: new Date(FAKE_OLDEST_MS).toISOString(), to: AT, moments: [{ at: AT, changes: 2, bad: 1 }] }
    },
    history: async (from, to, window) => {
      linkOf(from, to)
      node.calls.push(`history ${window}`)
      return { from, to, stepMs: 1_000, points: [POINT], turns: [] }
    },
    timeline: async (query) => {
      node.calls.push(`timeline ${JSON.stringify(query)}`)
      return { entries: [entry(1)] }
    },
    invite: async () => ({ command: 'midwatch join mw1-abc', token: 'mw1-abc', expiresAt: AT }),
    leave: async () => void node.calls.push('leave'),
    keys: () => FAKE_KEYS,
    changeKeys: async (change) => {
      node.calls.push(`keys ${JSON.stringify(change)}`)
      if (change.remove === 'nobody') throw new MidwatchError('MW_UNKNOWN_NAME', 'no node is called nobody')
      if (!change.force) throw new MidwatchError('MW_OLD_NODES', 'too old for a new key: c (0.1.0)')
      return { ...FAKE_KEYS, generation: 3 }
    },
    doctor: async () => {
      if (node.calls.includes('break')) throw new Error('secret /root/path token')
      return { checks: [{ name: 'clock', ok: true, found: 'steady', next: null }] }
    },
    demo: {
      list: () => demo,
      set: async (id, on) => {
        node.calls.push(`demo ${id} ${on}`)
        return { ...demo, faults: demo.faults.map((fault) => (fault.id === id ? { ...fault, on } : fault)) }
      },
    },
    ready: () => ({ ready: node.isReady, waitingFor: node.isReady ? null : 'the first probe' }),
    metrics: () => METRICS,
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  return node
}

export type TestServer = { url: string; port: number; serve: Serve; node: FakeNode; close(): Promise<void> }

/** A real TCP server whose sockets all go to serve, as node/ does it: first bytes read, then unshifted. */
export async function startServer(options: Partial<ServeOptions> & { listen?: string } = {}): Promise<TestServer> {
  const { listen = '127.0.0.1', ...rest } = options
  const node = createFakeNode()
  const serve = createServe({
    node,
    clock: systemClock,
    random: systemRandomness,
    token: TOKEN,
    consoleDir: null,
    open: false,
    hosts: [],
    tls: null,
    metricsOpen: false,
    statusText,
    program: '0.1.0',
    ...rest,
  })
  const server: Server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('readable', () => {
      const first = socket.read() as Buffer | null
      if (first === null) return socket.destroy()
      socket.unshift(first)
      return serve.handleSocket(socket)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, listen, resolve))
  const { port } = server.address() as AddressInfo
  const url = `${options.tls ? 'https' : 'http'}://${listen === '::' ? '[::1]' : listen}:${port}`
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    await serve.close()
    await closed
  }
  return { url, port, serve, node: (rest.node as FakeNode | undefined) ?? node, close }
}

export const BEARER = { Authorization: `Bearer ${TOKEN}` }

export type Answer = { status: number; headers: IncomingHttpHeaders; text: string; json(): unknown }

/** One request with exactly these headers: fetch would not send a Host or an Origin of our choice. */
export function ask(server: { port: number }, path: string, options: AskOptions = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body, ca } = options
  return new Promise((resolve, reject) => {
    const send = ca === undefined ? request : secureRequest
    const sent = send(
      { host: '127.0.0.1', port: server.port, path, method, headers, agent: false, ...(ca === undefined ? {} : { ca }) },
      (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('error', reject)
        answer.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text, json: () => JSON.parse(text) as unknown })
        })
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}

export type AskOptions = { method?: string; headers?: Record<string, string>; body?: string | Buffer; ca?: string }

/** A client of server-sent events that keeps what it got. */
export async function listen(server: TestServer, headers: Record<string, string> = BEARER): Promise<Listener> {
  const events: { name: string; data: unknown }[] = []
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ host: '127.0.0.1', port: server.port, path: '/api/events', headers, agent: false }, resolve).on('error', reject).end()
  })
  let rest = ''
  answer.on('error', () => {})
  answer.on('data', (chunk: Buffer) => {
    rest += chunk.toString()
    const blocks = rest.split('\n\n')
    rest = blocks.pop() as string
    for (const block of blocks) {
      const name = /^event: (.*)$/m.exec(block)?.[1]
      const data = /^data: (.*)$/m.exec(block)?.[1]
      if (name !== undefined && data !== undefined) events.push({ name, data: JSON.parse(data) as unknown })
    }
  })
  return { status: answer.statusCode ?? 0, events, answer, close: () => answer.destroy() }
}

export type Listener = { status: number; events: { name: string; data: unknown }[]; answer: IncomingMessage; close(): void }
