import type { LinkState, TimelineEntry } from '../../../src/contract/index.ts'

/** A stretch of time in which a link was in one state. `endMs` is null for the one that lasts. */
export type Stretch = { readonly state: LinkState; readonly fromMs: number; readonly endMs: number | null; readonly detail: string | null }

/** A link's turns, oldest first, as the stretches that they begin, newest first. */
export function stretches(turns: readonly TimelineEntry[]): Stretch[] {
  const begun = turns.flatMap(({ at, event }) =>
    event.type === 'link.changed' ? [{ state: event.to, fromMs: Date.parse(at), detail: event.detail }] : [],
  )
  return begun.map((stretch, i) => ({ ...stretch, endMs: begun[i + 1]?.fromMs ?? null })).toReversed()
}

/** The stretch that holds a moment. */
export function stretchAt(all: readonly Stretch[], atMs: number): Stretch | null {
  return all.find(({ fromMs, endMs }) => fromMs <= atMs && (endMs === null || atMs < endMs)) ?? null
}
