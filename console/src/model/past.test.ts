import { describe, expect, test } from 'vitest'
import { link, node } from './fixture.ts'
import { indexLinks } from './links.ts'
import {
  SPANS,
  axis,
  before,
  justAfter,
  changesOf,
  nextChange,
  nudge,
  previousChange,
  ratioOf,
  rangeOf,
  settle,
  spanFor,
  thenWords,
  ticks,
  usefulSpans,
} from './past.ts'

const HOUR_MS = 3_600_000
const NOW_MS = Date.parse('2026-03-07T08:00:00Z')
const iso = (hoursAgo: number): string => new Date(NOW_MS - hoursAgo * HOUR_MS).toISOString()
const moment = (hoursAgo: number, bad = 0) => ({ at: iso(hoursAgo), changes: 2, bad })
const night = [moment(5), moment(4.5, 1), moment(4.49), moment(1)]

describe('the range of the slider', () => {
  test('reaches back to the moment that is shown', () => {
    expect(spanFor(NOW_MS - HOUR_MS / 2, NOW_MS)).toBe(HOUR_MS)
    expect(spanFor(NOW_MS - 20 * HOUR_MS, NOW_MS)).toBe(24 * HOUR_MS)
    expect(spanFor(NOW_MS - 900 * HOUR_MS, NOW_MS)).toBe(SPANS.at(-1)?.spanMs)
  })

  test('holds nothing from before anything was kept', () => {
    expect(rangeOf({ from: iso(3), to: iso(0) }, 12 * HOUR_MS)).toEqual({ fromMs: NOW_MS - 3 * HOUR_MS, toMs: NOW_MS })
    expect(rangeOf({ from: iso(30), to: iso(0) }, 12 * HOUR_MS)).toEqual({ fromMs: NOW_MS - 12 * HOUR_MS, toMs: NOW_MS })
    expect(rangeOf({ from: null, to: iso(0) }, HOUR_MS)).toBeNull()
    expect(rangeOf({ from: iso(0), to: iso(0) }, HOUR_MS)).toBeNull()
  })

  test('is offered only where it shows more than a shorter one', () => {
    const titles = (from: string | null): string[] => usefulSpans({ from, to: iso(0) }).map(({ title }) => title)
    expect(titles(null)).toEqual(['Hour'])
    expect(titles(iso(3))).toEqual(['Hour', '12 h'])
    expect(titles(iso(300))).toEqual(['Hour', '12 h', 'Day', 'Week'])
  })
})

describe('moments', () => {
  test('next and previous go from change to change and end at the last', () => {
    const first = nextChange(night, 0) as number
    expect(first).toBe(Date.parse(justAfter(iso(5))))
    const second = nextChange(night, first) as number
    expect(second).toBe(Date.parse(justAfter(iso(4.5))))
    expect(previousChange(night, second)).toBe(first)
    expect(previousChange(night, first)).toBeNull()
    expect(nextChange(night, NOW_MS)).toBeNull()
    expect(previousChange(night, Infinity)).toBe(Date.parse(justAfter(iso(1))))
  })

  test('lines of the journal count where they changed the picture', () => {
    const event = { type: 'observer.degraded', id: 'a', reasons: [] } as const
    const turned = {
      type: 'link.changed',
      fromNode: 'a',
      toName: 'b',
      toType: 'node',
      kind: 'udp',
      from: 'up',
      to: 'down',
      dead: null,
      detail: null,
    } as const
    expect(
      changesOf([
        { seq: 3, at: iso(1), text: '', tone: 'bad', event: turned },
        { seq: 2, at: iso(2), text: '', tone: 'plain', event: { ...event, reasons: [] } },
        { seq: 1, at: iso(3), text: '', tone: 'good', event: turned },
      ]),
    ).toEqual([
      { at: iso(3), bad: 0, good: 1 },
      { at: iso(1), bad: 1, good: 0 },
    ])
  })

  test('a return to health between two faults is a stop of its own, however short', () => {
    const at = (seconds: number): string => new Date(NOW_MS - HOUR_MS + seconds * 1_000).toISOString()
    const healed = { at: at(1.5), bad: 0, good: 1 }
    const plain = { at: at(0.5), bad: 0, good: 0 }
    const turns = [{ at: at(0), bad: 1 }, plain, healed, { at: at(3), bad: 1 }]
    const seen = [
      nextChange(turns, 0),
      nextChange(turns, Date.parse(justAfter(plain.at))),
      nextChange(turns, Date.parse(justAfter(healed.at))),
    ]
    expect(seen).toEqual([plain.at, healed.at, at(3)].map((each) => Date.parse(justAfter(each))))
  })

  test('what one fault does to many links is one stop, but one that goes on is looked at now and then', () => {
    const after = (seconds: number) => ({ at: new Date(NOW_MS - HOUR_MS + seconds * 1_000).toISOString(), changes: 1, bad: 1 })
    const death = [0, 0.4, 1.9, 3].map(after)
    const first = nextChange(death, 0) as number
    expect(first).toBe(Date.parse(justAfter(after(3).at)))
    expect(nextChange(death, first)).toBeNull()
    expect(previousChange([...death, after(60)], Infinity)).toBe(Date.parse(justAfter(after(60).at)))
    const flapping = Array.from({ length: 31 }, (_, i) => after(i))
    expect(nextChange(flapping, 0)).toBe(Date.parse(justAfter(after(10).at)))
    expect(previousChange(flapping, Infinity)).toBe(Date.parse(justAfter(after(30).at)))
  })
})

