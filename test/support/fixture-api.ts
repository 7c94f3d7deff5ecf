import { readFile } from 'node:fs/promises'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import { extname } from 'node:path'
import { HISTORY_WINDOWS } from '../../src/contract/index.ts'
import type {
  Demo,
  Graph,
  GraphLink,
  GraphNode,
  History,
  HistoryWindow,
  JournalEvent,
  Keys,
  KeysChange,
  Past,
  SamplePoint,
  TimelineEntry,
  Why,
} from '../../src/contract/index.ts'
import { rundown } from '../../src/tell/index.ts'

/** Stands in for a node where a test needs a grid that no machine could start, such as one of 500 nodes. Never for the tests that count. */
export type FixtureApi = {
  readonly url: string
  graph: Graph
  changes: TimelineEntry[]
  demo: Demo
  /** What the graph was, oldest first; before the first nothing is known. */
  kept: { at: string; graph: Graph }[]
  keys: Keys
  /** Nodes too old to take a new key. */
  oldNodes: string[]
  /** Answers 401 to everything of substance while false. */
  signedIn: boolean
  setLinks(change: (link: GraphLink) => Partial<GraphLink> | null): void
  setNodes(nodes: GraphNode[], links?: GraphLink[]): void
  tell(event: JournalEvent, text: string, tone: TimelineEntry['tone']): void
  /** Cuts every stream; `refuse` keeps the page from coming back. */
  cut(refuse: boolean): void
  close(): Promise<void>
}

const DIST = new URL('../../dist/console/', import.meta.url)
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
}
export const POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self'; connect-src 'self'; frame-ancestors 'none'"

