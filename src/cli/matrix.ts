import type { Graph, GraphLink, LinkState } from '../contract/index.ts'
import { clean, widthOf, type Output } from './output.ts'
import { symbolOf, toneOf } from './words.ts'

/** The graph for a terminal: a row for each node that looks, a column for each node and target that is looked at. */
export function matrixLines(out: Output, graph: Graph): string[] {
  const bySite = [...graph.nodes].sort((a, b) => compare(a.site, b.site) || compare(a.id, b.id))
  const columns = [
    ...bySite.map(({ id }) => ({ key: `node:${id}`, name: id })),
    ...graph.targets.map(({ id }) => ({ key: `target:${id}`, name: id })),
  ]
  const links = new Map<string, GraphLink>(graph.links.map((link) => [`${link.from}>${link.toType}:${link.to}`, link]))
  const sites = new Set(graph.nodes.map(({ site }) => site))
  const lines = [
    `${out.paint('strong', `grid ${clean(graph.grid)}`)}: ${count(graph.nodes.length, 'node')} in ${count(sites.size, 'site')}, ${count(graph.targets.length, 'target')}, ${count(graph.links.length, 'link')}${graph.simulated ? ', simulated' : ''}`,
    `hash ${graph.hash}, seen by ${graph.self}`,
  ]
  const names = columns.map(({ name }, i) => `${i + 1} ${clean(name)}`)
  const nameWidth = Math.max(...names.slice(0, bySite.length).map(widthOf))
  const cell = String(columns.length).length + 1
  const perBlock = Math.max(1, Math.floor((out.columns - nameWidth - 4) / cell))
  const used = new Set<LinkState>()

  for (let start = 0; start < columns.length; start += perBlock) {
    const block = columns.slice(start, start + perBlock)
    lines.push('', `${' '.repeat(nameWidth + 2)}${block.map((_, i) => String(start + i + 1).padStart(cell)).join('')}`)
    bySite.forEach((node, row) => {
      const cells = block.map(({ key }) => {
        if (key === `node:${node.id}`) return ' '.repeat(cell - 1) + out.paint('dim', '\\')
        const link = links.get(`${node.id}>${key}`)
        if (!link) return ' '.repeat(cell)
        used.add(link.state)
        return ' '.repeat(cell - 1) + out.paint(toneOf(link.state), symbolOf(link.state))
      })
      const name = names[row] ?? ''
      lines.push(`  ${name}${' '.repeat(nameWidth - widthOf(name))}${cells.join('')}`)
    })
  }
  const targets = names.slice(bySite.length)
  if (targets.length > 0) lines.push('', `Targets: ${targets.join(', ')}`)
  if (used.size > 0) lines.push('', `Each row looks at the columns: ${[...used].map((state) => `${symbolOf(state)} ${state}`).join(', ')}`)
  return lines
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
const count = (number: number, word: string): string => `${number} ${word}${number === 1 ? '' : 's'}`
