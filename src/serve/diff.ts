import type { Graph, GraphLink } from '../contract/index.ts'

/** What every event client has been told so far. */
export type Told = {
  /** Everything but links and what merely ticks: when it differs, clients need a whole graph. */
  readonly shape: string
  readonly hash: string
  readonly links: readonly GraphLink[]
}

export type Delta = { readonly whole: true } | { readonly whole: false; readonly links: GraphLink[]; readonly hashMoved: boolean }

/** A figure has to move by this much to be sent again: a whole mesh jitters by less, all of it, every second. */
const RTT_STEP_RATIO = 0.1
const RTT_STEP_MS = 0.1
const LOSS_STEP_RATIO = 0.005

export function tellAll(graph: Graph): Told {
  return { shape: shapeOf(graph), hash: graph.hash, links: graph.links }
}

/** What to tell now, and what will then have been told. Small steps add up: each link is compared with what was sent of it last. */
export function tellMore(told: Told, graph: Graph): { delta: Delta; told: Told } {
  const shape = shapeOf(graph)
  if (shape !== told.shape) return { delta: { whole: true }, told: tellAll(graph) }
  const links: GraphLink[] = []
  const next: GraphLink[] = []
  let kept = 0
  // Links mostly keep their order, and then 40,000 of them need no 40,000 keys.
  let byKey: Map<string, GraphLink> | null = null
  for (const [i, link] of graph.links.entries()) {
    let before = told.links[i]
    if (before === undefined || !isSame(before, link)) {
      byKey ??= new Map(told.links.map((one) => [keyOf(one), one]))
      before = byKey.get(keyOf(link))
    }
    if (before !== undefined) kept++
    if (before !== undefined && !differs(before, link)) next.push(before)
    else {
      links.push(link)
      next.push(link)
    }
  }
  // `links` can add and change, not take away.
  if (kept < told.links.length) return { delta: { whole: true }, told: tellAll(graph) }
  return { delta: { whole: false, links, hashMoved: graph.hash !== told.hash }, told: { shape, hash: graph.hash, links: next } }
}

function isSame(a: GraphLink, b: GraphLink): boolean {
  return a.from === b.from && a.to === b.to && a.toType === b.toType
}

function keyOf(link: GraphLink): string {
  return `${link.from}\n${link.toType}\n${link.to}`
}

function differs(a: GraphLink, b: GraphLink): boolean {
  return (
    a.state !== b.state ||
    a.says !== b.says ||
    a.dead !== b.dead ||
    a.since !== b.since ||
    a.detail !== b.detail ||
    a.kind !== b.kind ||
    moved(a.lossRatio, b.lossRatio, LOSS_STEP_RATIO) ||
    moved(a.rttMsP50, b.rttMsP50, Math.max(RTT_STEP_MS, RTT_STEP_RATIO * (a.rttMsP50 ?? 0)))
  )
}

function moved(a: number | null, b: number | null, step: number): boolean {
  if (a === null || b === null) return a !== b
  // No loss at all is a different thing from a little.
  return Math.abs(a - b) >= step || (a === 0) !== (b === 0)
}

function shapeOf(graph: Graph): string {
  const nodes = graph.nodes.map((n) => [
    n.id,
    n.identity,
    n.site,
    n.state,
    n.since,
    n.address,
    n.program,
    n.incarnation,
    n.degraded,
    n.wantedId,
    n.callsOut,
    n.lies,
  ])
  return JSON.stringify([graph.grid, graph.self, graph.simulated, nodes, graph.targets])
}
