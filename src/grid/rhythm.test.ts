import { expect, it } from 'vitest'
import { paceOf } from './rhythm.ts'

const SIZES = [1, 2, 16, 50, 100, 200, 500, 1_000, 2_000]

it('heartbeats and figures cost no more in a large grid than in a small one', () => {
  for (const nodes of SIZES) {
    const pace = paceOf(nodes, Math.min(nodes, 200))
    const heartbeats = (nodes * 112 * pace.pulseTellings * 1_000) / pace.pulseMs
    const sketches = (nodes * (120 + 2 * Math.min(nodes, 200)) * pace.sketchTellings * 1_000) / pace.sketchMs
    expect(heartbeats + sketches).toBeLessThan(3_000)
  }
})

it('a small grid hears of each node every five seconds, and from nearly everyone', () => {
  expect(paceOf(5, 4)).toMatchObject({ pulseMs: 5_000, staleAfterMs: 25_000, silentMs: 40_000, exchangeMs: 60_000 })
  expect(paceOf(16, 15).pulseTellings).toBe(5)
})

it('news is told often enough to reach all but few, whatever the size', () => {
  for (const nodes of SIZES.filter((size) => size > 16)) expect(paceOf(nodes, 20).pulseTellings).toBeGreaterThanOrEqual(4)
})

it('links that turn without end cost each node about the same share of its time, whatever the size', () => {
  expect(paceOf(16, 15).rowMs).toBe(1_000)
  expect(paceOf(100, 99).rowMs).toBeCloseTo(2_970)
  expect(paceOf(200, 199).rowMs).toBeLessThan(13_000)
  expect(paceOf(1_000, 15).rowMs).toBe(4_500)
})
