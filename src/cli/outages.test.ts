import { describe, expect, test } from 'vitest'
import type { History, LinkState, TimelineEntry } from '../contract/index.ts'
import { stretchesOf, sumOf } from './outages.ts'

const MIN_MS = 60_000
const START_MS = Date.parse('2026-01-01T00:00:00Z')
const at = (minute: number): number => START_MS + minute * MIN_MS

function turn(minute: number, from: LinkState, to: LinkState): TimelineEntry {
  const event = {
    type: 'link.changed',
    fromNode: 'a',
    toName: 'b',
    toType: 'node',
    kind: 'udp',
    from,
    to,
    dead: null,
    detail: null,
  } as const
  return { seq: minute + 1, at: new Date(at(minute)).toISOString(), text: '', tone: 'plain', event }
}

/** A figure each minute, but for the minutes in `without`. */
function history(turns: TimelineEntry[], minutes: number, without: (minute: number) => boolean = () => false): History {
  const points = Array.from({ length: minutes }, (_, minute) => minute)
    .filter((minute) => !without(minute))
    .map((minute) => ({ atMs: at(minute), sent: 60, lost: 0, rttMsMin: 1, rttMsP50: 1, rttMsMax: 1 }))
  return { from: 'a', to: 'b', stepMs: MIN_MS, points, turns }
}

const said = (given: History, minutes: number) =>
  stretchesOf(given, null, at(0), at(minutes)).map(({ atMs, untilMs, state }) => [
    (atMs - START_MS) / MIN_MS,
    (untilMs - START_MS) / MIN_MS,
    state,
  ])

describe('the states of a link in a window', () => {
  test('follow from its turns; the first says what was before', () => {
    const turns = [turn(10, 'up', 'down'), turn(14, 'down', 'up')]
    expect(said(history(turns, 60), 60)).toEqual([
      [0, 10, 'up'],
      [10, 14, 'down'],
      [14, 60, 'up'],
    ])
  })

  test('nothing is known of before the first figure', () => {
    expect(
      said(
        history([], 60, (minute) => minute < 20),
        60,
      ),
    ).toEqual([
      [0, 20, 'unknown'],
      [20, 60, 'up'],
    ])
  })

  test('nothing is known between the last figure before a restart of the observer and its first turn', () => {
    const turns = [turn(5, 'unknown', 'up'), turn(40, 'unknown', 'up')]
    expect(
      said(
        history(turns, 60, (minute) => minute >= 20 && minute < 40),
        60,
      ),
    ).toEqual([
      [0, 5, 'unknown'],
      [5, 20, 'up'],
      [20, 40, 'unknown'],
      [40, 60, 'up'],
    ])
  })
})

test('an outage may go through several states; lossy and slow are none', () => {
  const turns = [
    turn(10, 'up', 'down'),
    turn(12, 'down', 'one-way'),
    turn(14, 'one-way', 'up'),
    turn(20, 'up', 'lossy'),
    turn(25, 'lossy', 'up'),
    turn(59, 'up', 'down'),
  ]
  expect(sumOf(stretchesOf(history(turns, 60), null, at(0), at(60)))).toEqual({
    knownMs: 60 * MIN_MS,
    upMs: 50 * MIN_MS,
    wornMs: 5 * MIN_MS,
    unknownMs: 0,
    outagesMs: [4 * MIN_MS, MIN_MS],
  })
})
