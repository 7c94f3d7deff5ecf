import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { SamplePoint } from '../contract/index.ts'
import { bucketPoints, decodePoints, encodePoints, mergePoints } from './points.ts'

const sample = (rttMs: number | null): SamplePoint => ({
  atMs: 0,
  sent: 1,
  lost: rttMs === null ? 1 : 0,
  rttMsMin: rttMs,
  rttMsP50: rttMs,
  rttMsMax: rttMs,
})

test('p50 over single samples is the exact median, nearest rank; lost ones do not count', () => {
  expect(mergePoints([9, 1, 5, null].map(sample), 0)).toEqual({ atMs: 0, sent: 4, lost: 1, rttMsMin: 1, rttMsP50: 5, rttMsMax: 9 })
  expect(mergePoints([2, 1].map(sample), 0).rttMsP50).toBe(1)
  expect(mergePoints([null].map(sample), 0)).toMatchObject({ rttMsMin: null, rttMsP50: null, rttMsMax: null })
})

test('a median weighs as many answers as stand behind it', () => {
  const busy: SamplePoint = { atMs: 0, sent: 10, lost: 1, rttMsMin: 1, rttMsP50: 2, rttMsMax: 3 }
  expect(mergePoints([sample(50), busy, sample(60)], 0).rttMsP50).toBe(2)
})

test('figures that others told have a p50 and no minimum, and stay so', () => {
  const told: SamplePoint = { atMs: 0, sent: 5, lost: 0, rttMsMin: null, rttMsP50: 4, rttMsMax: null }
  expect(mergePoints([told, told], 0)).toEqual({ atMs: 0, sent: 10, lost: 0, rttMsMin: null, rttMsP50: 4, rttMsMax: null })
})

test('merging in two steps gives the same counts, minimum and maximum as merging in one', () => {
  const point = fc.record({ atMs: fc.integer({ min: 0, max: 100_000 }), rttMs: fc.option(fc.integer({ min: 0, max: 5_000 })) })
  fc.assert(
    fc.property(fc.array(point, { maxLength: 60 }), (raw) => {
      const points = raw.map(({ atMs, rttMs }) => ({ ...sample(rttMs), atMs }))
      const direct = bucketPoints(points, 60_000)
      const stepwise = bucketPoints(bucketPoints(bucketPoints(points, 1_000), 10_000), 60_000)
      const counts = (list: SamplePoint[]) => list.map((point) => ({ ...point, rttMsP50: 0 }))
      expect(counts(stepwise)).toEqual(counts(direct))
      for (const { rttMsMin, rttMsP50, rttMsMax } of stepwise) {
        if (rttMsP50 === null) continue
        expect(rttMsP50).toBeGreaterThanOrEqual(rttMsMin!)
        expect(rttMsP50).toBeLessThanOrEqual(rttMsMax!)
      }
    }),
  )
})

test.each([true, false])('a row gives back the points it was made of (told: %s)', (told) => {
  const shape = { windowStartMs: 600_000, widthMs: 1_000, told }
  const rtt = fc.option(fc.integer({ min: 0, max: 9_999_999 }).map((us) => us / 1_000))
  const point = fc.record({ slot: fc.nat(599), sent: fc.nat(65_535), lost: fc.nat(65_535), p50: rtt, min: rtt, max: rtt })
  fc.assert(
    fc.property(fc.array(point, { maxLength: 20 }), (raw) => {
      const points = raw.map(({ slot, sent, lost, p50, min, max }) => ({
        atMs: 600_000 + slot * 1_000,
        sent,
        lost,
        rttMsMin: told ? null : min,
        rttMsP50: p50,
        rttMsMax: told ? null : max,
      }))
      expect(decodePoints(encodePoints(points, shape), shape)).toEqual(points)
    }),
  )
})

test('counts beyond what a row holds stop at the largest', () => {
  const shape = { windowStartMs: 0, widthMs: 60_000, told: true }
  const [point] = decodePoints(encodePoints([{ ...sample(1), sent: 1e9, lost: -4 }], shape), shape)
  expect(point).toMatchObject({ sent: 65_535, lost: 0 })
})

test('a row cut short gives the points that are whole', () => {
  const shape = { windowStartMs: 0, widthMs: 1_000, told: false }
  const row = encodePoints([sample(1), { ...sample(2), atMs: 1_000 }], shape)
  expect(decodePoints(row.subarray(0, row.length - 1), shape)).toHaveLength(1)
})
