import { LIMITS, type EVENT_NAMES, type Graph, type LinksChanged, type TimelineEntry } from '../contract/index.ts'
import { every, type Clock } from '../platform/index.ts'
import { tellAll, tellMore, type Told } from './diff.ts'
import type { NodeEvent, NodePort } from './ports.ts'

/** One client's half-open answer. */
export type EventStream = {
  write(bytes: Uint8Array): void
  /** Written but not yet taken by the network. */
  bufferedBytes(): number
  onDrain(listener: () => void): void
  onClose(listener: () => void): void
  destroy(): void
}

export type EventHub = {
  /** False when there are LIMITS.eventClients already, or the hub is closed. */
  attach(stream: EventStream): boolean
  readonly counters: { clients: number; dropped: number }
  close(): void
}

/** State changes wait this long for company; figures are sent at most this often. */
const STATES_MS = 100
const FIGURES_MS = 1_000
const HEARTBEAT_MS = 15_000
/** A client with more than this waiting gets nothing until it has drained, then a fresh graph. */
const BEHIND_BYTES = 1_048_576
/** A client that takes nothing for this long is cut; its browser comes back by itself. */
const STALLED_MS = 30_000
/** Making events may cost one part in this many of the main thread; beyond that, ticks spread out. */
const COST_SHARE = 10

type Client = { stream: EventStream; behindSinceMs: number | null }

/** Tells all clients the same: one diff and one encoding per tick, however many listen. Works only while somebody listens. */
export function createEventHub(options: {
  node: Pick<NodePort, 'graph' | 'subscribe'>
  clock: Clock
  unexpected: (error: unknown) => void
}): EventHub {
  const { node, clock } = options
  const clients = new Set<Client>()
  const counters = { clients: 0, dropped: 0 }
  let watch: Watch | null = null
  let closed = false

  type Watch = {
    told: Told
    graph: Graph
    /** The whole graph as bytes, made when somebody needs it. */
    encoded: Uint8Array | null
    changes: TimelineEntry[]
    tickedAtMs: number
    costMs: number
    due: { atMs: number; cancel: () => void } | null
    stop: () => void
  }

  function attach(stream: EventStream): boolean {
    if (closed || clients.size >= LIMITS.eventClients) return false
    const current = (watch ??= startWatch())
    const client: Client = { stream, behindSinceMs: null }
    clients.add(client)
    counters.clients = clients.size
    stream.onDrain(() => catchUp(client))
    stream.onClose(() => {
      clients.delete(client)
      counters.clients = clients.size
      if (clients.size === 0) stopWatch()
    })
    stream.write(Buffer.from('retry: 2000\n\n'))
    stream.write(wholeGraph(current))
    return true
  }

  function startWatch(): Watch {
    const graph = node.graph()
    const unsubscribe = node.subscribe(onEvent)
    const stopHeart = every(clock, HEARTBEAT_MS, beat)
    const stop = (): void => {
      unsubscribe()
      stopHeart()
    }
    return { told: tellAll(graph), graph, encoded: null, changes: [], tickedAtMs: clock.monoMs(), costMs: 0, due: null, stop }
  }

  function stopWatch(): void {
    watch?.due?.cancel()
    watch?.stop()
    watch = null
  }

  function onEvent(event: NodeEvent): void {
    if (watch === null) return
    if (event.type === 'change') {
      watch.changes.push(event.entry)
      if (watch.changes.length > LIMITS.timelineEntries) watch.changes.shift()
    }
    const nowMs = clock.monoMs()
    const notBeforeMs = watch.tickedAtMs + Math.max(event.type === 'links' ? FIGURES_MS : 0, COST_SHARE * watch.costMs)
    const atMs = Math.max(nowMs + STATES_MS, notBeforeMs)
    if (watch.due !== null && watch.due.atMs <= atMs) return
    watch.due?.cancel()
    watch.due = { atMs, cancel: clock.after(atMs - nowMs, tick) }
  }

  function tick(): void {
    if (watch === null) return
    watch.due = null
    const startMs = clock.monoMs()
    try {
      const bytes = news(watch)
      if (bytes !== null) for (const client of clients) deliver(client, bytes)
    } catch (error) {
      options.unexpected(error)
    }
    if (watch === null) return
    watch.tickedAtMs = clock.monoMs()
    watch.costMs = watch.tickedAtMs - startMs
  }

  function news(current: Watch): Uint8Array | null {
    const graph = node.graph()
    const { delta, told } = tellMore(current.told, graph)
    current.told = told
    current.graph = graph
    current.encoded = null
    const parts: Uint8Array[] = []
    if (delta.whole) parts.push(wholeGraph(current))
    else if (delta.links.length > 0 || delta.hashMoved) {
      const changed: LinksChanged = { hash: graph.hash, at: graph.at, links: delta.links }
      parts.push(frame('links', changed))
    }
    for (const entry of current.changes) parts.push(frame('change', entry))
    current.changes = []
    if (parts.length === 0) return null
    return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts)
  }

  function wholeGraph(current: Watch): Uint8Array {
    return (current.encoded ??= frame('graph', current.graph))
  }

  function deliver(client: Client, bytes: Uint8Array): void {
    if (client.behindSinceMs !== null) return
    if (client.stream.bufferedBytes() > BEHIND_BYTES) {
      client.behindSinceMs = clock.monoMs()
      counters.dropped++
    } else client.stream.write(bytes)
  }

  function catchUp(client: Client): void {
    if (watch === null || client.behindSinceMs === null || !clients.has(client)) return
    client.behindSinceMs = null
    client.stream.write(wholeGraph(watch))
  }

  function beat(): void {
    const nowMs = clock.monoMs()
    for (const client of clients) {
      if (client.behindSinceMs === null) client.stream.write(HEARTBEAT)
      else if (nowMs - client.behindSinceMs > STALLED_MS) client.stream.destroy()
    }
  }

  function close(): void {
    closed = true
    for (const client of clients) client.stream.destroy()
    clients.clear()
    counters.clients = 0
    stopWatch()
  }

  return { attach, counters, close }
}

const HEARTBEAT = Buffer.from(':\n\n')

function frame(name: (typeof EVENT_NAMES)[number], data: Graph | LinksChanged | TimelineEntry): Uint8Array {
  return Buffer.from(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
}
