import { cannotBeProbed, type Graph, type GraphLink, type GraphNode, type LinkState, type Rundown, TROUBLED } from '../contract/index.ts'
import { asTrouble, finding, RANK, type Finding } from './finding.ts'
import { findings } from './findings.ts'
import { countText, listText, sentence } from './words.ts'

const WORST_FIRST: readonly LinkState[] = ['down', 'one-way', 'partial', 'lossy', 'slow', 'stale', 'unknown', 'up']
const SEVERITY = new Map(WORST_FIRST.map((state, index) => [state, index]))

/**
 * Is all well, and if not, what and since when. A node that has just gone quiet or is too busy to measure is told, but is not yet trouble:
 * most of the time the next second clears it. `outcast`: who took this node out of its grid.
 */
export function rundown(graph: Graph, outcast: { readonly by: string; readonly atMs: number } | null = null): Rundown {
  const found = outcast ? [outcastFinding(graph, outcast), ...findings(graph)] : findings(graph)
  const present = graph.nodes.filter((node) => node.state !== 'left')
  const well = found.length === 0 && !present.some((node) => node.degraded.includes('hears-nobody'))
  const counts = {
    nodes: present.length,
    nodesUp: present.filter((node) => node.state === 'up').length,
    targets: graph.targets.length,
    targetsUp: targetsUp(graph),
    links: graph.links.length,
    linksTroubled: graph.links.filter((link) => TROUBLED.has(link.state)).length,
  }
  return {
    well,
    headline: well ? wellHeadline(graph, counts, present) : troubleHeadline(found, present),
    at: graph.at,
    self: graph.self,
    hash: graph.hash,
    counts,
    troubles: found.map(asTrouble),
    nodes: present.filter((node) => node.state !== 'up' || node.degraded.length > 0),
    links: graph.links.filter((link) => TROUBLED.has(link.state)).sort(worstFirst),
  }
}

function outcastFinding(graph: Graph, { by, atMs }: { readonly by: string; readonly atMs: number }): Finding {
  return finding(graph.at, {
    rank: RANK.outcast,
    what: `This node was removed from the grid on ${by}`,
    since: new Date(atMs).toISOString(),
    more: 'It hears nobody and nobody hears it. `midwatch leave` lets it go on alone; an invitation lets it in again, as a new node.',
    state: 'down',
    links: [],
    about: { type: 'node', id: graph.self },
  })
}

function worstFirst(a: GraphLink, b: GraphLink): number {
  const byState = (SEVERITY.get(a.state) ?? 0) - (SEVERITY.get(b.state) ?? 0)
  return byState || (`${a.from} ${a.to}` < `${b.from} ${b.to}` ? -1 : 1)
}

/** Reached by somebody, and failing for nobody. */
function targetsUp(graph: Graph): number {
  const reached = new Set<string>()
  const failing = new Set<string>()
  for (const link of graph.links) {
    if (link.toType !== 'target') continue
    if (link.state === 'up' || link.state === 'slow' || link.state === 'lossy') reached.add(link.to)
    else if (link.state !== 'stale' && link.state !== 'unknown') failing.add(link.to)
  }
  return [...reached].filter((name) => !failing.has(name)).length
}

function wellHeadline(graph: Graph, counts: Rundown['counts'], present: readonly GraphNode[]): string {
  const watched = graph.links.filter((link) => !cannotBeProbed(link))
  const unprobed = watched.filter((link) => link.state === 'unknown').length
  const parts = [countText(counts.nodes, 'node')]
  if (counts.targets > 0) parts.push(countText(counts.targets, 'target'))
  if (watched.length > 0) parts.push(`${countText(watched.length - unprobed, 'link')} up`)
  if (unprobed > 0) parts.push(`${unprobed} not probed yet`)
  if (counts.links === 0) parts.push('nothing to watch yet')
  return [`All well: ${parts.join(', ')}.`, ...asides(present)].join(' ')
}

function troubleHeadline(found: readonly Finding[], present: readonly GraphNode[]): string {
  const [worst] = found
  if (!worst) {
    const deaf = present.filter((node) => node.degraded.includes('hears-nobody')).map((node) => node.id)
    return sentence(`${listText(deaf)} ${deaf.length === 1 ? 'says that it hears' : 'say that they hear'} nobody`)
  }
  return found.length === 1 ? worst.text : `${worst.text} And ${countText(found.length - 1, 'more trouble')}.`
}

function asides(present: readonly GraphNode[]): string[] {
  const quiet = present.filter((node) => node.state === 'suspect').map((node) => node.id)
  const busy = present.filter((node) => node.degraded.length > 0).map((node) => node.id)
  const callers = present.filter((node) => node.callsOut).map((node) => node.id)
  const told: string[] = []
  if (callers.length > 0)
    told.push(
      sentence(`${listText(callers)} only ${callers.length === 1 ? 'calls out: it is' : 'call out: they are'} heard, but cannot be probed`),
    )
  if (quiet.length > 0)
    told.push(
      sentence(
        `${listText(quiet)} ${quiet.length === 1 ? 'has' : 'have'} gone quiet and ${quiet.length === 1 ? 'is' : 'are'} being asked again`,
      ),
    )
  if (busy.length > 0) told.push(sentence(`${listText(busy)} ${busy.length === 1 ? 'is' : 'are'} too busy to measure well`))
  return told
}