export async function startFixtureApi(graph: Graph): Promise<FixtureApi> {
  const streams = new Set<ServerResponse>()
  let refusing = false

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error))
    })
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://fixture')
    if (refusing) return void request.socket.destroy()
    if (url.pathname === '/healthz') return send(response, { ok: true })
    if (!url.pathname.startsWith('/api/')) return file(url.pathname, response)
    if (!api.signedIn) return send(response, { error: { code: 'MW_TOKEN', message: 'No cookie.', next: 'Run midwatch open.' } }, 401)
    const [from, to] = [url.searchParams.get('from') ?? '', url.searchParams.get('to') ?? '']
    switch (url.pathname) {
      case '/api/graph':
        return graphAt(url.searchParams.get('at') ?? '', response)
      case '/api/past':
        return send(response, past(url.searchParams.get('from') ?? '', url.searchParams.get('to') ?? ''))
      case '/api/keys':
        return request.method === 'POST' ? changeKey(JSON.parse(await bodyOf(request)) as KeysChange, response) : send(response, api.keys)
      case '/api/events':
        response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
        streams.add(response)
        response.on('close', () => streams.delete(response))
        return emit([response], 'graph', api.graph)
      case '/api/status':
        return send(response, rundown({ ...api.graph, at: new Date().toISOString() }))
      case '/api/why':
        return send(response, why(api.graph, from, to))
      case '/api/history':
        return send(response, { ...history(from, to, (url.searchParams.get('window') ?? '15m') as HistoryWindow), turns: turns(from, to) })
      case '/api/timeline': {
        const before = Number(url.searchParams.get('before') ?? Infinity)
        const until = url.searchParams.get('until')
        const entries = api.changes.filter(({ seq, at }) => seq < before && (until === null || at <= until))
        return send(response, { entries: entries.slice(0, Number(url.searchParams.get('limit'))) })
      }
      case '/api/invite':
        return send(response, {
          command: 'midwatch join mw1-zx81-lantern@10.0.0.1:8777',
          token: 'mw1-zx81-lantern',
          expiresAt: new Date(Date.now() + 600_000).toISOString(),
        })
      case '/api/demo': {
        if (request.method === 'POST') {
          const { id, on } = JSON.parse(await bodyOf(request)) as { id: string; on: boolean }
          api.demo = { ...api.demo, faults: api.demo.faults.map((fault) => (fault.id === id ? { ...fault, on } : fault)) }
        }
        return send(response, api.demo)
      }
      default:
        return send(response, { error: { code: 'MW_NOT_FOUND', message: url.pathname, next: '' } }, 404)
    }
  }

  function graphAt(at: string, response: ServerResponse): void {
    const found = api.kept.findLast((each) => each.at <= at)
    if (found) return send(response, { ...found.graph, at })
    send(
      response,
      { error: { code: 'MW_NO_PAST', message: `Nothing is kept of ${at}: this node was not running.`, next: 'Choose a later time.' } },
      404,
    )
  }

  function past(from: string, to: string): Past {
    const inside = api.changes.filter(({ at }) => at >= from && at <= to).toReversed()
    return {
      from: api.kept[0]?.at ?? null,
      to,
      moments: inside.map(({ at, tone }) => ({ at, changes: 1, bad: tone === 'bad' ? 1 : 0 })),
    }
  }

  function turns(from: string, to: string): TimelineEntry[] {
    return api.changes.filter(({ event }) => event.type === 'link.changed' && event.fromNode === from && event.toName === to).toReversed()
  }

  function changeKey(change: KeysChange, response: ServerResponse): void {
    if (api.oldNodes.length > 0 && !change.force) {
      const message = `${api.oldNodes.join(', ')} cannot take a new key.`
      return send(response, { error: { code: 'MW_OLD_NODES', message, next: 'Update them first.' } }, 409)
    }
    const at = new Date().toISOString()
    const gone = api.graph.nodes.find(({ id }) => id === change.remove)
    if (gone) {
      api.setNodes(
        api.graph.nodes.filter((node) => node !== gone),
        api.graph.links.filter((link) => link.from !== gone.id && link.to !== gone.id),
      )
      api.keys = { ...api.keys, removed: [...api.keys.removed, { identity: gone.identity, id: gone.id, by: api.graph.self, at }] }
    }
    api.keys = { ...api.keys, generation: api.keys.generation + 1, key: 'amber-9', since: at, by: api.graph.self, waiting: [] }
    send(response, api.keys)
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0

  const api: FixtureApi = {
    url: `http://127.0.0.1:${port}/`,
    graph,
    changes: [],
    demo: { simulated: graph.simulated, faults: [] },
    kept: [],
    keys: { grid: graph.grid, generation: 1, key: 'quiet-3', since: null, by: null, waiting: [], removed: [] },
    oldNodes: [],
    signedIn: true,
    setLinks(change) {
      const changed: GraphLink[] = []
      const links = api.graph.links.map((link) => {
        const wanted = change(link)
        if (!wanted) return link
        const next = { ...link, ...wanted, says: wanted.state ?? link.says }
        changed.push(next)
        return next
      })
      api.graph = { ...api.graph, at: new Date().toISOString(), links }
      emit(streams, 'links', { hash: api.graph.hash, at: api.graph.at, links: changed })
    },
    setNodes(nodes, links) {
      api.graph = { ...api.graph, at: new Date().toISOString(), nodes, links: links ?? api.graph.links }
      emit(streams, 'graph', api.graph)
    },
    tell(event, text, tone) {
      const entry = { seq: (api.changes[0]?.seq ?? 0) + 1, at: new Date().toISOString(), text, tone, event }
      api.changes = [entry, ...api.changes]
      emit(streams, 'change', entry)
    },
    cut(refuse) {
      refusing = refuse
      for (const stream of streams) stream.destroy()
    },
    async close() {
      for (const stream of streams) stream.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return api
}

function send(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(JSON.stringify(body))
}

function emit(streams: Iterable<ServerResponse>, event: string, data: unknown): void {
  const text = `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
  for (const stream of streams) stream.write(text)
}

async function file(path: string, response: ServerResponse): Promise<void> {
  const name = path === '/' ? 'index.html' : path.slice(1)
  const url = new URL(name, DIST)
  if (!url.href.startsWith(DIST.href)) return void response.writeHead(404).end()
  try {
    const bytes = await readFile(url)
    response
      .writeHead(200, { 'content-type': TYPES[extname(name)] ?? 'application/octet-stream', 'content-security-policy': POLICY })
      .end(bytes)
  } catch {
    response.writeHead(404).end()
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}

function why(graph: Graph, from: string, to: string): Why {
  const link = graph.links.find((candidate) => candidate.from === from && candidate.to === to) as GraphLink
  const trouble = link.state !== 'up'
  return {
    link,
    sentences: trouble
      ? [
          `6 of the last 10 probes from ${from} to ${to} got no answer.`,
          'The loss began within one second on every flow.',
          `Two other nodes reach ${to} without loss.`,
        ]
      : [`All of the last 60 probes from ${from} to ${to} were answered.`, `Half of them within ${link.rttMsP50} ms.`],
    otherWay: graph.links.find((candidate) => candidate.from === to && candidate.to === from) ?? null,
    viaOthers: graph.links.filter((candidate) => candidate.to === to && candidate.from !== from).slice(0, 50),
    points: [],
  }
}

function history(from: string, to: string, window: HistoryWindow): History {
  const { spanMs, stepMs } = HISTORY_WINDOWS[window]
  const count = Math.floor(spanMs / stepMs)
  const nowMs = Math.floor(Date.now() / stepMs) * stepMs
  const points = Array.from({ length: count }, (_, i): SamplePoint => {
    const bad = i > count * 0.8 && i < count * 0.9
    const rtt = 4 + 2 * Math.sin(i / 40) + ((i * 7_919) % 13) / 10
    const lost = bad ? ((i * 31) % 3 === 0 ? 1 : 0) : 0
    return {
      atMs: nowMs - (count - i) * stepMs,
      sent: 1,
      lost,
      rttMsMin: lost ? null : rtt * 0.8,
      rttMsP50: lost ? null : rtt,
      rttMsMax: lost ? null : rtt * 1.6,
    }
  })
  return { from, to, stepMs, points, turns: [] }
}
