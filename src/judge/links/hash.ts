import type { RowLink } from './graph.ts'

export type HashedRow = {
  readonly identity: string
  readonly incarnation: number
  readonly version: number
  readonly links: readonly RowLink[]
}

/**
 * What the graph hash covers, as text: the rows in order of identity. It holds what the rows say and nothing that each node sees in its own
 * way: no age, no round trip, no loss, no staleness. Labels and identities hold neither spaces nor line ends, so the text has one reading.
 */
export function hashInput(rows: readonly HashedRow[]): string {
  return rows
    .toSorted((a, b) => (a.identity < b.identity ? -1 : 1))
    .map(rowHashInput)
    .join('')
}

/** One row's part. It is fixed for one `(identity, incarnation, version)`, so it may be kept. */
export function rowHashInput(row: HashedRow): string {
  const links = row.links.map((link) => `${link.toType} ${link.to} ${link.kind} ${link.state} ${link.dead ?? '-'}\n`).sort()
  return `row ${row.identity} ${row.incarnation} ${row.version}\n${links.join('')}`
}
