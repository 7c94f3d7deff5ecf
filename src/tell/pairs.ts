import type { Graph, GraphLink, GraphNode } from '../contract/index.ts'
import { earliest, type Finding, finding, RANK } from './finding.ts'
import { percentText, rttText } from './words.ts'

/** Kinds of trouble between nodes. `one-way` is about a direction, the others about a pair. */
type Kind = 'down' | 'one-way' | 'partial' | 'lossy' | 'slow'
const KINDS: readonly Kind[] = ['down', 'one-way', 'partial', 'lossy', 'slow']

type Pair = { readonly a: GraphNode; readonly b: GraphNode; readonly links: GraphLink[] }
/** A set of pairs that people have a name for, from the widest to the narrowest. */
type ScopeKind = 'grid' | 'node' | 'to-node' | 'from-node' | 'site' | 'to-site' | 'from-site' | 'sites' | 'pair'
type Scope = { readonly kind: ScopeKind; readonly a: string; readonly b: string; watched: number; readonly troubled: Pair[] }

/**
 * Troubles between nodes, each in the widest words that are true: if every watched pair of a node, a site or two sites has the same
 * trouble, that is one finding, not one for each link.
 */
export function pairFindings(graph: Graph, links: readonly GraphLink[]): Finding[] {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]))
  const between = links.filter((link) => link.toType === 'node' && nodes.has(link.from) && nodes.has(link.to))
  const siteCount = new Set(graph.nodes.map((node) => node.site)).size
  return KINDS.flatMap((kind) => {
    if (!between.some((link) => link.state === kind)) return []
    const pairs = watchedPairs(kind, between, nodes)
    return widestScopes(pairs, kind === 'one-way', siteCount).map((scope) => asFinding(kind, scope, graph))
  })
}

/** Every pair that is watched; `links` holds those of its links that have the trouble. For `one-way` a pair is the way packets go. */
function watchedPairs(kind: Kind, links: readonly GraphLink[], nodes: ReadonlyMap<string, GraphNode>): Pair[] {
  const pairs = new Map<string, Pair>()
  const pairOf = (from: string, to: string): Pair => {
    const [a, b] = kind === 'one-way' || from < to ? [from, to] : [to, from]
    const key = `${a} ${b}`
    let pair = pairs.get(key)
    if (!pair) pairs.set(key, (pair = { a: nodes.get(a) as GraphNode, b: nodes.get(b) as GraphNode, links: [] }))
    return pair
  }
  for (const link of links) {
    const there = pairOf(link.from, link.to)
    const back = pairOf(link.to, link.from)
    if (link.state === kind) (kind === 'one-way' && link.dead === 'in' ? back : there).links.push(link)
  }
  return [...pairs.values()]
}

function widestScopes(pairs: readonly Pair[], directed: boolean, siteCount: number): Scope[] {
  const scopes = new Map<string, Scope>()
  for (const pair of pairs) {
    for (const [kind, a, b] of scopesOf(pair, directed, siteCount)) {
      const key = `${kind} ${a} ${b}`
      let scope = scopes.get(key)
      if (!scope) scopes.set(key, (scope = { kind, a, b, watched: 0, troubled: [] }))
      scope.watched++
      if (pair.links.length > 0) scope.troubled.push(pair)
    }
  }
  const complete = [...scopes.values()].filter((scope) =>
    scope.kind === 'pair' ? scope.troubled.length > 0 : scope.watched >= 2 && scope.troubled.length === scope.watched,
  )
  const told = new Set<Pair>()
  return complete
    .sort((x, y) => Number(x.kind === 'pair') - Number(y.kind === 'pair') || y.watched - x.watched)
    .filter((scope) => {
      const news = scope.troubled.some((pair) => !told.has(pair))
      for (const pair of scope.troubled) told.add(pair)
      return news
    })
}

