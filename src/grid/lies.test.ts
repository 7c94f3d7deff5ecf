import { describe, expect, it } from 'vitest'
import type { Identity } from '../contract/index.ts'
import { createManualClock } from '../../test/support/manual-clock.ts'
import { Lies } from './lies.ts'

const a = 'a'.repeat(32) as Identity

describe('a node that was caught', () => {
  it('is told once, remembered for an hour after the last time, and then told anew', async () => {
    const clock = createManualClock()
    const told: string[] = []
    const lies = new Lies(clock, (_, lie) => told.push(lie))
    expect(lies.caught(a, 'two-rows')).toBe(true)
    await clock.advance(3_500_000)
    expect(lies.caught(a, 'two-rows')).toBe(false)
    await clock.advance(3_500_000)
    expect(lies.of(a)).toEqual(['two-rows'])
    await clock.advance(200_000)
    expect(lies.of(a)).toEqual([])
    expect(lies.caught(a, 'two-rows')).toBe(true)
    expect(told).toEqual(['two-rows', 'two-rows'])
  })

  it('at several things is shown with each', () => {
    const lies = new Lies(createManualClock(), () => {})
    lies.caught(a, 'two-rows')
    lies.caught(a, 'forged-row')
    expect(lies.of(a)).toEqual(['two-rows', 'forged-row'])
    lies.forget(a)
    expect(lies.of(a)).toEqual([])
  })
})
