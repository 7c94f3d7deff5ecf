import type {
  Degraded,
  Direction,
  Graph,
  GraphLink,
  GraphNode,
  GraphTarget,
  Identity,
  Lie,
  LinkState,
  NodeState,
  ProbeKind,
} from '../../contract/index.ts'
import { assignLabels } from './labels.ts'

/** One link as its observer's row tells it. */
export type RowLink = {
  readonly toType: 'node' | 'target'
  /** Identity of a node, or name of a target. */
  readonly to: string
  readonly kind: ProbeKind
  readonly state: LinkState
  readonly dead: Direction | null
  /** The observer's wall clock. */
  readonly sinceMs: number | null
  readonly detail: string | null
  readonly lossRatio: number | null
  readonly rttMsP50: number | null
  /** Of a target: where it is probed, and at which site it is. */
  readonly address?: string | null
  readonly site?: string | null
}

/** One node: what membership says of it, and its row. A node whose row has not arrived has version 0 and no links. */
export type NodeFacts = {
  readonly identity: Identity
  /** The label that it asks for. */
  readonly id: string
  readonly site: string
  readonly address: string | null
  readonly program: string
  readonly state: NodeState
  readonly sinceMs: number | null
  readonly incarnation: number
  readonly version: number
  readonly degraded: readonly Degraded[]
  /** What it was caught at. */
  readonly lies?: readonly Lie[]
  readonly rowAgeMs: number
  readonly links: readonly RowLink[]
}

export type MergeInput = {
  readonly self: Identity
  /** A row whose owner has been silent for longer speaks for nobody. */
  readonly staleAfterMs: number
  readonly nodes: readonly NodeFacts[]
}

export type MergedGraph = Pick<Graph, 'self' | 'nodes' | 'targets' | 'links'>

/** A node with its links by destination. Of two links to one destination in a row the first counts. */
type Observer = {
  readonly facts: NodeFacts
  readonly label: string
  readonly stale: boolean
  readonly toNodes: ReadonlyMap<string, RowLink>
  readonly toTargets: ReadonlyMap<string, RowLink>
}

/**
 * All rows as one graph. Pure and in a fixed order: equal input gives equal output, whatever order it comes in.
 *
 * A link is shown as its observer says, but for three rules:
 * - the row is stale, or its owner is down: `stale`;
 * - A says B is `down`, and B says that it hears A while A does not hear it (B's link to A is `one-way`, dead `out`): A's link is `one-way`, dead `in`;
 * - A itself says that it hears nobody: then its `down` towards a node that does not call A `down` is `one-way`, dead `in`, too.
 *
 * Nodes that left keep their place among the nodes; links from and to them are gone.
 */
export function mergeGraph({ self, staleAfterMs, nodes }: MergeInput): MergedGraph {
  const labels = assignLabels(nodes)
  const observers = nodes
    .map((facts) => observe(facts, labels.get(facts.identity) as string, staleAfterMs))
    .sort((a, b) => compare(a.label, b.label))
  const byIdentity = new Map(observers.map((observer) => [observer.facts.identity as string, observer]))
  const iso = isoCache()
  const graphNodes = observers.map(({ facts, label }): GraphNode => ({
    id: label,
    identity: facts.identity,
    site: facts.site,
    state: facts.state,
    since: iso(facts.sinceMs),
    address: facts.address,
    program: facts.program,
    incarnation: facts.incarnation,
    rowVersion: facts.version,
    rowAgeMs: facts.rowAgeMs,
    degraded: [...facts.degraded],
    callsOut: facts.address === null,
    lies: [...(facts.lies ?? [])],
    wantedId: label === facts.id ? null : facts.id,
    self: facts.identity === self,
  }))

  const links: GraphLink[] = []
  for (const from of observers) {
    if (from.facts.state === 'left') continue
    // Walking the observers, not the row, yields the destinations in label order without a sort.
    for (const to of observers) {
      const link = from === to || to.facts.state === 'left' ? undefined : from.toNodes.get(to.facts.identity)
      if (link) links.push(asGraphLink(link, from.label, to.label, shownState(link, from, byIdentity.get(link.to)), iso))
    }
    for (const name of [...from.toTargets.keys()].sort(compare)) {
      const link = from.toTargets.get(name) as RowLink
      links.push(asGraphLink(link, from.label, name, shownState(link, from, undefined), iso))
    }
  }
  return { self: labels.get(self) ?? self, nodes: graphNodes, targets: mergeTargets(observers), links }
}

function observe(facts: NodeFacts, label: string, staleAfterMs: number): Observer {
  const toNodes = new Map<string, RowLink>()
  const toTargets = new Map<string, RowLink>()
  for (const link of facts.links) {
    const known = link.toType === 'node' ? toNodes : toTargets
    if (!known.has(link.to)) known.set(link.to, link)
  }
  return { facts, label, stale: facts.state === 'down' || facts.rowAgeMs > staleAfterMs, toNodes, toTargets }
}

type Shown = Pick<RowLink, 'state' | 'dead'> & { readonly sinceMs?: number | null }
const HEARS_NOT: Shown = { state: 'one-way', dead: 'in' }

function shownState(link: RowLink, from: Observer, to: Observer | undefined): Shown {
  // What it last said began some time before; that nobody can say began when it went down.
  if (from.stale) return { state: 'stale', dead: null, sinceMs: from.facts.state === 'down' ? from.facts.sinceMs : null }
  if (link.state !== 'down' || !to || to.stale) return link
  const back = to.toNodes.get(from.facts.identity)
  if (!back) return link
  if (back.state === 'one-way' && back.dead === 'out') return HEARS_NOT
  const answers = back.state !== 'down' && back.state !== 'unknown' && back.state !== 'stale'
  return answers && from.facts.degraded.includes('hears-nobody') ? HEARS_NOT : link
}

function asGraphLink(link: RowLink, from: string, to: string, shown: Shown, iso: (ms: number | null) => string | null): GraphLink {
  return {
    from,
    to,
    toType: link.toType,
    kind: link.kind,
    state: shown.state,
    says: link.state,
    dead: shown.state === 'one-way' ? shown.dead : null,
    since: iso(shown.sinceMs === undefined ? link.sinceMs : shown.sinceMs),
    lossRatio: link.lossRatio,
    rttMsP50: link.rttMsP50,
    detail: link.detail,
  }
}

/** Observers may disagree about a target of the same name: the observer with the lowest identity describes it. */
function mergeTargets(observers: readonly Observer[]): GraphTarget[] {
  const targets = new Map<string, GraphTarget>()
  for (const { facts, toTargets } of observers.toSorted((a, b) => compare(a.facts.identity, b.facts.identity))) {
    if (facts.state === 'left') continue
    for (const [id, link] of toTargets) {
      if (!targets.has(id)) targets.set(id, { id, kind: link.kind, address: link.address ?? '', site: link.site ?? null })
    }
  }
  return [...targets.values()].sort((a, b) => compare(a.id, b.id))
}

/** By code unit: the same on every machine, which a locale's order is not. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

const LAST_ISO_MS = Date.UTC(9999, 11, 31)

/** Many links share a moment, and a row may carry a time that no date can hold. */
function isoCache(): (ms: number | null) => string | null {
  const known = new Map<number, string>()
  return (ms) => {
    if (ms === null || !(ms >= 0 && ms <= LAST_ISO_MS)) return null
    let text = known.get(ms)
    if (text === undefined) {
      text = new Date(ms).toISOString()
      known.set(ms, text)
    }
    return text
  }
}
