import {
  HISTORY_WINDOWS,
  linkKey,
  LIMITS,
  LINK_DETAILS,
  MidwatchError,
  type Graph,
  type GraphLink,
  type GraphNode,
  type History,
  type HistoryWindow,
  type Identity,
  type Nodes,
  type Targets,
  type TimelineEntry,
  type Why,
} from '../contract/index.ts'
import { assignLabels, mergeGraph, type NodeFacts, type RowLink } from '../judge/index.ts'
import type { Clock } from '../platform/index.ts'
import type { Store } from '../store/index.ts'
import { notProbedText, whySentences } from '../tell/index.ts'
import { cardOf } from './facts.ts'
import type { OwnLinks } from './own-links.ts'
import type { Seat } from './seat.ts'

type Figure = { readonly lossRatio: number | null; readonly rttMsP50: number | null }

export type ViewsOptions = {
  readonly clock: Clock
  readonly ownLinks: OwnLinks
  readonly store: Store
  readonly seat: Seat
  readonly simulated: boolean
  /** The link's changes of state since then, oldest first. */
  turns(link: GraphLink, fromMs: number): Promise<TimelineEntry[]>
}

/** How long a merged graph may be shown again when no state changed: only ages and figures move meanwhile. */
const FIGURES_MS = 500

/** A node's label, and the one that it asked for where that is another's. */
type ShownNode = Pick<GraphNode, 'identity' | 'id' | 'wantedId'>

/** The graph, and what is read off it: made from the grid's rows when somebody looks. */
export class Views {
  readonly #options: ViewsOptions
  /** The figures last told of each link, by observer and then by destination. */
  readonly #figures = new Map<Identity, Map<string, Figure>>()
  #labels: ReadonlyMap<Identity, string> = new Map()
  #cached: { graph: Graph; atMs: number } | null = null

  constructor(options: ViewsOptions) {
    this.#options = options
  }

  /** A row, a member or an own state changed: the next look merges anew. */
  changed(): void {
    this.#cached = null
  }

