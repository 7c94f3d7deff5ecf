import type { Grid } from '../grid/index.ts'
import type { KeptNode } from '../store/index.ts'

/** What this node knows of another: what its row says of it, and what membership does. The same for the live graph and for the past. */
export function cardOf(grid: Grid, row: Grid['row']): Omit<KeptNode, 'links'> {
  const member = grid.member(row.identity)
  return {
    identity: row.identity,
    id: row.id,
    site: row.site,
    address: row.address,
    program: row.program,
    state: row.identity === grid.self ? 'up' : (member?.state ?? 'up'),
    sinceMs: member?.sinceMs ?? null,
    incarnation: row.incarnation,
    version: row.version,
    degraded: row.degraded,
    lies: grid.lies(row.identity),
  }
}