describe('the thumb', () => {
  const range = { fromMs: NOW_MS - HOUR_MS, toMs: NOW_MS }
  test('an arrow key moves it a little, never out of the range, and its end is now', () => {
    const back = nudge(range, null, -1) as number
    expect(NOW_MS - back).toBe(15_000)
    expect(nudge(range, back, 1)).toBeNull()
    expect(nudge(range, range.fromMs, -5)).toBe(range.fromMs)
  })

  test('stands at whole seconds', () => {
    expect(settle(range, range.fromMs + 61_234)).toBe(range.fromMs + 61_000)
    expect(settle(range, range.toMs)).toBeNull()
  })

  test('a moment outside the range stands at its end', () => {
    expect(ratioOf(range, 0)).toBe(0)
    expect(ratioOf(range, NOW_MS - HOUR_MS / 2)).toBe(0.5)
    expect(ratioOf(range, NOW_MS + 1)).toBe(1)
  })
})

describe('marks', () => {
  const range = { fromMs: NOW_MS - 10 * HOUR_MS, toMs: NOW_MS }
  test('stand where something changed; what a screen cannot show apart is one mark, bad if one of it is', () => {
    expect(ticks([...night, moment(11, 1)], range, 100)).toEqual([
      { ratio: 0.5, changes: 2, bad: 0 },
      { ratio: 0.55, changes: 4, bad: 1 },
      { ratio: 0.9, changes: 2, bad: 0 },
    ])
  })

  test('the axis names the weekday beyond a day, and seconds within minutes', () => {
    expect(axis(range, 4).map(({ ratio }) => ratio)).toEqual([0, 0.25, 0.5, 0.75])
    expect(axis(range, 1)[0]?.words).toMatch(/^\d\d:\d\d$/)
    expect(axis({ fromMs: NOW_MS - 60_000, toMs: NOW_MS }, 1)[0]?.words).toMatch(/^\d\d:\d\d:\d\d$/)
    expect(axis({ fromMs: NOW_MS - 72 * HOUR_MS, toMs: NOW_MS }, 1)[0]?.words).toMatch(/^\p{L}+,? \d\d:\d\d$/u)
  })
})

describe('then, in words', () => {
  const links = indexLinks([link('a', 'b', { state: 'down' }), link('b', 'a')])
  test('tells who was down and how many links were in trouble', () => {
    expect(thenWords([node('a', 'east')], indexLinks([link('b', 'a')]))).toBe('Then nothing was wrong.')
    expect(thenWords([node('b', 'east', { state: 'down' })], links)).toBe('Then b was down; 1 of 2 links were in trouble.')
    const many = ['b', 'c', 'd', 'e'].map((id) => node(id, 'east', { state: 'down' }))
    expect(thenWords(many, indexLinks([]))).toBe('Then 4 nodes were down.')
  })

  test('a beginning is told as before the moment', () => {
    expect(before(NOW_MS - 720_000, NOW_MS)).toBe('12 min before')
    expect(before(NOW_MS - 900, NOW_MS)).toBe('just then')
  })
})
