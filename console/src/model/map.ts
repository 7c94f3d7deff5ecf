import type { Graph, GraphNode, LinkState, NodeState } from '../../../src/contract/index.ts'
import { RING_SITES, type Spot } from './layout.ts'
import type { Links } from './links.ts'
import { LOOKS, degradedWords, isTroubled, isUnprobeable, worst } from './states.ts'

/** Group of targets that no site was given for. */
export const NO_SITE = 'no site'
/** More links than this are no picture any more: only the troubled ones are drawn, the rest as one line for each pair of sites. */
export const CROWDED_LINKS = 200
/** More troubled links than this between two sites are drawn as one, with their number. */
const BUNDLED_LINKS = 6

export type MapNode = {
  readonly id: string
  readonly name: string
  readonly kind: 'node' | 'target'
  readonly group: string
  readonly label: string
  readonly state: NodeState
  readonly self: boolean
  readonly callsOut: boolean
  readonly lies: boolean
  readonly trouble: LinkState | 'none'
}
export type MapEdge = {
  readonly id: string
  readonly source: string
  readonly target: string
  readonly kind: 'link' | 'bundle'
  readonly state: LinkState
  /** Which end of a one-way link the dead direction points to. */
  readonly dead: 'out' | 'in' | 'none'
  readonly unprobeable: boolean
  readonly label: string
  /** A bundle's two sites, which the matrix opens. */
  readonly sites: readonly [string, string] | null
}
export type MapModel = {
  readonly crowded: boolean
  readonly groups: readonly string[]
  readonly nodes: readonly MapNode[]
  readonly edges: readonly MapEdge[]
}

export const nodeKey = (id: string): string => `n:${id}`
export const targetKey = (id: string): string => `t:${id}`
export const groupKey = (site: string): string => `s:${site}`

export function isCrowded(links: Links): boolean {
  return links.size > CROWDED_LINKS
}

/** Healthy links are drawn unless someone chose otherwise, or they would be a web over many sites. */
export function showsUp(links: Links, siteCount: number, chosen: boolean | null): boolean {
  return chosen ?? (!isCrowded(links) || siteCount <= RING_SITES)
}

export function mapModel(graph: Pick<Graph, 'nodes' | 'targets'>, links: Links, showUp: boolean): MapModel {
  const crowded = isCrowded(links)
  const worstAt = targetStates(links)
  const nodes: MapNode[] = [
    ...graph.nodes.map((node) => drawnNode(node)),
    ...graph.targets.map((target): MapNode => {
      const state = worstAt.get(target.id) ?? 'none'
      return {
        id: targetKey(target.id),
        name: target.id,
        kind: 'target',
        group: target.site ?? NO_SITE,
        label: state === 'none' ? target.id : `${target.id}\n${LOOKS[state].word}`,
        state: 'up',
        self: false,
        callsOut: false,
        lies: false,
        trouble: state,
      }
    }),
  ]
  const groups = [...new Set(nodes.map((node) => node.group))].sort()
  const groupOf = new Map(nodes.map((node) => [node.id, node.group]))
  const telling = tellingLinks(graph.nodes, links, crowded)
  return { crowded, groups, nodes, edges: crowded ? crowdedEdges(telling, groupOf, showUp) : plainEdges(telling, groupOf, showUp) }
}

export function spotsOf(model: MapModel): Spot[] {
  return model.nodes.map(({ id, group }) => ({ id, group }))
}

function drawnNode(node: GraphNode): MapNode {
  const words = [node.state !== 'up' ? node.state : degradedWords(node), node.lies.length > 0 ? 'caught lying' : '']
    .filter(Boolean)
    .join(', ')
  return {
    id: nodeKey(node.id),
    name: node.id,
    kind: 'node',
    group: node.site,
    label: [node.id, words].filter(Boolean).join('\n'),
    state: node.state,
    self: node.self,
    callsOut: node.callsOut,
    lies: node.lies.length > 0,
    trouble: node.degraded.length > 0 ? 'stale' : 'none',
  }
}

