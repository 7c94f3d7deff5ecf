import { describe, expect, test } from 'vitest'
import type { SamplePoint } from '../../../src/contract/index.ts'
import { condense, seriesWords, toSeries } from './series.ts'

function point(atMs: number, lost: number, rtt: number | null = 2): SamplePoint {
  return { atMs, sent: 1, lost, rttMsMin: rtt, rttMsP50: rtt, rttMsMax: rtt }
}

describe('history for the charts', () => {
  test('a bucket without probes is a gap, not a zero', () => {
    const { loss } = toSeries([{ ...point(0, 0), sent: 0 }, point(1_000, 1, null)], 1_000)
    expect(loss).toEqual([
      [0, 1],
      [null, 100],
    ])
  })

  test('a long silence breaks the line, the seconds between two probes of a target do not', () => {
    expect(toSeries([point(0, 0), point(10_000, 0)], 1_000).loss[0]).toEqual([0, 10])
    expect(toSeries([point(0, 0), point(600_000, 0)], 1_000).loss).toEqual([
      [0, 1, 600],
      [0, null, 0],
    ])
  })

  test('condensing keeps every loss, and the extremes', () => {
    const points = Array.from({ length: 900 }, (_, i) => point(i * 1_000, i % 100 === 0 ? 1 : 0, i === 450 ? 99 : 2))
    const { points: fewer, stepMs } = condense(points, 1_000)
    expect(fewer.length).toBeLessThanOrEqual(181)
    expect(stepMs).toBe(5_000)
    expect(fewer.reduce((sum, { lost }) => sum + lost, 0)).toBe(9)
    expect(Math.max(...fewer.map(({ rttMsMax }) => rttMsMax ?? 0))).toBe(99)
    expect(condense([], 1_000).points).toEqual([])
  })

  test('words say what the charts show', () => {
    expect(seriesWords([])).toBe('Nothing was measured in this time.')
    expect(seriesWords([point(0, 0), point(1, 0, 4)])).toBe(
      'None of 2 probes was lost; half of the answers came within 4.00 ms, the slowest took 4.00 ms.',
    )
    expect(seriesWords([point(0, 1, null)])).toBe('1 of 1 probes were lost (100 %).')
  })
})
