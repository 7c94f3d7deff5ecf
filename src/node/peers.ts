import type { Identity } from '../contract/index.ts'
import type { Grid } from '../grid/index.ts'
import type { Clock } from '../platform/index.ts'
import { PLAN, planPeers, probeIntervalMs, type PlannedNode } from '../sense/index.ts'

/** Whose probes are answered: everyone known who has not left. */
export function isMember(grid: Grid, identity: Identity): boolean {
  const state = grid.member(identity)?.state
  return state !== undefined && state !== 'left'
}

export type PeeringOptions = {
  readonly clock: Clock
  readonly probeEveryMs: number
  grid(): Grid
  /** Whom to probe from now on, and how often each. Called when that changed. */
  onPeers(peers: readonly Identity[], everyMs: number): void
}

/** In a large grid somebody comes or goes all the time; the plan is made again at most so often. */
const AGAIN_MS = 1_000

/** Whom this node probes, out of what the grid knows. */
export class Peering {
  readonly #options: PeeringOptions
  #peers: string | null = null
  #plannedMs: number | null = null
  #cancel: (() => void) | null = null

  constructor(options: PeeringOptions) {
    this.#options = options
  }

  /** The grid's nodes changed. */
  update(): void {
    if (this.#cancel) return
    const { clock, grid } = this.#options
    const sinceMs = this.#plannedMs === null ? AGAIN_MS : clock.monoMs() - this.#plannedMs
    if (grid().table.size <= PLAN.fullMeshNodes || sinceMs >= AGAIN_MS) return this.#plan()
    this.#cancel = clock.after(AGAIN_MS - sinceMs, () => {
      this.#cancel = null
      this.#plan()
    })
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = null
  }

  #plan(): void {
    const { clock, probeEveryMs, grid, onPeers } = this.#options
    this.#plannedMs = clock.monoMs()
    const peers = peersOf(grid())
    if (peers.join() === this.#peers) return
    this.#peers = peers.join()
    onPeers(peers, probeIntervalMs(peers.length, probeEveryMs))
  }
}

function peersOf(grid: Grid): Identity[] {
  const known = grid.peers().map((identity): PlannedNode => {
    const row = grid.table.get(identity)?.row
    // What nobody can probe stands for its site as little as what is down.
    return { identity, site: row?.site ?? '', isDown: row?.address === null || grid.member(identity)?.state === 'down' }
  })
  return planPeers([...known, { identity: grid.self, site: grid.row.site, isDown: false }], grid.self)
}
