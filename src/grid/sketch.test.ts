import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LIMITS } from '../contract/index.ts'
import { keysNumber, rowOf } from '../../test/support/grid-makers.ts'
import { targetClaim } from '../../test/support/virtual-grid.ts'
import { FIGURES_PER_SKETCH, readSketch, signSketches, type Figure } from './sketch.ts'
import { MAX_MESSAGE_BYTES } from './rhythm.ts'
import { signRow } from './row.ts'
import { RowTable } from './table.ts'
import { encodeMessage } from './wire.ts'

const [a, b] = [keysNumber(1), keysNumber(2)]
const links = (count: number) => Array.from({ length: count }, (_, at) => targetClaim(`t${at}`))

describe('figures of links', () => {
  const told = ([lossPerMille, rttUs]: Figure): Figure => {
    const row = rowOf(a, { links: links(1) })
    return readSketch(signSketches(row, 1, [[lossPerMille, rttUs]], a)[0]!.bytes)!.figures[0]!
  }

  it('come back within half a percent of loss and 3 % of round trip', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_000 }), fc.integer({ min: 10, max: 25_000_000 }), (lossPerMille, rttUs) => {
        const [loss, rtt] = told([lossPerMille, rttUs])
        expect(Math.abs(loss - lossPerMille)).toBeLessThanOrEqual(5)
        expect(Math.abs(rtt! - rttUs)).toBeLessThanOrEqual(1 + 0.03 * rttUs)
      }),
      { seed: 1 },
    )
  })

  it('never turn a loss into none, nor no answer into a round trip', () => {
    expect(told([1, null])).toEqual([5, null])
    expect(told([0, 0])).toEqual([0, 10])
    expect(told([1_000, 3_600_000_000])[0]).toBe(1_000)
  })

  it('of a long row go in several sketches, each of which fits a datagram', () => {
    const row = rowOf(a, { links: links(LIMITS.linksPerRow) })
    const sketches = signSketches(
      row,
      7,
      row.links.map(() => [500, 900]),
      a,
    )
    expect(sketches).toHaveLength(Math.ceil(LIMITS.linksPerRow / FIGURES_PER_SKETCH))
    for (const sketch of sketches) expect(encodeMessage({ type: 'sketch', ...sketch }).length).toBeLessThanOrEqual(MAX_MESSAGE_BYTES)
  })
})

describe('a table', () => {
  const row = rowOf(a, { links: links(3) })
  const figures: Figure[] = [
    [0, 10],
    [500, null],
    [0, 10],
  ]
  const holding = (): RowTable => {
    const table = new RowTable()
    table.apply(signRow(row, a), 0)
    return table
  }

  it('takes figures of a node that signed them, newer ones only', () => {
    const table = holding()
    expect(table.applySketch(signSketches(row, 2, figures, b)[0]!)).toBeNull()
    expect(table.applySketch(signSketches(row, 2, figures, a)[0]!)).toMatchObject({ identity: a.identity, first: 0 })
    expect(table.applySketch(signSketches(row, 2, figures, a)[0]!)).toBeNull()
    expect(table.applySketch(signSketches(row, 1, figures, a)[0]!)).toBeNull()
    expect(table.figures(a.identity)).toEqual(figures)
  })

  it('keeps figures through a turn of state, and forgets them with the links that they were of', () => {
    const table = holding()
    table.applySketch(signSketches(row, 1, figures, a)[0]!)
    table.apply(signRow({ ...row, version: 2, links: row.links.map((link) => ({ ...link, state: 'down' })) }, a), 0)
    expect(table.figures(a.identity)).toEqual(figures)
    table.apply(signRow({ ...row, version: 3, links: row.links.slice(1) }, a), 0)
    expect(table.figures(a.identity)).toEqual([undefined, undefined])
  })

  it('refuses figures of links that the row does not have, and of another start', () => {
    const table = holding()
    const long = rowOf(a, { links: links(FIGURES_PER_SKETCH + 1) })
    const beyond = signSketches(
      long,
      1,
      long.links.map(() => [0, 10]),
      a,
    )[1]!
    expect(table.applySketch(beyond)).toBeNull()
    expect(table.applySketch(signSketches({ ...row, incarnation: 2 }, 1, figures, a)[0]!)).toBeNull()
  })
})