  /** Takes in the figures that a node told last. */
  learnFigures(identity: Identity): void {
    const { table } = this.#options.seat.grid
    const entry = table.get(identity)
    if (!entry) return
    const told = table.figures(identity)
    const figures = new Map<string, Figure>()
    const atMs = this.#options.clock.wallMs()
    entry.row.links.forEach((link, i) => {
      const figure = told[i]
      if (!figure || link.state === 'unknown') return
      const [lossPerMille, rttUs] = figure
      const rttMsP50 = rttUs === null ? null : rttUs / 1_000
      figures.set(`${link.toType}:${link.to}`, { lossRatio: lossPerMille / 1_000, rttMsP50 })
      const sent = 100
      this.#options.store.recordSketch({
        link: linkKey(identity, link.toType, link.to),
        atMs,
        sent,
        lost: Math.round((lossPerMille / 1_000) * sent),
        rttMsP50,
      })
    })
    this.#figures.set(identity, figures)
  }

  /** What each node is shown as now. Cheap, unlike the graph: it is asked whenever somebody comes or goes. */
  relabel(): ShownNode[] {
    const { grid } = this.#options.seat
    const rows = [...grid.table.entries()].map(({ row }) => row)
    const labels = assignLabels(rows.map(({ identity, id }) => ({ identity, id, state: grid.member(identity)?.state ?? 'up' })))
    this.#labels = labels as Map<Identity, string>
    return rows.map(({ identity, id }) => {
      const shown = labels.get(identity) ?? id
      return { identity, id: shown, wantedId: shown === id ? null : id }
    })
  }

  graph(): Graph {
    const nowMs = this.#options.clock.monoMs()
    if (this.#cached && nowMs - this.#cached.atMs < FIGURES_MS) return this.#cached.graph
    const { grid, name } = this.#options.seat
    const nodes = [...grid.table.entries()].map(({ row, heardMs }): NodeFacts => {
      const isSelf = row.identity === grid.self
      return {
        ...cardOf(grid, row),
        rowAgeMs: isSelf ? 0 : Math.max(0, Math.round(nowMs - heardMs)),
        links: row.links.map((link): RowLink => ({ ...link, ...this.#figureOf(row.identity, isSelf, link) })),
      }
    })
    const merged = mergeGraph({ self: grid.self, staleAfterMs: grid.pace.staleAfterMs, nodes })
    const graph: Graph = {
      hash: Buffer.from(grid.table.hash()).toString('hex'),
      at: new Date(this.#options.clock.wallMs()).toISOString(),
      grid: name,
      simulated: this.#options.simulated,
      ...merged,
    }
    this.#cached = { graph, atMs: nowMs }
    return graph
  }

  #figureOf(observer: Identity, isSelf: boolean, link: { toType: 'node' | 'target'; to: string }): Figure {
    const figure = isSelf
      ? this.#options.ownLinks.verdict(link.toType, link.to)
      : this.#figures.get(observer)?.get(`${link.toType}:${link.to}`)
    return { lossRatio: figure?.lossRatio ?? null, rttMsP50: figure?.rttMsP50 ?? null }
  }

  /** What a node is shown as. */
  labelOf(identity: Identity): string | null {
    return this.#labels.get(identity) ?? null
  }

  nodes(): Nodes {
    return { nodes: this.graph().nodes }
  }

  targets(): Targets {
    const { targets, links } = this.graph()
    return {
      targets: targets.map((target) => ({ ...target, links: links.filter((link) => link.toType === 'target' && link.to === target.id) })),
    }
  }

  async why(from: string, to: string): Promise<Why> {
    const graph = this.graph()
    const link = findLink(graph, from, to)
    const node = (id: string): GraphNode | null => graph.nodes.find((node) => node.id === id) ?? null
    const isNode = link.toType === 'node'
    const otherWay = isNode
      ? (graph.links.find((other) => other.from === to && other.to === from && other.toType === 'node') ?? null)
      : null
    const viaOthers = graph.links.filter((other) => other.to === to && other.toType === link.toType && other.from !== from)
    const lines = graph.links.filter((line) => line.from === to && line.detail?.endsWith(LINK_DETAILS.line)).map((line) => line.to)
    const nowMs = this.#options.clock.wallMs()
    const points = node(from)?.self ? await this.#options.store.history(keyOf(graph, link), nowMs - 60_000, nowMs, 1_000) : []
    const rttMsUsual = node(from)?.self
      ? (this.#options.ownLinks.verdict(link.toType, isNode ? (node(to)?.identity ?? to) : to)?.rttMsUsual ?? null)
      : null
    const context = {
      at: graph.at,
      from: node(from),
      to: isNode ? node(to) : null,
      otherWay,
      viaOthers,
      points,
      rttMsUsual,
      lines: node(to)?.callsOut ? lines : [],
    }
    return { link, sentences: whySentences(link, context), otherWay, viaOthers, points }
  }

  async history(from: string, to: string, window: HistoryWindow): Promise<History> {
    const graph = this.graph()
    const link = findLink(graph, from, to)
    const { spanMs, stepMs } = HISTORY_WINDOWS[window]
    const nowMs = this.#options.clock.wallMs()
    // Another node's samples stay there; its pulses are kept in steps of 10 s.
    const step = graph.nodes.find((node) => node.id === from)?.self ? stepMs : Math.max(stepMs, 10_000)
    const [points, turns] = await Promise.all([
      this.#options.store.history(keyOf(graph, link), nowMs - spanMs, nowMs, step),
      this.#options.turns(link, nowMs - spanMs),
    ])
    return { from, to, stepMs: step, points: points.slice(-LIMITS.historyPoints), turns }
  }
}

function findLink(graph: Graph, from: string, to: string): GraphLink {
  if (!graph.nodes.some((node) => node.id === from)) throw new MidwatchError('MW_UNKNOWN_NAME', `no node is called ${from}`)
  const links = graph.links.filter((link) => link.from === from && link.to === to)
  const link = links.find((link) => link.toType === 'node') ?? links[0]
  if (link) return link
  const exists = graph.nodes.some((node) => node.id === to) || graph.targets.some((target) => target.id === to)
  if (exists) throw new MidwatchError('MW_NOT_PROBED', notProbedText(graph, from, to))
  throw new MidwatchError('MW_UNKNOWN_NAME', `no node or target is called ${to}`)
}

function keyOf(graph: Graph, link: GraphLink): string {
  const identity = (id: string): string => graph.nodes.find((node) => node.id === id)?.identity ?? id
  return linkKey(identity(link.from), link.toType, link.toType === 'node' ? identity(link.to) : link.to)
}
