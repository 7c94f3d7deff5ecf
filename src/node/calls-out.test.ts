import { expect, it } from 'vitest'
import type { Identity } from '../contract/index.ts'
import type { Grid } from '../grid/index.ts'
import { createManualClock } from '../../test/support/manual-clock.ts'
import { CallsOut } from './calls-out.ts'

function watched() {
  const state = { hearsDatagrams: false, exchangesCalled: 1, exchangesAnswered: 0, others: ['a' as Identity] }
  const grid = {
    get hearsDatagrams() {
      return state.hearsDatagrams
    },
    counters: state,
    peers: () => state.others,
    member: () => ({ state: 'up' }),
  } as unknown as Grid
  const clock = createManualClock()
  let found = 0
  const callsOut = new CallsOut(
    clock,
    () => grid,
    () => found++,
  )
  return { state, clock, callsOut, found: () => found }
}

it('a node whose streams work and that no datagram reaches only calls out; that is found once', async () => {
  const { clock, found } = watched()
  await clock.advance(1_000)
  expect(found()).toBe(0)
  await clock.advance(10_000)
  expect(found()).toBe(1)
})

it.each([
  ['a datagram came', { hearsDatagrams: true }],
  ['somebody called it', { exchangesAnswered: 1 }],
  ['no stream of its own worked either', { exchangesCalled: 0 }],
  ['nobody else is there', { others: [] }],
])('it is not found where %s', async (_, facts) => {
  const { state, clock, found } = watched()
  Object.assign(state, facts)
  await clock.advance(60_000)
  expect(found()).toBe(0)
})

it('a node that heard somebody once and goes deaf later is in trouble, not one that only calls out', async () => {
  const { state, clock, found } = watched()
  await clock.advance(1_000)
  state.hearsDatagrams = true
  await clock.advance(500)
  state.hearsDatagrams = false
  await clock.advance(60_000)
  expect(found()).toBe(0)
})

it('is not looked for after the end', async () => {
  const { clock, callsOut, found } = watched()
  callsOut.stop()
  await clock.advance(60_000)
  expect(found()).toBe(0)
})
