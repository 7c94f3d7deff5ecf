import type { Graph, LinkState } from '../contract/index.ts'
import { clean, widthOf, type Output } from './output.ts'
import { symbolOf, toneOf } from './words.ts'

/** Of more nodes than this the matrix is by site: in a grid that large most pairs of nodes are not probed, and each pair of sites is. */
const MAX_NODES = 200

/** Rows look at columns. A row's own column is where it looks at itself. */
type Matrix = {
  readonly rows: readonly Axis[]
  readonly columns: readonly Axis[]
  readonly state: (row: Axis, column: Axis) => LinkState | null
}
type Axis = { readonly key: string; readonly name: string }

/** The graph for a terminal: a row for each node that looks, a column for each node and target that is looked at. */
export function matrixLines(out: Output, graph: Graph): string[] {
  const isBySite = graph.nodes.length > MAX_NODES
  const { rows, columns, state } = isBySite ? siteMatrix(graph) : nodeMatrix(graph)
  const sites = new Set(graph.nodes.map(({ site }) => site))
  const lines = [
    `${out.paint('strong', `grid ${clean(graph.grid)}`)}: ${count(graph.nodes.length, 'node')} in ${count(sites.size, 'site')}, ${count(graph.targets.length, 'target')}, ${count(graph.links.length, 'link')}${graph.simulated ? ', simulated' : ''}`,
    `hash ${graph.hash}, seen by ${graph.self}`,
  ]
  const names = columns.map(({ name }, i) => `${i + 1} ${clean(name)}`)
  const nameWidth = Math.max(...names.slice(0, rows.length).map(widthOf))
  const cell = String(columns.length).length + 1
  const perBlock = Math.max(1, Math.floor((out.columns - nameWidth - 4) / cell))
  const used = new Set<LinkState>()
  let isSparse = false

  for (let start = 0; start < columns.length; start += perBlock) {
    const block = columns.slice(start, start + perBlock)
    lines.push('', `${' '.repeat(nameWidth + 2)}${block.map((_, i) => String(start + i + 1).padStart(cell)).join('')}`)
    rows.forEach((axis, row) => {
      const cells = block.map((column) => {
        const found = state(axis, column)
        if (found) used.add(found)
        else if (axis.key === column.key) return ' '.repeat(cell - 1) + out.paint('dim', '\\')
        else if (column.key.startsWith('target:')) return ' '.repeat(cell)
        else isSparse = true
        return ' '.repeat(cell - 1) + (found ? out.paint(toneOf(found), symbolOf(found)) : out.paint('dim', NOT_PROBED))
      })
      const name = names[row] ?? ''
      lines.push(`  ${name}${' '.repeat(nameWidth - widthOf(name))}${cells.join('')}`)
    })
  }
  const targets = names.slice(rows.length)
  if (targets.length > 0) lines.push('', `Targets: ${targets.join(', ')}`)
  const legend = [...[...used].map((state) => `${symbolOf(state)} ${state}`), ...(isSparse ? [`${NOT_PROBED} not probed`] : [])]
  const what = isBySite ? 'Each site looks at the columns, and shows the worst of its links' : 'Each row looks at the columns'
  if (used.size > 0) lines.push('', `${what}: ${legend.join(', ')}`)
  return lines
}

const NOT_PROBED = '.'

function nodeMatrix(graph: Graph): Matrix {
  const nodes = [...graph.nodes]
    .sort((a, b) => compare(a.site, b.site) || compare(a.id, b.id))
    .map(({ id }) => ({ key: `node:${id}`, name: id }))
  const states = new Map(graph.links.map((link) => [`node:${link.from}>${link.toType}:${link.to}`, link.state]))
  return { rows: nodes, columns: [...nodes, ...targetsOf(graph)], state: (row, column) => states.get(`${row.key}>${column.key}`) ?? null }
}

function siteMatrix(graph: Graph): Matrix {
  const siteOf = new Map(graph.nodes.map(({ id, site }) => [id, site]))
  const sites = [...new Set(siteOf.values())].sort(compare).map((site) => ({ key: `site:${site}`, name: site }))
  const worst = new Map<string, LinkState>()
  for (const { from, to, toType, state } of graph.links) {
    const key = `site:${siteOf.get(from)}>${toType === 'node' ? `site:${siteOf.get(to)}` : `target:${to}`}`
    const before = worst.get(key)
    if (before === undefined || badness(state) > badness(before)) worst.set(key, state)
  }
  return { rows: sites, columns: [...sites, ...targetsOf(graph)], state: (row, column) => worst.get(`${row.key}>${column.key}`) ?? null }
}

const targetsOf = (graph: Graph): Axis[] => graph.targets.map(({ id }) => ({ key: `target:${id}`, name: id }))
/** From "nothing is known" to the worst. */
const BADNESS: readonly LinkState[] = ['unknown', 'up', 'stale', 'slow', 'lossy', 'partial', 'one-way', 'down']
const badness = (state: LinkState): number => BADNESS.indexOf(state)
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
const count = (number: number, word: string): string => `${number} ${word}${number === 1 ? '' : 's'}`
