import { describe, expect, test } from 'vitest'
import type { GraphLink, SamplePoint } from '../contract/index.ts'
import { clean, createOutput, table, widthOf } from './output.ts'
import { msText, percentText, sinceText, spanText, sparkline, troubleText } from './words.ts'

// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0007\u001b]/

const plain = createOutput({ isTTY: false, write: () => true } as unknown as NodeJS.WriteStream, process.stderr, {})

test.each([
  [0, '0 s'],
  [59_400, '59 s'],
  [60_000, '1 min'],
  [3_599_000, '59 min'],
  [3_600_000, '1 h'],
  [7_500_000, '2 h 5 min'],
  [26_000_000, '7 h'],
  [86_400_000, '1 day'],
  [300_000_000, '3 days'],
  [-5_000, '0 s'],
])('a span of %d ms reads "%s"', (spanMs, text) => {
  expect(spanText(spanMs)).toBe(text)
})

test('since counts by the clock of the node that answered', () => {
  expect(sinceText('2026-01-01T00:00:00.000Z', '2026-01-01T00:03:00.000Z')).toBe('for 3 min')
  expect(sinceText(null, '2026-01-01T00:03:00.000Z')).toBe('')
})

test('figures are short', () => {
  expect([percentText(0.004), percentText(0.5), percentText(0), msText(0.42), msText(120.7)]).toEqual([
    '0.4 %',
    '50 %',
    '0 %',
    '0.4 ms',
    '121 ms',
  ])
})

test('a one-way link says which way is dead', () => {
  const link = { from: 'a', to: 'b', dead: 'in', lossRatio: 1, rttMsP50: null, detail: null } as GraphLink
  expect(troubleText(link)).toBe('nothing comes back from b; 100 % lost')
  expect(troubleText({ ...link, dead: 'out' })).toBe('nothing arrives at b; 100 % lost')
})

test('the sparkline shows round trips, losses and silence', () => {
  const point = (rttMsP50: number | null, sent = 1): SamplePoint => ({ atMs: 0, sent, lost: 0, rttMsMin: null, rttMsP50, rttMsMax: null })
  expect(sparkline([point(1), point(5), point(9), point(null), point(null, 0)])).toBe('▁▅█✗ ')
  expect(sparkline([point(0.11), point(0.19)])).toBe('▁▁')
  expect(sparkline([])).toBe('')
})

describe('output', () => {
  test('text from other hosts cannot steer the terminal', () => {
    expect(clean('a\x1b[2Jb\x9bc\u202ed\ne')).toBe('a\ufffd[2Jb\ufffdc\ufffdd\ufffde')
    expect(table(plain, [['\x1b]0;owned\x07', 'x']]).join('')).not.toMatch(CONTROL)
  })

  test('columns align, wide letters too', () => {
    expect(widthOf('東京')).toBe(4)
    expect(
      table(plain, [
        ['東京', 'x'],
        ['ab', 'y'],
        ['abcd', ''],
      ]),
    ).toEqual(['  東京  x', '  ab    y', '  abcd'])
  })

  test('colour is for terminals, and NO_COLOR and dumb ones go without', () => {
    const terminal = { isTTY: true, columns: 80, write: () => true } as unknown as NodeJS.WriteStream
    const painted = (env: NodeJS.ProcessEnv): string => createOutput(terminal, process.stderr, env).paint('bad', 'x')
    expect(painted({})).toBe('\x1b[31mx\x1b[0m')
    expect([painted({ NO_COLOR: '1' }), painted({ TERM: 'dumb' }), plain.paint('bad', 'x')]).toEqual(['x', 'x', 'x'])
  })
})
