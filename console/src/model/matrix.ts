import type { Graph } from '../../../src/contract/index.ts'
import type { Links } from './links.ts'
import { NO_SITE } from './map.ts'
import { type Look, lookOf } from './states.ts'

export type Axis = { readonly name: string; readonly group: string; readonly type: 'node' | 'target' | 'site' }
/** One cell: what the row's end says of the column's. */
export type Cell = { readonly look: Look; readonly troubled: number; readonly of: number }
export type MatrixModel = {
  readonly rows: readonly Axis[]
  readonly columns: readonly Axis[]
  readonly cell: (row: Axis, column: Axis) => Cell | null
}

/** Beyond this many nodes the matrix first shows whole sites, and one pair of sites at a time in full. */
export const FULL_NODES = 60

/** Who sees whom, every node and target on its own; narrowed to two sites where given. */
export function nodeMatrix(graph: Pick<Graph, 'nodes' | 'targets'>, links: Links, sites: readonly [string, string] | null): MatrixModel {
  const nodes: Axis[] = graph.nodes.map((node) => ({ name: node.id, group: node.site, type: 'node' }))
  const targets: Axis[] = graph.targets.map((target) => ({ name: target.id, group: target.site ?? NO_SITE, type: 'target' }))
  const order = (a: Axis, b: Axis): number => compareSites(a.group, b.group) || a.type.localeCompare(b.type) || compareNames(a.name, b.name)
  return {
    rows: nodes.filter((axis) => !sites || axis.group === sites[0]).sort(order),
    columns: [...nodes, ...targets].filter((axis) => !sites || axis.group === sites[1]).sort(order),
    cell: (row, column) => {
      const link = links.get(`${row.name} ${column.type}:${column.name}`)
      return link ? { look: lookOf(link), troubled: link.state === 'up' || link.state === 'unknown' ? 0 : 1, of: 1 } : null
    },
  }
}

/** The same by whole sites: each cell is the worst state between them, with how many links are in trouble. */
export function siteMatrix(graph: Pick<Graph, 'nodes' | 'targets'>, links: Links): MatrixModel {
  const siteOf = new Map<string, string>()
  for (const node of graph.nodes) siteOf.set(`node:${node.id}`, node.site)
  for (const target of graph.targets) siteOf.set(`target:${target.id}`, target.site ?? NO_SITE)
  const cells = new Map<string, Cell>()
  for (const link of links.values()) {
    const from = siteOf.get(`node:${link.from}`)
    const to = siteOf.get(`${link.toType}:${link.to}`)
    if (from === undefined || to === undefined) continue
    const key = `${from}\n${to}`
    const before = cells.get(key)
    const look = lookOf(link)
    cells.set(key, {
      look: before && before.look.severity >= look.severity ? before.look : look,
      troubled: (before?.troubled ?? 0) + (look.severity >= 1 ? 1 : 0),
      of: (before?.of ?? 0) + 1,
    })
  }
  const observers = [...new Set(graph.nodes.map((node) => node.site))].sort(compareNames)
  const seen = [...new Set(siteOf.values())].sort(compareSites)
  const axis = (name: string): Axis => ({ name, group: '', type: 'site' })
  return { rows: observers.map(axis), columns: seen.map(axis), cell: (row, column) => cells.get(`${row.name}\n${column.name}`) ?? null }
}

function compareSites(a: string, b: string): number {
  return Number(a === NO_SITE) - Number(b === NO_SITE) || compareNames(a, b)
}

const collator = new Intl.Collator('en', { numeric: true })
/** node-2 before node-10. */
export function compareNames(a: string, b: string): number {
  return collator.compare(a, b)
}
