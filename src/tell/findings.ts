import { type Graph, type GraphLink, type Lie, TROUBLED } from '../contract/index.ts'
import { earliest, type Finding, finding, RANK } from './finding.ts'
import { pairFindings } from './pairs.ts'
import { countText, listText, upperFirst } from './words.ts'

/**
 * What is wrong, worst first: each trouble once, in the widest words that are true. A node that is down explains the links to and
 * from it, so that nobody reads nine lines about one dead host.
 */
export function findings(graph: Graph): Finding[] {
  const gone = new Set(graph.nodes.filter((node) => node.state === 'down').map((node) => node.id))
  const touchesGone = (link: GraphLink) => gone.has(link.from) || (link.toType === 'node' && gone.has(link.to))
  const rest = graph.links.filter((link) => !touchesGone(link))
  const all = [
    ...downNodes(graph, gone),
    ...pairFindings(graph, rest),
    ...targetFindings(graph, rest),
    ...silentNodes(graph, rest),
    ...lyingNodes(graph),
    ...sharedLabels(graph),
  ]
  return all.sort((a, b) => a.rank - b.rank || b.links.length - a.links.length || (a.text < b.text ? -1 : 1))
}

function downNodes(graph: Graph, gone: ReadonlySet<string>): Finding[] {
  const down = graph.nodes.filter((node) => gone.has(node.id))
  const present = graph.nodes.filter((node) => node.state !== 'left')
  const linksOf = (ids: ReadonlySet<string>) =>
    graph.links.filter((link) => ids.has(link.from) || (link.toType === 'node' && ids.has(link.to)))
  if (down.length >= 2 && down.length === present.length - 1) {
    return [
      finding(graph.at, {
        rank: RANK.nodeDown,
        what: `This node hears none of the ${down.length} others`,
        since: earliest(down),
        more: 'Either they are down or it is cut off.',
        state: 'down',
        links: linksOf(gone),
        about: { type: 'node', id: graph.self },
      }),
    ]
  }
  const found: Finding[] = []
  for (const [site, nodes] of Map.groupBy(down, (node) => node.site)) {
    const wholeSite = nodes.length >= 2 && present.every((node) => node.site !== site || gone.has(node.id))
    if (wholeSite) {
      const links = linksOf(new Set(nodes.map((node) => node.id)))
      found.push(
        finding(graph.at, {
          rank: RANK.nodeDown,
          what: `Site ${site} is cut off or down`,
          since: earliest(nodes),
          more: `None of its ${nodes.length} nodes is heard.`,
          state: 'down',
          links,
          about: { type: 'sites', from: siteOfSelf(graph), to: site },
        }),
      )
      continue
    }
    for (const node of nodes) {
      const links = linksOf(new Set([node.id]))
      const dead = links.filter((link) => link.to === node.id && TROUBLED.has(link.state) && link.state !== 'stale').length
      found.push(
        finding(graph.at, {
          rank: RANK.nodeDown,
          what: `${node.id} is down`,
          since: node.since,
          more: dead === 0 ? '' : `${countText(dead, 'link')} to it ${dead === 1 ? 'is' : 'are'} dead.`,
          state: 'down',
          links,
          about: { type: 'node', id: node.id },
        }),
      )
    }
  }
  return found
}

function siteOfSelf(graph: Graph): string {
  return graph.nodes.find((node) => node.id === graph.self)?.site ?? graph.self
}

/** A target's trouble, over all nodes that look at it. A node that hears nobody is no witness. */
function targetFindings(graph: Graph, links: readonly GraphLink[]): Finding[] {
  const deaf = new Set(graph.nodes.filter((node) => node.degraded.includes('hears-nobody')).map((node) => node.id))
  const found: Finding[] = []
  for (const [target, views] of Map.groupBy(links, (link) => (link.toType === 'target' ? link.to : ''))) {
    if (target === '') continue
    const fresh = views.filter((link) => link.state !== 'stale' && link.state !== 'unknown')
    const hearing = fresh.filter((link) => !deaf.has(link.from))
    const witnesses = hearing.length > 0 ? hearing : fresh
    for (const [state, seen] of Map.groupBy(witnesses, (link) => link.state)) {
      if (!TROUBLED.has(state)) continue
      const detail = seen.find((link) => link.detail !== null)?.detail ?? null
      const [first] = seen
      found.push(
        finding(graph.at, {
          rank: state === 'lossy' ? RANK.lossy : state === 'slow' ? RANK.slow : RANK.targetDown,
          what: targetText(target, state, seen, witnesses.length),
          since: earliest(seen),
          more: detail === null ? '' : `${upperFirst(detail)}.`,
          state,
          links: seen,
          about: seen.length === 1 && first ? { type: 'link', from: first.from, to: first.to } : { type: 'target', id: target },
        }),
      )
    }
  }
  return found
}

function targetText(target: string, state: GraphLink['state'], seen: readonly GraphLink[], witnesses: number): string {
  const names = listText(seen.map((link) => link.from))
  const whom =
    seen.length === witnesses ? (witnesses === 1 ? `for ${names}` : 'for everyone') : `for ${names} (${seen.length} of ${witnesses})`
  if (state === 'slow') return `${target} answers slowly ${whom}`
  if (state === 'lossy') return `${target} fails now and then ${whom}`
  return seen.length === witnesses && witnesses > 1 ? `${target} is down for everyone` : `${target} is down ${whom}`
}

/** Nodes that the grid holds for alive, but whose row has not been renewed. */
function silentNodes(graph: Graph, links: readonly GraphLink[]): Finding[] {
  const stale = links.filter((link) => link.state === 'stale')
  return [...Map.groupBy(stale, (link) => link.from)].map(([id, of]) =>
    finding(graph.at, {
      rank: RANK.silent,
      what: `No news from ${id}: what it says of ${countText(of.length, 'link')} is out of date`,
      since: null,
      more: '',
      state: 'stale',
      links: of,
      about: { type: 'node', id },
    }),
  )
}

const LIES: Record<Lie, string> = {
  'two-rows': 'says two different things at once: its key is in use twice, on a copied disk say, or it lies',
  'forged-row': 'sent what another node was to have said, and had not',
  'too-large': 'said more than any honest node does',
}

/** Nodes that were caught at what no honest one does. A down one may still be the one whose disk was copied. */
function lyingNodes(graph: Graph): Finding[] {
  return graph.nodes
    .filter((node) => node.lies.length > 0 && node.state !== 'left')
    .map((node) =>
      finding(graph.at, {
        rank: RANK.lying,
        what: `${node.id} ${listText(node.lies.map((lie) => LIES[lie]))}`,
        since: null,
        more: 'What it says is not to be trusted.',
        state: 'partial',
        links: [],
        about: { type: 'node', id: node.id },
      }),
    )
}

/** Two nodes that are both there and want one label. */
function sharedLabels(graph: Graph): Finding[] {
  return graph.nodes
    .filter((node) => node.wantedId !== null && (node.state === 'up' || node.state === 'suspect'))
    .map((node) =>
      finding(graph.at, {
        rank: RANK.sharedLabel,
        what: `Two nodes want to be called ${node.wantedId}; one is shown as ${node.id}`,
        since: null,
        more: 'Give one of them another id.',
        state: 'slow',
        links: [],
        about: { type: 'node', id: node.id },
      }),
    )
}
