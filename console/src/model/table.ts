import type { GraphLink } from '../../../src/contract/index.ts'
import { compareNames } from './matrix.ts'
import { LOOKS } from './states.ts'

export const COLUMNS = ['state', 'from', 'to', 'kind', 'since', 'loss', 'rtt'] as const
export type Column = (typeof COLUMNS)[number]
export const COLUMN_TITLES: Readonly<Record<Column, string>> = {
  state: 'State',
  from: 'From',
  to: 'To',
  kind: 'Probe',
  since: 'Since',
  loss: 'Loss',
  rtt: 'Round trip',
}
export type Order = { readonly column: Column; readonly descending: boolean }

const ASCENDING: Readonly<Record<Column, (a: GraphLink, b: GraphLink) => number>> = {
  state: (a, b) => LOOKS[a.state].severity - LOOKS[b.state].severity,
  from: (a, b) => compareNames(a.from, b.from),
  to: (a, b) => compareNames(a.to, b.to),
  kind: (a, b) => a.kind.localeCompare(b.kind),
  since: (a, b) => (a.since ?? '').localeCompare(b.since ?? ''),
  loss: (a, b) => (a.lossRatio ?? -1) - (b.lossRatio ?? -1),
  rtt: (a, b) => (a.rttMsP50 ?? -1) - (b.rttMsP50 ?? -1),
}

/** Rows of the table. Every word of the filter must be part of a link's names, state, kind or detail; ties keep a fixed order. */
export function tableRows(links: Iterable<GraphLink>, filter: string, order: Order): GraphLink[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean)
  const rows = [...links].filter((link) => {
    if (words.length === 0) return true
    const text = `${link.from} ${link.to} ${link.state} ${link.kind} ${link.detail ?? ''}`.toLowerCase()
    return words.every((word) => text.includes(word))
  })
  const sign = order.descending ? -1 : 1
  const compare = ASCENDING[order.column]
  return rows.sort((a, b) => sign * compare(a, b) || compareNames(a.from, b.from) || compareNames(a.to, b.to))
}
