import { expect, test } from 'vitest'
import type { LinkState, TimelineEntry } from '../../../src/contract/index.ts'
import { stretchAt, stretches } from './turns.ts'

const turn = (seq: number, at: string, from: LinkState, to: LinkState): TimelineEntry => ({
  seq,
  at,
  text: '',
  tone: 'plain',
  event: { type: 'link.changed', fromNode: 'a', toName: 'b', toType: 'node', kind: 'udp', from, to, dead: null, detail: null },
})
const turns = [
  turn(1, '2026-03-07T03:00:00Z', 'unknown', 'up'),
  turn(2, '2026-03-07T03:20:00Z', 'up', 'down'),
  turn(3, '2026-03-07T03:25:00Z', 'down', 'up'),
]

test('turns are told as stretches, newest first, each until the next begins', () => {
  expect(stretches(turns).map(({ state, fromMs, endMs }) => [state, endMs === null ? null : (endMs - fromMs) / 60_000])).toEqual([
    ['up', null],
    ['down', 5],
    ['up', 20],
  ])
  expect(stretches([])).toEqual([])
})

test('a moment lies in the stretch that had begun and not ended', () => {
  const all = stretches(turns)
  expect(stretchAt(all, Date.parse('2026-03-07T03:20:00Z'))?.state).toBe('down')
  expect(stretchAt(all, Date.parse('2026-03-07T03:25:00Z'))).toBe(all[0])
  expect(stretchAt(all, Date.parse('2026-03-07T02:00:00Z'))).toBeNull()
})
