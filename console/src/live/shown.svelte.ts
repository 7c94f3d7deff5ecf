import type { Graph, TimelineEntry } from '../../../src/contract/index.ts'
import type { Links } from '../model/links.ts'
import { before } from '../model/past.ts'
import { ago, clockTime, since } from '../model/time.ts'
import { live } from './live.svelte.ts'
import { replay } from './replay.svelte.ts'

const NO_LINKS: Links = new Map()
const NO_CHANGES: readonly TimelineEntry[] = []

/** What the views draw: the graph of now, or that of the moment which the address names. */
class Shown {
  readonly past = $derived(replay.at !== null)
  readonly graph: Graph | null = $derived(this.past ? (replay.picture?.graph ?? null) : live.graph)
  readonly links: Links = $derived(this.past ? (replay.picture?.links ?? NO_LINKS) : live.links)
  readonly changes: readonly TimelineEntry[] = $derived(this.past ? (replay.picture?.changes ?? NO_CHANGES) : live.changes)
  /** Another number for another picture: who is there, and link states. */
  readonly shape = $derived(this.past ? -1 - replay.shape : live.shape)

  /** "since 03:08:00 (5 min ago)", or of the past "since 03:08:00 (12 min before)". */
  since(iso: string | null): string | null {
    if (iso === null || replay.atMs === null) return since(iso, live.nowMs)
    return `since ${clockTime(Date.parse(iso), live.nowMs)} (${before(Date.parse(iso), replay.atMs)})`
  }

  age(iso: string): string {
    return replay.atMs === null ? ago(live.nowMs - Date.parse(iso)) : before(Date.parse(iso), replay.atMs)
  }
}

export const shown = new Shown()
