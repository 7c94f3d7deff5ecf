import type { SamplePoint } from '../../../src/contract/index.ts'
import { milliseconds, percent } from './states.ts'

/** Columns for the charts: seconds, loss in percent, and the round trip's middle, lowest and highest. */
export type Series = {
  readonly loss: [number[], (number | null)[]]
  readonly rtt: [number[], (number | null)[], (number | null)[], (number | null)[]]
}

/** More than this a chart of a side panel's width cannot show apart. */
const CHART_POINTS = 180

/** Joins neighbours into buckets of whole multiples of `stepMs`, few enough for a chart. The middle of middles is near enough to see. */
export function condense(points: readonly SamplePoint[], stepMs: number): { points: SamplePoint[]; stepMs: number } {
  const first = points[0]
  const last = points.at(-1)
  if (!first || !last) return { points: [], stepMs }
  const widthMs = Math.ceil((last.atMs - first.atMs + stepMs) / CHART_POINTS / stepMs) * stepMs
  const buckets = Map.groupBy(points, ({ atMs }) => Math.floor(atMs / widthMs) * widthMs)
  return { stepMs: widthMs, points: [...buckets].map(([atMs, group]) => join(atMs, group)) }
}

function join(atMs: number, group: readonly SamplePoint[]): SamplePoint {
  const known = (pick: (point: SamplePoint) => number | null): number[] => group.map(pick).filter((value) => value !== null)
  const middles = known((point) => point.rttMsP50).sort((a, b) => a - b)
  const lowest = known((point) => point.rttMsMin)
  const highest = known((point) => point.rttMsMax)
  return {
    atMs,
    sent: group.reduce((sum, point) => sum + point.sent, 0),
    lost: group.reduce((sum, point) => sum + point.lost, 0),
    rttMsMin: lowest.length > 0 ? Math.min(...lowest) : null,
    rttMsP50: middles[Math.floor(middles.length / 2)] ?? null,
    rttMsMax: highest.length > 0 ? Math.max(...highest) : null,
  }
}

/** A bucket without probes is a gap, never a zero; so is time in which no bucket was kept. */
export function toSeries(points: readonly SamplePoint[], stepMs: number): Series {
  const times: number[] = []
  const loss: (number | null)[] = []
  const [middle, lowest, highest]: (number | null)[][] = [[], [], []]
  const push = (atMs: number, point: SamplePoint | null): void => {
    times.push(atMs / 1_000)
    loss.push(point && point.sent > 0 ? (point.lost / point.sent) * 100 : null)
    middle?.push(point?.rttMsP50 ?? null)
    lowest?.push(point?.rttMsMin ?? null)
    highest?.push(point?.rttMsMax ?? null)
  }
  points.forEach((point, i) => {
    const before = points[i - 1]
    // Probes of targets are seconds apart, so buckets may be empty by nature: only a long silence is a hole.
    if (before && point.atMs - before.atMs > Math.max(stepMs * 3, 30_000)) push(before.atMs + stepMs, null)
    push(point.atMs, point)
  })
  return { loss: [times, loss], rtt: [times, middle ?? [], lowest ?? [], highest ?? []] }
}

/** The charts in one sentence, for those who do not see them and for those in a hurry. */
export function seriesWords(points: readonly SamplePoint[]): string {
  const sent = points.reduce((sum, point) => sum + point.sent, 0)
  if (sent === 0) return 'Nothing was measured in this time.'
  const lost = points.reduce((sum, point) => sum + point.lost, 0)
  const middles = points
    .map((point) => point.rttMsP50)
    .filter((value) => value !== null)
    .sort((a, b) => a - b)
  const middle = middles[Math.floor(middles.length / 2)]
  const highest = points.reduce((max, point) => Math.max(max, point.rttMsMax ?? 0), 0)
  const lossWords = lost === 0 ? `None of ${sent} probes was lost` : `${lost} of ${sent} probes were lost (${percent(lost / sent)})`
  return middle === undefined
    ? `${lossWords}.`
    : `${lossWords}; half of the answers came within ${milliseconds(middle)}, the slowest took ${milliseconds(highest)}.`
}
