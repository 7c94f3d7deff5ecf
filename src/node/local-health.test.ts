import { describe, expect, it } from 'vitest'
import { HEALTH, LocalHealth } from './local-health.ts'

describe('local health', () => {
  it('takes one long wait for a hiccup, and three in ten seconds for a busy machine until half a minute was calm', () => {
    const health = new LocalHealth()
    health.observe(HEALTH.stallMs + 1, 0)
    expect(health.reasons(false)).toEqual([])
    health.observe(HEALTH.stallMs + 1, 1_000)
    health.observe(HEALTH.stallMs + 1, 2_000)
    expect(health.reasons(false)).toEqual(['busy'])
    health.observe(0, 2_000 + HEALTH.calmMs)
    expect(health.reasons(false)).toEqual(['busy'])
    health.observe(0, 2_001 + HEALTH.calmMs)
    expect(health.reasons(false)).toEqual([])
  })

  it('forgets waits that lie far apart', () => {
    const health = new LocalHealth()
    for (const nowMs of [0, 6_000, 12_000, 18_000]) health.observe(HEALTH.stallMs + 1, nowMs)
    expect(health.reasons(false)).toEqual([])
  })

  it('says that the socket drops datagrams when many were dropped since the last look, not for what was before the first', () => {
    const health = new LocalHealth()
    health.observeDrops(1_000, 0)
    expect(health.reasons(false)).toEqual([])
    health.observeDrops(1_000 + HEALTH.drops, 5_000)
    expect(health.reasons(true)).toEqual(['hears-nobody', 'socket-drops'])
    health.observe(0, 5_001 + HEALTH.calmMs)
    expect(health.reasons(false)).toEqual([])
  })

  it('has no opinion where the system does not count drops', () => {
    const health = new LocalHealth()
    for (const dropped of [null, 50, null, 90]) health.observeDrops(dropped, 0)
    expect(health.reasons(false)).toEqual([])
  })
})
