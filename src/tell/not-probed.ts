import type { Graph, GraphNode } from '../contract/index.ts'
import { listText } from './words.ts'

/** Why there is no link between two that exist, and where to look instead. */
export function notProbedText(graph: Graph, from: string, to: string): string {
  const plain = `${from} does not probe ${to}`
  const [looks, seen] = [from, to].map((id) => graph.nodes.find((node) => node.id === id))
  if (!looks || !seen || looks === seen || seen.state === 'left' || looks.state === 'left') return plain
  if (seen.callsOut) return `${plain}, which can only call out: nobody can probe it`
  const there = graph.nodes.filter(({ state }) => state !== 'left').length
  return `${plain}: in a grid of ${there} nodes each probes some; ${coverText(graph, looks, seen)}`
}

function coverText(graph: Graph, from: GraphNode, to: GraphNode): string {
  const siteOf = new Map(graph.nodes.map(({ id, site }) => [id, site]))
  const links = graph.links.filter(({ toType }) => toType === 'node')
  const pairs = links.filter((link) => siteOf.get(link.from) === from.site && siteOf.get(link.to) === to.site)
  if (from.site !== to.site && pairs.length > 0)
    return `${from.site} and ${to.site} are covered by ${listText(pairs.map((link) => `${link.from} → ${link.to}`))}`
  const watchers = links.filter((link) => link.to === to.id).map((link) => link.from)
  return watchers.length > 0 ? `${to.id} is watched by ${listText(watchers)}` : `nobody probes ${to.id} yet`
}