/** A target looks as troubled as most of those who watch it say: one bad path to it is a link's trouble, not the target's. */
function targetStates(links: Links): Map<string, LinkState> {
  const seen = Map.groupBy(
    [...links.values()].filter((link) => link.toType === 'target' && link.state !== 'unknown' && link.state !== 'stale'),
    (link) => link.to,
  )
  const states = new Map<string, LinkState>()
  for (const [target, views] of seen) {
    const bad = views.filter((link) => isTroubled(link.state))
    const state = worst(bad.map((link) => link.state))
    if (state && bad.length * 2 > views.length) states.set(target, state)
  }
  return states
}

/** What a dead node said last is no news, and in a crowd its mark says enough about the links to it. */
function tellingLinks(nodes: readonly GraphNode[], links: Links, crowded: boolean): Links {
  const gone = new Set(nodes.filter(({ state }) => state === 'down' || state === 'left').map(({ id }) => id))
  if (gone.size === 0) return links
  return new Map([...links].filter(([, link]) => !gone.has(link.from) && !(crowded && link.toType === 'node' && gone.has(link.to))))
}

function ends(link: { from: string; to: string; toType: 'node' | 'target' }): [string, string] {
  return [nodeKey(link.from), link.toType === 'node' ? nodeKey(link.to) : targetKey(link.to)]
}

function plainEdges(links: Links, known: ReadonlyMap<string, string>, showUp: boolean): MapEdge[] {
  const edges: MapEdge[] = []
  for (const [id, link] of links) {
    const [source, target] = ends(link)
    if (!known.has(source) || !known.has(target) || (!showUp && !isTroubled(link.state))) continue
    edges.push({
      id,
      source,
      target,
      kind: 'link',
      state: link.state,
      dead: link.dead ?? 'none',
      unprobeable: isUnprobeable(link),
      label: '',
      sites: null,
    })
  }
  return edges
}

function crowdedEdges(links: Links, groupOf: ReadonlyMap<string, string>, showUp: boolean): MapEdge[] {
  const edges: MapEdge[] = []
  const troubled = new Map<string, MapEdge[]>()
  const healthy = new Map<string, [string, string]>()
  for (const [id, link] of links) {
    const [source, target] = ends(link)
    const [from, to] = [groupOf.get(source), groupOf.get(target)]
    if (from === undefined || to === undefined) continue
    if (isTroubled(link.state)) {
      const bundle = `${from}\n${to}`
      const edge: MapEdge = {
        id,
        source,
        target,
        kind: 'link',
        state: link.state,
        dead: link.dead ?? 'none',
        unprobeable: isUnprobeable(link),
        label: '',
        sites: null,
      }
      const mates = troubled.get(bundle)
      if (mates) mates.push(edge)
      else troubled.set(bundle, [edge])
    } else if (showUp && from !== to) healthy.set(from < to ? `${from}\n${to}` : `${to}\n${from}`, [from, to])
  }
  for (const [a, b] of healthy.values()) {
    edges.push({
      id: `up ${a} ${b}`,
      source: groupKey(a),
      target: groupKey(b),
      kind: 'bundle',
      state: 'up',
      dead: 'none',
      unprobeable: false,
      label: '',
      sites: [a, b],
    })
  }
  for (const [bundle, mates] of troubled) {
    const [from, to] = bundle.split('\n') as [string, string]
    if (mates.length <= BUNDLED_LINKS || from === to) edges.push(...mates.slice(0, from === to ? 40 : BUNDLED_LINKS))
    else {
      const state = worst(mates.map((edge) => edge.state)) as LinkState
      edges.push({
        id: `bundle ${from} ${to}`,
        // All from one node, or all to one: then that is where to look.
        source: only(mates.map((edge) => edge.source)) ?? groupKey(from),
        target: only(mates.map((edge) => edge.target)) ?? groupKey(to),
        kind: 'bundle',
        state,
        dead: 'none',
        unprobeable: false,
        label: `${mates.length} ${LOOKS[state].word}`,
        sites: [from, to],
      })
    }
  }
  return edges
}

function only(keys: readonly string[]): string | null {
  const [first] = keys
  return first !== undefined && keys.every((key) => key === first) ? first : null
}
