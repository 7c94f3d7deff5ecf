import { existsSync, readFileSync } from 'node:fs'
import { Agent, request, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { callbackify } from 'node:util'
import type { Graph, GraphLink, LinksChanged, Rundown, Timeline, TimelineEntry } from '../../../src/contract/index.ts'
import type { Host } from './namespaces.ts'
import type { LabProcess } from './processes.ts'

export const MIDWATCH = join(import.meta.dirname, '../../../bin/midwatch')
const PORT = 8777

/** A real node on a host of the lab, and its API. Started again, it finds its data folder as it left it. */
export type LabNode = {
  readonly id: string
  readonly host: Host
  readonly dataDir: string
  readonly process: LabProcess
  /** Ready by its own /readyz; answers ms from its start until then, seen from outside. */
  start(): Promise<number>
  kill(): Promise<void>
  get<T>(path: string): Promise<T>
  getText(path: string): Promise<string>
  post<T>(path: string): Promise<T>
  /** What is known of it, kept up to date by its own event stream. */
  watch(): Promise<Watch>
  /** Ends the event stream, for a node works less when nobody listens. */
  unwatch(): void
}

export type LabNodeOptions = {
  readonly id: string
  readonly host: Host
  readonly dataDir: string
  /** Arguments of `midwatch` after `--id` and `--data`. */
  readonly args: readonly string[]
  readonly verb?: readonly [string, ...string[]]
  readonly env?: Readonly<Record<string, string>>
}

export function labNode(options: LabNodeOptions): LabNode {
  const { id, host, dataDir } = options
  let running: LabProcess | null = null
  let watch: Watch | null = null
  const agent = new Agent({ keepAlive: true, maxSockets: 2 })
  const connect = callbackify((port: number) => host.connect(port))
  agent.createConnection = (_options, callback) => {
    connect(PORT, (error, socket) => callback?.(error, socket))
    return undefined
  }

  function ask(method: string, path: string): Promise<IncomingMessage> {
    const tokenFile = join(dataDir, 'token')
    const headers = existsSync(tokenFile) ? { Authorization: `Bearer ${readFileSync(tokenFile, 'utf8').trim()}` } : {}
    return new Promise((resolve, reject) => {
      const asked = request({ agent, method, path, headers, host: '127.0.0.1', port: PORT }, resolve)
      // A kept connection may be closed by the node at the moment it is used again.
      asked.on('error', (error) => (asked.reusedSocket && method === 'GET' ? ask(method, path).then(resolve, reject) : reject(error)))
      asked.end()
    })
  }
  async function getText(path: string, method = 'GET'): Promise<string> {
    const answer = await ask(method, path).catch((error: unknown) => {
      const state = running?.running === true ? 'runs' : 'has ended'
      throw new Error(`${id}, which ${state}, did not answer ${path}; its last lines:\n${running?.lastLines()}`, { cause: error })
    })
    const text = await bodyOf(answer)
    if (answer.statusCode !== 200) throw new Error(`${id} answered ${answer.statusCode} to ${path}: ${text}`)
    return text
  }

  const node: LabNode = {
    id,
    host,
    dataDir,
    get process() {
      if (running === null) throw new Error(`${id} was not started`)
      return running
    },
    async start() {
      const verb = options.verb ?? ['up']
      const started = host.start([MIDWATCH, ...verb, '--id', id, '--data', dataDir, ...options.args], { env: options.env ?? {} })
      running = started
      for (;;) {
        if (!started.running) throw new Error(`${id} ended at its start:\n${started.lastLines()}`)
        const answer = await Promise.race([ask('GET', '/readyz').catch(() => null), started.exited])
        if (!answer) continue
        const text = await bodyOf(answer)
        const tookMs = performance.now() - started.startedAtMs
        if (answer.statusCode === 200) return tookMs
        if (tookMs > 30_000) throw new Error(`${id} is not ready after 30 s: ${text}\n${started.lastLines()}`)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    },
    async kill() {
      node.unwatch()
      await running?.kill()
      agent.destroy()
    },
    getText,
    get: async (path) => JSON.parse(await getText(path)) as never,
    post: async (path) => JSON.parse(await getText(path, 'POST')) as never,
    async watch() {
      if (watch !== null && !watch.closed) return watch
      const answer = await ask('GET', '/api/events')
      if (answer.statusCode !== 200) throw new Error(`${id} answered ${answer.statusCode} to /api/events`)
      watch = new Watch(id, answer)
      const opened = watch
      await opened.until(() => opened.hash !== '', 10_000)
      return opened
    },
    unwatch() {
      watch?.close()
      watch = null
    },
  }
  return node
}

async function bodyOf(answer: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of answer) text += String(chunk)
  return text
}

/** One node's view, as its event stream tells it. */
export class Watch {
  readonly id: string
  hash = ''
  readonly nodes = new Map<string, Graph['nodes'][number]>()
  readonly links = new Map<string, GraphLink>()
  readonly changes: TimelineEntry[] = []
  closed = false
  readonly #answer: IncomingMessage
  readonly #waiting = new Set<() => void>()

  constructor(id: string, answer: IncomingMessage) {
    this.id = id
    this.#answer = answer
    let pending = ''
    answer.setEncoding('utf8')
    answer.on('data', (chunk: string) => {
      pending += chunk
      const frames = pending.split('\n\n')
      pending = frames.pop() ?? ''
      for (const frame of frames) this.#take(frame)
      for (const check of this.#waiting) check()
    })
    const end = (): void => void (this.closed = true)
    answer.once('close', end).once('error', end)
  }

  #take(frame: string): void {
    const [, name, data] = /^event: (\w+)\ndata: (.*)$/s.exec(frame) ?? []
    if (name === undefined || data === undefined) return
    const value: unknown = JSON.parse(data)
    if (name === 'graph') {
      const graph = value as Graph
      this.hash = graph.hash
      this.nodes.clear()
      this.links.clear()
      for (const node of graph.nodes) this.nodes.set(node.id, node)
      for (const link of graph.links) this.links.set(linkName(link.from, link.to), link)
    } else if (name === 'links') {
      const changed = value as LinksChanged
      this.hash = changed.hash
      for (const link of changed.links) this.links.set(linkName(link.from, link.to), link)
    } else if (name === 'change') {
      this.changes.push(value as TimelineEntry)
    }
  }

  link(from: string, to: string): GraphLink | undefined {
    return this.links.get(linkName(from, to))
  }

  /** Resolves with `performance.now()` of the moment at which it held; null when the time was up. */
  until(holds: () => boolean, timeoutMs: number): Promise<number | null> {
    if (holds()) return Promise.resolve(performance.now())
    return new Promise((resolve) => {
      const settle = (atMs: number | null): void => {
        clearTimeout(timer)
        this.#waiting.delete(check)
        resolve(atMs)
      }
      const check = (): void => {
        if (holds()) settle(performance.now())
      }
      const timer = setTimeout(() => settle(null), timeoutMs)
      this.#waiting.add(check)
    })
  }

  close(): void {
    this.#answer.destroy()
    this.closed = true
  }
}

const linkName = (from: string, to: string): string => `${from} ${to}`

/** When each of the watches first held; null where it did not in time. */
export function untilEach(watches: readonly Watch[], holds: (watch: Watch) => boolean, timeoutMs: number): Promise<(number | null)[]> {
  return Promise.all(watches.map((watch) => watch.until(() => holds(watch), timeoutMs)))
}

export const hashOf = async (node: LabNode): Promise<string> => (await node.get<Rundown>('/api/status')).hash

/** The whole journal of a node from `sinceSeq` on, oldest first. */
export async function journalSince(node: LabNode, sinceSeq: number): Promise<TimelineEntry[]> {
  const all: TimelineEntry[] = []
  let before = ''
  for (;;) {
    const { entries } = await node.get<Timeline>(`/api/timeline?limit=1000${before}`)
    all.push(...entries.filter((entry) => entry.seq > sinceSeq))
    const last = entries.at(-1)
    if (last === undefined || last.seq <= sinceSeq + 1 || last.seq === 1) return all.toReversed()
    before = `&before=${last.seq}`
  }
}

export async function lastSeq(node: LabNode): Promise<number> {
  const { entries } = await node.get<Timeline>('/api/timeline?limit=1')
  return entries[0]?.seq ?? 0
}
