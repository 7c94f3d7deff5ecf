import type { SamplePoint } from '../contract/samples.ts'

/**
 * Points are merged in three places (closing a window, answering a chart, meeting a row that is already there) by this
 * one rule: counts add up, minimum and maximum are exact, and p50 is the median of the medians, each weighing as many answers as
 * stand behind it. Over single samples that is the exact median (nearest rank).
 */
export function mergePoints(points: readonly SamplePoint[], atMs: number): SamplePoint {
  const merged: SamplePoint = { atMs, sent: 0, lost: 0, rttMsMin: null, rttMsP50: null, rttMsMax: null }
  const medians: { rttMs: number; weight: number }[] = []
  for (const point of points) {
    merged.sent += point.sent
    merged.lost += point.lost
    if (point.rttMsMin !== null) merged.rttMsMin = Math.min(merged.rttMsMin ?? Infinity, point.rttMsMin)
    if (point.rttMsMax !== null) merged.rttMsMax = Math.max(merged.rttMsMax ?? 0, point.rttMsMax)
    if (point.rttMsP50 !== null) medians.push({ rttMs: point.rttMsP50, weight: Math.max(1, point.sent - point.lost) })
  }
  merged.rttMsP50 = weightedMedian(medians)
  return merged
}

function weightedMedian(values: { rttMs: number; weight: number }[]): number | null {
  values.sort((a, b) => a.rttMs - b.rttMs)
  const half = values.reduce((sum, value) => sum + value.weight, 0) / 2
  let reached = 0
  for (const value of values) {
    reached += value.weight
    if (reached >= half) return value.rttMs
  }
  return null
}

/** Points merged into buckets of `stepMs`, aligned to the wall clock, oldest first. Takes them in any order. */
export function bucketPoints(points: readonly SamplePoint[], stepMs: number): SamplePoint[] {
  const buckets = new Map<number, SamplePoint[]>()
  for (const point of points) {
    const atMs = Math.floor(point.atMs / stepMs) * stepMs
    const bucket = buckets.get(atMs)
    if (bucket) bucket.push(point)
    else buckets.set(atMs, [point])
  }
  return [...buckets].map(([atMs, bucket]) => mergePoints(bucket, atMs)).sort((a, b) => a.atMs - b.atMs)
}

/**
 * A row of the database is the points of one link, one tier and one window, fixed-width and little-endian:
 * slot u16, sent u16, lost u16, p50 f32, and for own links min f32, max f32 as well. Other nodes tell only a p50.
 */
export type RowShape = { readonly windowStartMs: number; readonly widthMs: number; readonly told: boolean }

const pointBytes = (told: boolean): number => (told ? 10 : 18)

export function encodePoints(points: readonly SamplePoint[], shape: RowShape): Uint8Array {
  const width = pointBytes(shape.told)
  const view = new DataView(new ArrayBuffer(points.length * width))
  points.forEach((point, index) => {
    const at = index * width
    view.setUint16(at, Math.floor((point.atMs - shape.windowStartMs) / shape.widthMs), true)
    view.setUint16(at + 2, clampU16(point.sent), true)
    view.setUint16(at + 4, clampU16(point.lost), true)
    view.setFloat32(at + 6, point.rttMsP50 ?? NaN, true)
    if (shape.told) return
    view.setFloat32(at + 10, point.rttMsMin ?? NaN, true)
    view.setFloat32(at + 14, point.rttMsMax ?? NaN, true)
  })
  return new Uint8Array(view.buffer)
}

export function decodePoints(row: Uint8Array, shape: RowShape): SamplePoint[] {
  const width = pointBytes(shape.told)
  const view = new DataView(row.buffer, row.byteOffset, row.byteLength)
  const points: SamplePoint[] = []
  for (let at = 0; at + width <= row.byteLength; at += width) {
    points.push({
      atMs: shape.windowStartMs + view.getUint16(at, true) * shape.widthMs,
      sent: view.getUint16(at + 2, true),
      lost: view.getUint16(at + 4, true),
      rttMsP50: readRtt(view, at + 6),
      rttMsMin: shape.told ? null : readRtt(view, at + 10),
      rttMsMax: shape.told ? null : readRtt(view, at + 14),
    })
  }
  return points
}

/** What was measured between two roll-ups, as the log keeps it: link u32, offset in the window u32, sent u16, lost u16, rtt f32. */
export type LogRecord = { link: number; offsetMs: number; sent: number; lost: number; rttMs: number | null }
export const RECORD_BYTES = 16

export function encodeRecords(records: readonly LogRecord[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(records.length * RECORD_BYTES))
  records.forEach((record, index) => {
    const at = index * RECORD_BYTES
    view.setUint32(at, record.link, true)
    view.setUint32(at + 4, record.offsetMs, true)
    view.setUint16(at + 8, clampU16(record.sent), true)
    view.setUint16(at + 10, clampU16(record.lost), true)
    view.setFloat32(at + 12, record.rttMs ?? NaN, true)
  })
  return new Uint8Array(view.buffer)
}

/** The record at byte `at`, as a point. */
export function recordPoint(view: DataView, at: number, windowStartMs: number, told: boolean): SamplePoint {
  const rttMs = readRtt(view, at + 12)
  return {
    atMs: windowStartMs + view.getUint32(at + 4, true),
    sent: view.getUint16(at + 8, true),
    lost: view.getUint16(at + 10, true),
    rttMsP50: rttMs,
    rttMsMin: told ? null : rttMs,
    rttMsMax: told ? null : rttMs,
  }
}

const clampU16 = (count: number): number => Math.max(0, Math.min(65_535, Math.trunc(count)))

/** A stored round trip; whole microseconds, since the digits below are the float's and not the network's. */
function readRtt(view: DataView, at: number): number | null {
  const rttMs = view.getFloat32(at, true)
  return Number.isFinite(rttMs) ? Math.round(rttMs * 1_000) / 1_000 : null
}
