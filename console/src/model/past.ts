import type { GraphNode, Past, TimelineEntry } from '../../../src/contract/index.ts'
import type { Links } from './links.ts'
import { isTroubled } from './states.ts'
import { ago, clockTime, spanWords } from './time.ts'

/** How much of the past the slider covers, always up to now. */
export const SPANS = [
  { spanMs: 3_600_000, title: 'Hour' },
  { spanMs: 12 * 3_600_000, title: '12 h' },
  { spanMs: 24 * 3_600_000, title: 'Day' },
  { spanMs: 7 * 24 * 3_600_000, title: 'Week' },
] as const

export type Range = { readonly fromMs: number; readonly toMs: number }
type Moments = Past['moments']

/** The shortest of the spans that reaches back to `atMs`; the longest where none does. */
export function spanFor(atMs: number, nowMs: number): number {
  return (SPANS.find(({ spanMs }) => nowMs - atMs < spanMs) ?? SPANS[SPANS.length - 1] ?? SPANS[0]).spanMs
}

/** What the slider covers: the span, but nothing from before anything was kept. Null when nothing is kept. */
export function rangeOf(past: Pick<Past, 'from' | 'to'>, spanMs: number): Range | null {
  if (past.from === null) return null
  const toMs = Date.parse(past.to)
  const fromMs = Math.max(Date.parse(past.from), toMs - spanMs)
  return fromMs < toMs ? { fromMs, toMs } : null
}

/** Spans that show more than a shorter one does. */
export function usefulSpans(past: Pick<Past, 'from' | 'to'>): readonly (typeof SPANS)[number][] {
  const keptMs = past.from === null ? 0 : Date.parse(past.to) - Date.parse(past.from)
  return SPANS.filter((_, i) => i === 0 || keptMs > (SPANS[i - 1]?.spanMs ?? 0))
}

/** A change is looked at a moment later: of a death the first link tells first, and within a second they all have. */
const SETTLED_MS = 1_000
export function justAfter(iso: string): string {
  return new Date(Date.parse(iso) + SETTLED_MS).toISOString()
}

/** Lines of the journal, newest first, as moments: those of them that changed the picture. */
export function momentsOf(entries: readonly TimelineEntry[]): Moments {
  return entries
    .filter(({ event }) => event.type === 'link.changed' || event.type === 'member.changed')
    .map(({ at, tone }) => ({ at, changes: 1, bad: tone === 'bad' ? 1 : 0 }))
    .toReversed()
}

/** When to look at the first change that `atMs` does not show yet. */
export function nextChange(moments: Moments, atMs: number): number | null {
  const found = moments.find(({ at }) => Date.parse(at) > atMs)
  return found ? Date.parse(found.at) + SETTLED_MS : null
}

/** When to look at the last change before the one that `atMs` shows. */
export function previousChange(moments: Moments, atMs: number): number | null {
  const found = moments.findLast(({ at }) => Date.parse(at) + SETTLED_MS < atMs)
  return found ? Date.parse(found.at) + SETTLED_MS : null
}

/** Steps of an arrow key over a whole range. */
const NUDGES = 240
/** Where the thumb is after `steps` of the arrow keys; null is now. */
export function nudge(range: Range, atMs: number | null, steps: number): number | null {
  const to = (atMs ?? range.toMs) + (steps * (range.toMs - range.fromMs)) / NUDGES
  return settle(range, to)
}

/** A place of the thumb as a moment: whole seconds, within the range; its end is now. */
export function settle(range: Range, wantedMs: number): number | null {
  if (wantedMs >= range.toMs - (range.toMs - range.fromMs) / NUDGES / 4) return null
  return Math.max(range.fromMs, Math.floor(wantedMs / 1_000) * 1_000)
}

export function ratioOf(range: Range, atMs: number): number {
  return Math.min(1, Math.max(0, (atMs - range.fromMs) / (range.toMs - range.fromMs)))
}

export type Tick = { readonly ratio: number; readonly changes: number; readonly bad: number }

/** The moments as marks along the slider, joined where a screen could not show them apart. */
export function ticks(moments: Moments, range: Range, slots = 400): Tick[] {
  const marks = new Map<number, { changes: number; bad: number }>()
  for (const { at, changes, bad } of moments) {
    const atMs = Date.parse(at)
    if (atMs < range.fromMs || atMs > range.toMs) continue
    const slot = Math.round(ratioOf(range, atMs) * slots)
    const mark = marks.get(slot) ?? { changes: 0, bad: 0 }
    marks.set(slot, { changes: mark.changes + changes, bad: mark.bad + bad })
  }
  return [...marks].map(([slot, mark]) => ({ ratio: slot / slots, ...mark }))
}

/** "03:20:41, 4 h ago". */
export function momentWords(atMs: number, nowMs: number): string {
  return `${clockTime(atMs, nowMs)}, ${ago(nowMs - atMs)}`
}

const hourFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })
const dayFormat = new Intl.DateTimeFormat('en-GB', { weekday: 'short', hour: '2-digit', minute: '2-digit' })

/** `count` times along the range for its axis, the end left out: there stands "now". */
export function axis(range: Range, count: number): { ratio: number; words: string }[] {
  const spanMs = range.toMs - range.fromMs
  const format = spanMs > 24 * 3_600_000 ? dayFormat : hourFormat
  return Array.from({ length: count }, (_, i) => ({ ratio: i / count, words: format.format(range.fromMs + (spanMs * i) / count) }))
}

/** The picture of then in a sentence. */
export function thenWords(nodes: readonly GraphNode[], links: Links): string {
  const gone = nodes.filter(({ state }) => state === 'down').map(({ id }) => id)
  const troubled = [...links.values()].filter(({ state }) => isTroubled(state)).length
  const parts = [
    gone.length === 0
      ? ''
      : gone.length > 3
        ? `${gone.length} nodes were down`
        : `${gone.join(', ')} ${gone.length === 1 ? 'was' : 'were'} down`,
    troubled === 0 ? '' : `${troubled} of ${links.size} links were in trouble`,
  ].filter(Boolean)
  return parts.length === 0 ? 'Then nothing was wrong.' : `Then ${parts.join('; ')}.`
}

/** How long after a beginning the moment is: "12 min before". */
export function before(sinceMs: number, atMs: number): string {
  return atMs - sinceMs < 2_000 ? 'just then' : `${spanWords(atMs - sinceMs)} before`
}
