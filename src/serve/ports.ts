import type {
  Demo,
  Doctor,
  Graph,
  History,
  HistoryWindow,
  Invitation,
  Nodes,
  Rundown,
  Targets,
  Timeline,
  TimelineEntry,
  Why,
} from '../contract/index.ts'

/** One figure for /metrics, in Prometheus' terms. Names begin with `midwatch_` and end in their unit; counters in `_total`. */
export type Metric = {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  readonly values: readonly { readonly labels?: Readonly<Record<string, string>>; readonly value: number }[]
}

/** What happened since: `graph` when a node or target came, went or changed; `links` when a link's state or figures moved. */
export type NodeEvent = { readonly type: 'graph' } | { readonly type: 'links' } | { readonly type: 'change'; readonly entry: TimelineEntry }

/** What serve needs from the node. Names that do not exist throw MW_UNKNOWN_NAME. */
export type NodePort = {
  graph(): Graph
  rundown(): Rundown
  nodes(): Nodes
  targets(): Targets
  why(from: string, to: string): Promise<Why>
  history(from: string, to: string, window: HistoryWindow): Promise<History>
  /** Newest first; `before` is a seq. */
  timeline(query: { limit: number; before?: number }): Promise<Timeline>
  invite(): Promise<Invitation>
  /** Leaves the grid: says goodbye and forgets the grid key. The node runs on alone. */
  leave(): Promise<void>
  doctor(): Promise<Doctor>
  /** Only in `midwatch demo`. */
  demo: { list(): Demo; set(id: string, on: boolean): Promise<Demo> } | null
  /** Ready once it listens and has probed or has nobody to probe. `waitingFor` is for people. */
  ready(): { ready: boolean; waitingFor: string | null }
  metrics(): Metric[]
  /** Calls back on every change; the answer unsubscribes. */
  subscribe(listener: (event: NodeEvent) => void): () => void
}
