import { LINK_DETAILS, type Identity } from '../contract/index.ts'
import type { Grid } from '../grid/index.ts'
import type { Clock } from '../platform/index.ts'
import { planPeers, probeIntervalMs, type NodeSample, type PlannedNode } from '../sense/index.ts'
import type { OwnLinks, TargetLink } from './own-links.ts'

/** Whose probes are answered: everyone known who has not left. */
export function isMember(grid: Grid, identity: Identity): boolean {
  const state = grid.member(identity)?.state
  return state !== undefined && state !== 'left'
}

/** Why no probe can say anything of a node; null when probes can. */
export function whyNotProbed(grid: Grid, identity: Identity): string | null {
  const row = grid.table.get(identity)?.row
  if (row?.address === null) return LINK_DETAILS.callsOut
  if (grid.row.address !== null) return null
  if (!grid.hearsDatagrams) return LINK_DETAILS.noDatagrams
  return row?.program.startsWith('0.1.') ? LINK_DETAILS.oldVersion : null
}

/** What a link's claim says beside its state: why it is not judged by probes, and whether a line is open there. */
export function detailOf(grid: Grid, identity: Identity): string | null {
  const told = [whyNotProbed(grid, identity), grid.hasLine(identity) && grid.row.address === null ? LINK_DETAILS.line : null]
  return told.filter((part) => part !== null).join('; ') || null
}

/** Judges a probe of a node, unless none can say anything of it. Answers whether the claim changed. */
export function judgeProbe(grid: Grid, links: OwnLinks, peer: Identity, sample: NodeSample): boolean {
  const detail = detailOf(grid, peer)
  if (whyNotProbed(grid, peer) === null) return links.judge('node', peer, { ...sample, detail })
  return links.cannot('node', peer, detail)
}

/** Sets whom a node's links lead to; those that it cannot probe are claimed as such. */
export function setNodes(
  grid: Grid,
  links: OwnLinks,
  peers: readonly Identity[],
  callers: readonly Identity[],
  targets: readonly TargetLink[],
): void {
  links.setDestinations([...peers, ...callers], targets)
  for (const caller of callers) links.cannot('node', caller, detailOf(grid, caller))
}

export type PeeringOptions = {
  readonly clock: Clock
  readonly probeEveryMs: number
  grid(): Grid
  /** Whom to probe from now on, how often each, and whom it would probe but cannot. Called when that changed. */
  onPeers(peers: readonly Identity[], everyMs: number, callers: readonly Identity[]): void
}

/** In a large grid somebody comes or goes all the time, and each change is a new row to tell everyone: at most one in so long. */
const AGAIN_MAX_MS = 1_000
const AGAIN_MS_PER_NODE = 10

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
    const againMs = Math.min(AGAIN_MAX_MS, AGAIN_MS_PER_NODE * grid().table.size)
    const waitMs = this.#plannedMs === null ? 0 : this.#plannedMs + againMs - clock.monoMs()
    if (waitMs <= 0) return this.#plan()
    this.#cancel = clock.after(waitMs, () => {
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
    const { probed, callers } = peersOf(grid())
    const peers = [...probed, '', ...callers].join()
    if (peers === this.#peers) return
    this.#peers = peers
    onPeers(probed, probeIntervalMs(probed.length, probeEveryMs), callers)
  }
}

function peersOf(grid: Grid): { probed: Identity[]; callers: Identity[] } {
  const callers = new Set(grid.callers())
  const known = [...grid.peers(), ...callers].map((identity): PlannedNode => ({
    identity,
    site: grid.table.get(identity)?.row.site ?? '',
    // What nobody can probe stands for its site as little as what is down.
    isDown: grid.member(identity)?.state === 'down' || callers.has(identity),
  }))
  const planned = planPeers([...known, { identity: grid.self, site: grid.row.site, isDown: grid.row.address === null }], grid.self)
  return { probed: planned.filter((identity) => !callers.has(identity)), callers: planned.filter((identity) => callers.has(identity)) }
}
