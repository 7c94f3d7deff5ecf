import type { Identity } from '../contract/index.ts'
import type { Grid } from '../grid/index.ts'

/** Whose probes are answered: everyone known who has not left. */
export function isMember(grid: Grid, identity: Identity): boolean {
  const state = grid.member(identity)?.state
  return state !== undefined && state !== 'left'
}
