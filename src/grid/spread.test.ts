import { describe, expect, it } from 'vitest'
import { LIMITS } from '../contract/index.ts'
import { packInto, Spread } from './spread.ts'

const message = (size: number, fill = 0): Uint8Array => new Uint8Array(size).fill(fill)

describe('news', () => {
  it('is told so many times and then no more', () => {
    const spread = new Spread()
    spread.add('row:a', [message(10)], 5)
    for (let telling = 0; telling < 5; telling++) expect(spread.take(1_000)).toHaveLength(1)
    expect(spread.take(1_000)).toEqual([])
    expect(spread.isEmpty).toBe(true)
  })

  it('of the same thing replaces what was older', () => {
    const spread = new Spread()
    spread.add('row:a', [message(10, 1)], 15)
    spread.add('row:a', [message(10, 2)], 15)
    expect(spread.take(1_000)).toEqual([message(10, 2)])
  })

  it('told least goes first, as much as there is room for', () => {
    const spread = new Spread()
    spread.add('old', [message(60, 1)], 15)
    spread.take(60)
    spread.add('new', [message(60, 2)], 15)
    expect(spread.take(100)).toEqual([message(60, 2)])
    expect(spread.take(120)).toHaveLength(2)
  })

  it('is kept up to a bound, the oldest dropped first', () => {
    const spread = new Spread()
    for (let at = 0; at <= LIMITS.rumours; at++) spread.add(`row:${at}`, [message(1, at & 255)], 1)
    expect(spread.take(1_000_000)).toHaveLength(LIMITS.rumours)
  })
})

describe('packing', () => {
  it('fills datagrams in order and splits where one is full', () => {
    expect(packInto([message(60), message(40), message(1)], 100).map((group) => group.length)).toEqual([2, 1])
    expect(
      packInto(
        Array.from({ length: 121 }, () => message(1)),
        1_000,
      ).map((group) => group.length),
    ).toEqual([60, 60, 1])
    expect(packInto([], 100)).toEqual([])
  })

  it('leaves out what fits no datagram', () => {
    expect(packInto([message(101), message(5)], 100)).toEqual([[message(5)]])
  })
})
