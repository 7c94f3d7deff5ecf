import { describe, expect, test } from 'vitest'
import { offsets, visible } from './window.ts'

describe('the window over a large matrix', () => {
  test('lines follow each other, with a gap between groups', () => {
    expect(offsets(['a', 'a', 'b'], 30, 10)).toEqual({ starts: [0, 30, 70], totalPx: 100 })
    expect(offsets([], 30, 10)).toEqual({ starts: [], totalPx: 0 })
  })

  test('only what is seen is drawn, with a few more at either side', () => {
    const { starts } = offsets(Array(500).fill('a') as string[], 30, 10)
    expect(visible(starts, 0, 300)).toEqual([0, 14])
    expect(visible(starts, 6_000, 300)).toEqual([196, 214])
    expect(visible(starts, 15_000, 300)).toEqual([496, 500])
    expect(visible([], 0, 300)).toEqual([0, 0])
  })
})
