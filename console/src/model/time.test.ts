import { describe, expect, test } from 'vitest'
import { ago, clockTime, since } from './time.ts'

describe('times for people', () => {
  test.each([
    [-50, 'just now'],
    [1_900, 'just now'],
    [42_000, '42 s ago'],
    [300_000, '5 min ago'],
    [12_000_000, '3 h 20 min ago'],
    [7_200_000, '2 h ago'],
    [93_600_000, '1 d 2 h ago'],
    [30 * 86_400_000, '30 d ago'],
  ])('%d ms is %s', (spanMs, words) => {
    expect(ago(spanMs)).toBe(words)
  })

  test('the date is told when it is not today, and the year when it is another', () => {
    const now = new Date(2026, 2, 7, 12, 0, 0).getTime()
    expect(clockTime(new Date(2026, 2, 7, 3, 20, 15).getTime(), now)).toBe('03:20:15')
    expect(clockTime(new Date(2026, 2, 6, 3, 20, 15).getTime(), now)).toBe('6 Mar, 03:20:15')
    expect(clockTime(new Date(2025, 2, 6, 3, 20, 15).getTime(), now)).toBe('6 Mar 2025, 03:20:15')
  })

  test('an unknown beginning is no words', () => {
    expect(since(null, 0)).toBeNull()
    const now = new Date(2026, 2, 7, 12, 0, 0)
    expect(since(now.toISOString(), now.getTime() + 5_000)).toBe('since 12:00:00 (5 s ago)')
  })
})
