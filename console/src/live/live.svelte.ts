import type { Graph, LinksChanged, Rundown, TimelineEntry } from '../../../src/contract/index.ts'
import { type Links, applyLinks, indexLinks } from '../model/links.ts'
import { Unauthorised, api } from './api.ts'

export type Connection =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  | { readonly kind: 'lost'; readonly sinceMs: number }
  | { readonly kind: 'unauthorised' }

const RETRY_MS = 2_000
/** A grid of one node has nothing to say for long, so silence alone proves nothing: then the node is asked. */
const SILENT_MS = 6_000
const CHANGES_KEPT = 1_000

/** The one home of what the page knows. It listens to one node's events for as long as the page is open. */
class Live {
  connection = $state.raw<Connection>({ kind: 'connecting' })
  /** Nodes and targets; its `links` are as of the last `graph` event, the current ones are in `links`. */
  graph = $state.raw<Graph | null>(null)
  links = $state.raw<Links>(new Map())
  /** Counts changes of the picture: who is there, and link states. Figures alone leave it. */
  shape = $state(0)
  rundown = $state.raw<Rundown | null>(null)
  /** Newest first. */
  changes = $state.raw<readonly TimelineEntry[]>([])
  olderChanges = $state(true)
  /** The node's wall clock, to the second. */
  nowMs = $state(Date.now())

  #source: EventSource | null = null
  #skewMs = 0
  #heardMs = Date.now()
  #rundownWanted = false
  #rundownUnderWay = false

  start(): void {
    this.#connect()
    void this.#loadChanges()
    setInterval(() => this.#tick(), 1_000)
    addEventListener('online', () => this.#retryNow())
  }

  async loadOlderChanges(): Promise<void> {
    const before = this.changes.at(-1)?.seq
    const { entries } = await api.timeline(before === undefined ? { limit: 200 } : { limit: 200, before })
    this.olderChanges = entries.length === 200
    this.changes = [...this.changes, ...entries.filter(({ seq }) => before === undefined || seq < before)]
  }

  #connect(): void {
    this.#source?.close()
    const source = new EventSource(api.events)
    this.#source = source
    const on = <T>(name: string, take: (data: T) => void): void =>
      source.addEventListener(name, (event) => {
        if (source !== this.#source) return
        this.#heard()
        take(JSON.parse((event as MessageEvent<string>).data) as T)
      })
    on<Graph>('graph', (graph) => {
      this.#skewMs = Date.parse(graph.at) - Date.now()
      this.nowMs = Date.now() + this.#skewMs
      this.graph = graph
      this.links = indexLinks(graph.links)
      this.shape++
      this.#wantRundown()
    })
    on<LinksChanged>('links', (changed) => {
      const { links, stateChanged } = applyLinks(this.links, changed.links)
      this.links = links
      if (stateChanged) {
        this.shape++
        this.#wantRundown()
      }
    })
    on<TimelineEntry>('change', (entry) => {
      if (this.changes.some(({ seq }) => seq === entry.seq)) return
      this.changes = [entry, ...this.changes].slice(0, CHANGES_KEPT)
      this.#wantRundown()
    })
    source.onopen = () => {
      if (source !== this.#source) return
      const back = this.connection.kind === 'lost'
      this.#heard()
      // The node may have been started anew, with a journal that counts from one again.
      if (back) {
        this.changes = []
        void this.#loadChanges()
      }
    }
    source.onerror = () => {
      if (source === this.#source) void this.#lose()
    }
  }

  /** The browser gives up for good on an answer that is no stream, so the page tries again by itself. */
  async #lose(): Promise<void> {
    this.#source?.close()
    this.#source = null
    if (this.connection.kind !== 'lost') this.connection = { kind: 'lost', sinceMs: this.nowMs }
    try {
      await api.rundown()
    } catch (error) {
      if (error instanceof Unauthorised) {
        this.connection = { kind: 'unauthorised' }
        return
      }
    }
    setTimeout(() => this.#retryNow(), RETRY_MS)
  }

  #retryNow(): void {
    if (this.#source === null && this.connection.kind !== 'unauthorised') this.#connect()
  }

  #heard(): void {
    this.#heardMs = Date.now()
    if (this.connection.kind !== 'live') this.connection = { kind: 'live' }
  }

  #tick(): void {
    this.nowMs = Date.now() + this.#skewMs
    if (this.connection.kind !== 'live' || Date.now() - this.#heardMs < SILENT_MS) return
    this.#heardMs = Date.now()
    const source = this.#source
    const inTime = AbortSignal.timeout(SILENT_MS / 2)
    fetch('healthz', { signal: inTime, cache: 'no-store' }).catch(() => {
      if (source !== null && source === this.#source) void this.#lose()
    })
  }

  /** One request at a time; what changes meanwhile asks once more. */
  #wantRundown(): void {
    this.#rundownWanted = true
    if (this.#rundownUnderWay) return
    this.#rundownUnderWay = true
    void this.#loadRundown()
  }

  async #loadRundown(): Promise<void> {
    try {
      while (this.#rundownWanted) {
        this.#rundownWanted = false
        this.rundown = await api.rundown()
        await new Promise((resolve) => setTimeout(resolve, 300))
      }
    } catch {
      // The stream notices a lost node by itself; the verdict is then shown as no longer live.
    } finally {
      this.#rundownUnderWay = false
    }
  }

  async #loadChanges(): Promise<void> {
    try {
      const { entries } = await api.timeline({ limit: 200 })
      const newest = entries[0]?.seq ?? 0
      this.changes = [...this.changes.filter(({ seq }) => seq > newest), ...entries]
      this.olderChanges = entries.length === 200
    } catch {
      // Without a store there is no past; what happens from now on is still listed.
      this.olderChanges = false
    }
  }
}

export const live = new Live()
