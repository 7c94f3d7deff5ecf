import type { GraphLink, History, LinkState, TimelineEntry } from '../contract/index.ts'

/** A link was in one state for some time. `turn` is what began it; null for what began before the window. */
export type Stretch = { readonly atMs: number; readonly untilMs: number; readonly state: LinkState; readonly turn: TimelineEntry | null }

const OUT: ReadonlySet<LinkState> = new Set(['down', 'one-way', 'partial'])
const WORN: ReadonlySet<LinkState> = new Set(['lossy', 'slow'])
/** So long without a figure nobody looked: pulses come each 5 s, and a bucket may begin early. */
const QUIET_MS = 120_000

/**
 * The states that a link went through in a window. Where a turn does not follow from the state before it the observer was restarted in between:
 * what is between the last figure and that turn is unknown.
 */
export function stretchesOf({ points, stepMs, turns }: History, link: GraphLink | null, fromMs: number, nowMs: number): Stretch[] {
  const stretches: Stretch[] = []
  const add = (atMs: number, untilMs: number, state: LinkState, turn: TimelineEntry | null): void => {
    if (untilMs > atMs || turn) stretches.push({ atMs, untilMs: Math.max(atMs, untilMs), state, turn })
  }
  const changes = turns.flatMap((turn) => (turn.event.type === 'link.changed' ? [{ turn, ...turn.event, atMs: Date.parse(turn.at) }] : []))
  // Of a window without a turn: as it is now. Where not even that is said, figures came, so somebody looked.
  let state: LinkState = changes[0]?.from ?? (link && link.state !== 'stale' ? link.says : 'up')
  let turn: TimelineEntry | null = null
  let atMs = changes.length === 0 ? Math.max(fromMs, points[0]?.atMs ?? fromMs) : fromMs
  if (atMs > fromMs) add(fromMs, atMs, 'unknown', null)
  for (const change of changes) {
    const lastSeenMs = points.findLast((point) => point.atMs < change.atMs)?.atMs ?? atMs
    const seenUntilMs = Math.max(atMs, Math.min(change.atMs, lastSeenMs + stepMs))
    const isBroken = change.from !== state && change.atMs - seenUntilMs > QUIET_MS
    add(atMs, isBroken ? seenUntilMs : change.atMs, state, turn)
    if (isBroken) add(seenUntilMs, change.atMs, 'unknown', null)
    ;({ turn, atMs } = change)
    state = change.to
  }
  const staleMs = link?.state === 'stale' && link.since !== null ? Math.max(atMs, Date.parse(link.since)) : nowMs
  add(atMs, Math.min(staleMs, nowMs), state, turn)
  if (staleMs < nowMs) add(staleMs, nowMs, 'stale', null)
  return stretches
}

/** How long a link was well, worn and unknown, and how long each outage took. An outage may go through several states. */
export function sumOf(stretches: readonly Stretch[]): {
  readonly knownMs: number
  readonly upMs: number
  readonly wornMs: number
  readonly unknownMs: number
  readonly outagesMs: readonly number[]
} {
  const outagesMs: number[] = []
  let [upMs, wornMs, unknownMs, wasOut] = [0, 0, 0, false]
  for (const { atMs, untilMs, state } of stretches) {
    const spanMs = untilMs - atMs
    const isOut = OUT.has(state)
    if (isOut) outagesMs.push((wasOut ? (outagesMs.pop() ?? 0) : 0) + spanMs)
    else if (WORN.has(state)) wornMs += spanMs
    else if (state === 'up') upMs += spanMs
    else unknownMs += spanMs
    wasOut = isOut
  }
  const knownMs = upMs + wornMs + outagesMs.reduce((sum, ms) => sum + ms, 0)
  return { knownMs, upMs, wornMs, unknownMs, outagesMs }
}
