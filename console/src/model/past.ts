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

/** A change is looked at a moment later: of a death the first link tells first, and within a second most have. */
const SETTLED_MS = 1_000
/** Changes closer than this belong together: one fault turns many links one after the other. */
const TOGETHER_MS = 2_000
/** However long it goes on, it is looked at this often. */
const LONGEST_MS = 10_000

export function justAfter(iso: string): string {
  return new Date(Date.parse(iso) + SETTLED_MS).toISOString()
}

/** A mark of the slider, or a line of the journal; of that is also known whether it was for the better. */
type Change = { readonly at: string; readonly bad: number; readonly good?: number }

/** When to look, so that each turn is seen, and what belongs together at once. Better and worse do not belong together. */
function stops(changes: readonly Change[]): number[] {
  const found: number[] = []
  let [firstMs, lastMs, sense] = [-Infinity, -Infinity, 0]
  for (const { at, bad, good = 0 } of changes) {
    const atMs = Date.parse(at)
    const turns = Math.sign(good - bad) * sense < 0
    if (!turns && atMs - lastMs <= TOGETHER_MS && atMs - firstMs <= LONGEST_MS) found.pop()
    else [firstMs, sense] = [atMs, 0]
    sense ||= Math.sign(good - bad)
    lastMs = atMs
    found.push(atMs + SETTLED_MS)
  }
  return found
}

/** Of lines of the journal, newest first, those that changed the picture. */
export function changesOf(entries: readonly TimelineEntry[]): Change[] {
  return entries
    .filter(({ event }) => event.type === 'link.changed' || event.type === 'member.changed')
    .map(({ at, tone }) => ({ at, bad: Number(tone === 'bad'), good: Number(tone === 'good') }))
    .toReversed()
}

/** When to look next after `atMs`, and before it. */
export function nextChange(changes: readonly Change[], atMs: number): number | null {
  return stops(changes).find((stopMs) => stopMs > atMs) ?? null
}
export function previousChange(changes: readonly Change[], atMs: number): number | null {
  return stops(changes).findLast((stopMs) => stopMs < atMs) ?? null
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
const secondFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const dayFormat = new Intl.DateTimeFormat('en-GB', { weekday: 'short', hour: '2-digit', minute: '2-digit' })

/** `count` times along the range for its axis, the end left out: there stands "now". */
export function axis(range: Range, count: number): { ratio: number; words: string }[] {
  const spanMs = range.toMs - range.fromMs
  const format = spanMs > 24 * 3_600_000 ? dayFormat : spanMs < 15 * 60_000 ? secondFormat : hourFormat
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
