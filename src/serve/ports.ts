import type {
  Demo,
  Doctor,
  Graph,
  History,
  HistoryWindow,
  Invitation,
  Keys,
  KeysChange,
  Nodes,
  Past,
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
  /** The graph as it was. Throws MW_NO_PAST where nothing is kept of that time. */
  graphAt(atMs: number): Promise<Graph>
  /** Null stands for the oldest time kept, and for now. */
  past(fromMs: number | null, toMs: number | null): Promise<Past>
  rundown(): Rundown
  nodes(): Nodes
  targets(): Targets
  why(from: string, to: string): Promise<Why>
  history(from: string, to: string, window: HistoryWindow): Promise<History>
  /** Newest first; `before` is a seq, `untilMs` a time that no entry is later than. */
  timeline(query: { limit: number; before?: number; untilMs?: number }): Promise<Timeline>
  invite(): Promise<Invitation>
  /** Leaves the grid: says goodbye and forgets the grid key. The node runs on alone. */
  leave(): Promise<void>
  keys(): Keys
  /** Changes the grid's key. MW_OLD_NODES, MW_REMOVED and MW_LIMIT say why not. */
  changeKeys(change: KeysChange): Promise<Keys>
  doctor(): Promise<Doctor>
  /** Only in `midwatch demo`. */
  demo: { list(): Demo; set(id: string, on: boolean): Promise<Demo> } | null
  /** Ready once it listens and has probed or has nobody to probe. `waitingFor` is for people. */
  ready(): { ready: boolean; waitingFor: string | null }
  metrics(): Metric[]
  /** Calls back on every change; the answer unsubscribes. */
  subscribe(listener: (event: NodeEvent) => void): () => void
}
