import type { Graph, GraphLink, GraphNode } from '../contract/index.ts'
import { earliest, type Finding, RANK } from './finding.ts'
import { percentText, rttText, sentence, sinceText } from './words.ts'

/** Kinds of trouble between nodes. `one-way` is about a direction, the others about a pair. */
type Trouble = 'down' | 'one-way' | 'partial' | 'lossy' | 'slow'
const TROUBLES: readonly Trouble[] = ['down', 'one-way', 'partial', 'lossy', 'slow']

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
  return TROUBLES.flatMap((trouble) => {
    if (!between.some((link) => link.state === trouble)) return []
    const pairs = watchedPairs(trouble, between, nodes)
    return widestScopes(pairs, trouble === 'one-way', siteCount).map((scope) => asFinding(trouble, scope, graph.at))
  })
}

/** Every pair that is watched; `links` holds those of its links that have the trouble. For `one-way` a pair is the way packets go. */
function watchedPairs(trouble: Trouble, links: readonly GraphLink[], nodes: ReadonlyMap<string, GraphNode>): Pair[] {
  const pairs = new Map<string, Pair>()
  const pairOf = (from: string, to: string): Pair => {
    const [a, b] = trouble === 'one-way' || from < to ? [from, to] : [to, from]
    const key = `${a} ${b}`
    let pair = pairs.get(key)
    if (!pair) pairs.set(key, (pair = { a: nodes.get(a) as GraphNode, b: nodes.get(b) as GraphNode, links: [] }))
    return pair
  }
  for (const link of links) {
    const there = pairOf(link.from, link.to)
    const back = pairOf(link.to, link.from)
    if (link.state === trouble) (trouble === 'one-way' && link.dead === 'in' ? back : there).links.push(link)
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

function asFinding(trouble: Trouble, scope: Scope, at: string): Finding {
  const links = scope.troubled.flatMap((pair) => pair.links)
  const since = sinceText(earliest(links), at)
  switch (trouble) {
    case 'down':
      return { rank: RANK.dead, text: sentence(cutText(scope, links), since), links }
    case 'one-way':
      return { rank: RANK.dead, text: oneWayText(scope, since), links }
    case 'partial':
      return { rank: RANK.partial, text: sentence(`Some flows ${betweenText(scope)} are dead, the others work`, since), links }
    case 'lossy': {
      const most = Math.max(...links.map((link) => link.lossRatio ?? 0))
      return { rank: RANK.lossy, text: sentence(`Packets ${betweenText(scope)} get lost (up to ${percentText(most)})`, since), links }
    }
    case 'slow': {
      const most = Math.max(...links.map((link) => link.rttMsP50 ?? 0))
      return { rank: RANK.slow, text: sentence(`Answers ${betweenText(scope)} are slow (up to ${rttText(most)})`, since), links }
    }
  }
}

function cutText({ kind, a, b }: Scope, links: readonly GraphLink[]): string {
  if (kind === 'grid') return 'No node reaches another'
  if (kind === 'node') return `${a} and the other nodes cannot reach each other`
  if (kind === 'site') return `Site ${a} is cut off from the others`
  if (kind === 'sites') return `Sites ${a} and ${b} cannot reach each other`
  const [only] = links
  return links.length === 1 && only ? `${only.from} cannot reach ${only.to}` : `${a} and ${b} cannot reach each other`
}

function oneWayText({ kind, a, b }: Scope, since: string): string {
  if (kind === 'grid') return sentence('Round trips fail in the whole grid', since)
  if (kind === 'to-node') return `${sentence(`${a} hears nobody`, since)} Packets to it are lost, packets from it arrive.`
  if (kind === 'from-node') return `${sentence(`Nobody hears ${a}`, since)} Packets from it are lost, packets to it arrive.`
  if (kind === 'to-site') return `${sentence(`Site ${a} hears nobody outside`, since)} Packets to it are lost, packets from it arrive.`
  if (kind === 'from-site') return `${sentence(`Nobody outside hears site ${a}`, since)} Packets from it are lost, packets to it arrive.`
  const site = kind === 'sites' ? 'site ' : ''
  return `${sentence(`Packets from ${site}${a} to ${site}${b} are lost`, since)} The other way they arrive.`
}

function betweenText({ kind, a, b }: Scope): string {
  if (kind === 'grid') return 'in the whole grid'
  if (kind === 'node') return `to and from ${a}`
  if (kind === 'site') return `to and from site ${a}`
  return kind === 'sites' ? `between sites ${a} and ${b}` : `between ${a} and ${b}`
}
