import type { GraphLink, GraphNode, Rundown } from '../contract/index.ts'
import { countText, listText, sinceText } from './words.ts'

const LINES_SHOWN = 40

/** The rundown as plain text, for `midwatch status` and for curl. Ends with a line end. */
export function statusText(rundown: Rundown): string {
  const { counts, nodes, links } = rundown
  const lines = [
    rundown.headline,
    '',
    `nodes    ${counts.nodesUp} of ${counts.nodes} up`,
    `targets  ${counts.targetsUp} of ${counts.targets} up`,
    `links    ${counts.links - counts.linksTroubled} of ${counts.links} without trouble`,
    ...section('Nodes', nodes, (node) => nodeLine(node, rundown.at)),
    ...section('Links', links, (link) => linkLine(link, rundown.at)),
    '',
    `${rundown.self} at ${rundown.at.slice(0, 19)}Z, graph ${rundown.hash.slice(0, 8)}`,
  ]
  return `${lines.join('\n')}\n`
}

function section<T>(title: string, things: readonly T[], lineOf: (thing: T) => string): string[] {
  if (things.length === 0) return []
  const more = things.length - LINES_SHOWN
  return ['', title, ...things.slice(0, LINES_SHOWN).map(lineOf), ...(more > 0 ? [`  and ${countText(more, 'more line')}`] : [])]
}

function nodeLine(node: GraphNode, at: string): string {
  const view = node.degraded.length === 0 ? '' : `, ${listText(node.degraded)}`
  return `  ${node.id}  ${node.state}${view}  ${sinceText(node.since, at)}`.trimEnd()
}

function linkLine(link: GraphLink, at: string): string {
  const direction = link.dead === null ? '' : ` (dead: ${link.dead})`
  const detail = link.detail === null ? '' : `  ${link.detail}`
  return `  ${link.from} > ${link.to}  ${link.state}${direction}  ${sinceText(link.since, at)}${detail}`
}