function scopesOf({ a, b }: Pair, directed: boolean, siteCount: number): [ScopeKind, string, string][] {
  const scopes: [ScopeKind, string, string][] = [
    ['pair', a.id, b.id],
    ['grid', '', ''],
  ]
  if (directed) scopes.push(['to-node', b.id, ''], ['from-node', a.id, ''])
  else scopes.push(['node', a.id, ''], ['node', b.id, ''])
  if (a.site === b.site) return scopes
  const [first, second] = directed || a.site < b.site ? [a.site, b.site] : [b.site, a.site]
  scopes.push(['sites', first, second])
  // With two sites, "all of a site's ways out" and "between the two" are the same, and the latter says more.
  if (siteCount <= 2) return scopes
  if (directed) scopes.push(['to-site', b.site, ''], ['from-site', a.site, ''])
  else scopes.push(['site', a.site, ''], ['site', b.site, ''])
  return scopes
}

function asFinding(kind: Kind, scope: Scope, graph: Graph): Finding {
  const links = scope.troubled.flatMap((pair) => pair.links)
  const common = { since: earliest(links), state: kind, links, about: aboutOf(scope, links, graph.self), more: '' }
  switch (kind) {
    case 'down':
      return finding(graph.at, { ...common, rank: RANK.dead, what: cutText(scope, links) })
    case 'one-way':
      return finding(graph.at, { ...common, rank: RANK.dead, ...oneWayText(scope) })
    case 'partial':
      return finding(graph.at, { ...common, rank: RANK.partial, what: `Some flows ${betweenText(scope)} are dead, the others work` })
    case 'lossy': {
      const most = Math.max(...links.map((link) => link.lossRatio ?? 0))
      return finding(graph.at, { ...common, rank: RANK.lossy, what: `Packets ${betweenText(scope)} get lost (up to ${percentText(most)})` })
    }
    case 'slow': {
      const most = Math.max(...links.map((link) => link.rttMsP50 ?? 0))
      return finding(graph.at, { ...common, rank: RANK.slow, what: `Answers ${betweenText(scope)} are slow (up to ${rttText(most)})` })
    }
  }
}

/** The node or the two sites that it is about, or else the first of its links. */
function aboutOf({ kind, a, b, troubled }: Scope, links: readonly GraphLink[], self: string): Finding['about'] {
  if (kind === 'node' || kind === 'to-node' || kind === 'from-node') return { type: 'node', id: a }
  if (kind === 'sites') return { type: 'sites', from: a, to: b }
  const [pair] = troubled
  if (pair && kind !== 'pair' && kind !== 'grid') {
    const other = pair.a.site === a ? pair.b.site : pair.a.site
    return kind === 'to-site' ? { type: 'sites', from: other, to: a } : { type: 'sites', from: a, to: other }
  }
  const [first] = links
  return first ? { type: 'link', from: first.from, to: first.to } : { type: 'node', id: self }
}

function cutText({ kind, a, b }: Scope, links: readonly GraphLink[]): string {
  if (kind === 'grid') return 'No node reaches another'
  if (kind === 'node') return `${a} and the other nodes cannot reach each other`
  if (kind === 'site') return `Site ${a} is cut off from the others`
  if (kind === 'sites') return `Sites ${a} and ${b} cannot reach each other`
  const [only] = links
  return links.length === 1 && only ? `${only.from} cannot reach ${only.to}` : `${a} and ${b} cannot reach each other`
}

function oneWayText({ kind, a, b }: Scope): { what: string; more: string } {
  if (kind === 'grid') return { what: 'Round trips fail in the whole grid', more: '' }
  const deaf = 'Packets to it are lost, packets from it arrive.'
  const mute = 'Packets from it are lost, packets to it arrive.'
  if (kind === 'to-node') return { what: `${a} hears nobody`, more: deaf }
  if (kind === 'from-node') return { what: `Nobody hears ${a}`, more: mute }
  if (kind === 'to-site') return { what: `Site ${a} hears nobody outside`, more: deaf }
  if (kind === 'from-site') return { what: `Nobody outside hears site ${a}`, more: mute }
  const site = kind === 'sites' ? 'site ' : ''
  return { what: `Packets from ${site}${a} to ${site}${b} are lost`, more: 'The other way they arrive.' }
}

function betweenText({ kind, a, b }: Scope): string {
  if (kind === 'grid') return 'in the whole grid'
  if (kind === 'node') return `to and from ${a}`
  if (kind === 'site') return `to and from site ${a}`
  return kind === 'sites' ? `between sites ${a} and ${b}` : `between ${a} and ${b}`
}
