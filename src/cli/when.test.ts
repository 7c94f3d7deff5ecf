import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { dayText, localText, parseWhen } from './when.ts'

const before = process.env['TZ']
beforeAll(() => {
  process.env['TZ'] = 'Europe/Berlin'
})
afterAll(() => {
  if (before === undefined) delete process.env['TZ']
  else process.env['TZ'] = before
})

/** 09:30 in Berlin. */
const NOW = '2026-11-23T08:30:00.000Z'
const parse = (text: string): string => new Date(parseWhen(text, Date.parse(NOW))).toISOString()

describe('a time as people write it', () => {
  test.each([
    ['2026-11-23 03:20', '2026-11-23T02:20:00.000Z'],
    ['2026-11-23 03:20:45', '2026-11-23T02:20:45.000Z'],
    ['2026-11-23T03:20', '2026-11-23T02:20:00.000Z'],
    ['2026-07-23 03:20', '2026-07-23T01:20:00.000Z'],
    ['2026-11-23T03:20Z', '2026-11-23T03:20:00.000Z'],
    ['2026-11-23 03:20 Z', '2026-11-23T03:20:00.000Z'],
    ['2026-11-23T03:20:00.440Z', '2026-11-23T03:20:00.440Z'],
    ['2026-11-23 03:20:00.5', '2026-11-23T02:20:00.500Z'],
    ['2026-11-23T03:20:00+05:30', '2026-11-22T21:50:00.000Z'],
    ['2026-11-23', '2026-11-22T23:00:00.000Z'],
    ['03:20', '2026-11-23T02:20:00.000Z'],
    ['3:20', '2026-11-23T02:20:00.000Z'],
    ['03:20Z', '2026-11-23T03:20:00.000Z'],
    ['09:31', '2026-11-22T08:31:00.000Z'],
    ['today 03:20', '2026-11-23T02:20:00.000Z'],
    ['yesterday 03:20', '2026-11-22T02:20:00.000Z'],
    ['Yesterday 23:59:59', '2026-11-22T22:59:59.000Z'],
    ['-2h', '2026-11-23T06:30:00.000Z'],
    ['-90s', '2026-11-23T08:28:30.000Z'],
    [' - 3 d ', '2026-11-20T08:30:00.000Z'],
  ])('%s', (text, at) => expect(parse(text)).toBe(at))

  test.each(['', 'noon', '25:00', '03:60', '2026-13-01', '2026-02-30 03:20', '2026-11-23 24:30', '2h', '-2y', '2026-11-23 03:20 CET'])(
    'refuses "%s" and says what would do',
    (text) => expect(() => parse(text)).toThrow(/is no time: write "2026-11-23 03:20"/),
  )
})

test('a time is shown as it can be given, with its day and its distance from UTC', () => {
  expect(localText(Date.parse(NOW))).toBe('2026-11-23 09:30:00')
  expect(dayText(Date.parse(NOW))).toBe('Monday 2026-11-23 09:30:00 (UTC+1)')
})
