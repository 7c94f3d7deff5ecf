import { describe, expect, test } from 'vitest'
import { link } from './fixture.ts'
import { COLUMNS, tableRows } from './table.ts'

const links = [
  link('a', 'b', { rttMsP50: 3 }),
  link('b', 'a', { state: 'down', lossRatio: 1, rttMsP50: null, detail: 'no answer' }),
  link('a', 'shop', { toType: 'target', kind: 'http', state: 'lossy', lossRatio: 0.3, since: null }),
]
const ends = (rows: readonly { from: string; to: string }[]): string[] => rows.map(({ from, to }) => `${from}>${to}`)

describe('the table', () => {
  test('shows the worst first', () => {
    expect(ends(tableRows(links, '', { column: 'state', descending: true }))).toEqual(['b>a', 'a>shop', 'a>b'])
  })

  test('every column sorts both ways, unknown figures at the low end', () => {
    for (const column of COLUMNS) {
      const up = tableRows(links, '', { column, descending: false })
      const down = tableRows(links, '', { column, descending: true })
      expect(up).toHaveLength(3)
      expect(new Set(ends(up))).toEqual(new Set(ends(down)))
    }
    expect(ends(tableRows(links, '', { column: 'rtt', descending: false }))[0]).toBe('b>a')
    expect(ends(tableRows(links, '', { column: 'since', descending: false }))[0]).toBe('a>shop')
  })

  test('every word of the filter has to fit something', () => {
    const order = { column: 'state', descending: true } as const
    expect(ends(tableRows(links, 'DOWN', order))).toEqual(['b>a'])
    expect(ends(tableRows(links, 'a http', order))).toEqual(['a>shop'])
    expect(ends(tableRows(links, 'no answer', order))).toEqual(['b>a'])
    expect(tableRows(links, 'a nothing', order)).toEqual([])
  })
})
