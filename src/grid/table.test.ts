import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LIMITS } from '../contract/index.ts'
import { targetClaim } from '../../test/support/virtual-grid.ts'
import { keysNumber, rowOf, signedPulse, signedRow } from '../../test/support/grid-makers.ts'
import { compare } from './exchange.ts'
import { signRow, type Signed } from './row.ts'
import { RowTable } from './table.ts'

const [a, b, c] = [keysNumber(1), keysNumber(2), keysNumber(3)]
const hex = (table: RowTable): string => Buffer.from(table.hash()).toString('hex')
const contents = (table: RowTable): string => JSON.stringify([hex(table), table.versions()])
function merged(rows: readonly Signed[]): RowTable {
  const table = new RowTable()
  for (const row of rows) table.apply(row, 0)
  return table
}

describe('merging', () => {
  // Three owners, each with several starts and versions, one of them told twice.
  const rows = [a, b, c].flatMap((keys) => [
    signedRow(keys, { incarnation: 1, version: 1 }),
    signedRow(keys, { incarnation: 1, version: 2, links: [targetClaim('t', 'up')] }),
    signedRow(keys, { incarnation: 1, version: 2, links: [targetClaim('t', 'down')] }),
    signedRow(keys, { incarnation: 2, version: 1, left: keys === c }),
  ])

  it('gives the same table whatever the order and however often', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(rows), fc.array(fc.constantFrom(...rows), { maxLength: 12 }), (some, more) => {
        expect(contents(merged([...some, ...more, ...some]))).toBe(contents(merged([...more, ...some])))
      }),
      { seed: 4, numRuns: 60 },
    )
  })

  it('of merged tables gives the same as merging everything at once', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(rows), fc.shuffledSubarray(rows), fc.shuffledSubarray(rows), (x, y, z) => {
        const held = (...parts: readonly Signed[][]): Signed[] => [...merged(parts.flat()).entries()].map((entry) => entry.signed)
        expect(contents(merged([...held(held(x, y)), ...z]))).toBe(contents(merged([...x, ...held(y, z)])))
      }),
      { seed: 5, numRuns: 30 },
    )
  })

  it('says what a row was: new, known, older, forked', () => {
    const table = new RowTable()
    const second = signedRow(a, { version: 2 })
    expect(table.apply(second, 5)).toMatchObject({ outcome: 'new', before: null, entry: { heardMs: 5 } })
    expect(table.apply(second, 6)).toEqual({ outcome: 'known' })
    expect(table.apply(signedRow(a, { version: 1 }), 7)).toEqual({ outcome: 'older' })
    expect(table.apply(signedRow(a, { version: 2, site: 'elsewhere' }), 8)).toMatchObject({ outcome: 'forked', isFirst: true })
    expect(table.apply(signedRow(a, { version: 2, site: 'nowhere' }), 8)).toMatchObject({ outcome: 'forked', isFirst: false })
    expect(table.apply(signedRow(a, { incarnation: 2, version: 0 }), 9)).toMatchObject({ outcome: 'new', entry: { forked: false } })
  })

  it('refuses a row that another signed, however new it says it is', () => {
    const table = merged([signedRow(a)])
    expect(table.apply(signRow(rowOf(a, { version: 9 }), b), 0)).toEqual({ outcome: 'refused', why: 'not-signed' })
    expect(table.apply(signRow(rowOf(c), b), 0)).toEqual({ outcome: 'refused', why: 'not-signed' })
    expect(table.apply({ bytes: new Uint8Array(9), signature: new Uint8Array(64) }, 0)).toEqual({ outcome: 'refused', why: 'malformed' })
    expect(table.get(a.identity)?.row.version).toBe(1)
  })

  it('takes rows of so many nodes and not one more, but news of those it holds', () => {
    const table = new RowTable()
    for (let at = 0; at < LIMITS.nodes; at++) expect(table.apply(signedRow(keysNumber(1_000 + at)), 0).outcome).toBe('new')
    expect(table.apply(signedRow(a), 0)).toEqual({ outcome: 'refused', why: 'full' })
    expect(table.apply(signedRow(keysNumber(1_000), { version: 2 }), 0).outcome).toBe('new')
  })
})

describe('the hash', () => {
  it('covers versions and link states, and neither figures nor when it was heard', () => {
    const table = merged([signedRow(a), signedRow(b)])
    const before = hex(table)
    expect(table.applyPulse(signedPulse(a, { figures: [[500, 1]] }), 99)).not.toBeNull()
    expect(hex(table)).toBe(before)
    table.apply(signedRow(a, { version: 2 }), 0)
    expect(hex(table)).not.toBe(before)
  })

  it('leaves nodes out that said goodbye', () => {
    expect(hex(merged([signedRow(a), signedRow(b, { left: true })]))).toBe(hex(merged([signedRow(a)])))
  })
})

describe('a pulse', () => {
  it('counts when it is newer, of this start, and signed by its owner', () => {
    const table = merged([signedRow(a, { incarnation: 2 })])
    expect(table.applyPulse(signedPulse(a, { incarnation: 1, beat: 99 }), 1)).toBeNull()
    expect(table.applyPulse({ ...signedPulse(a, { incarnation: 2 }), signature: signedPulse(b).signature }, 1)).toBeNull()
    expect(table.applyPulse(signedPulse(b), 1)).toBeNull()
    expect(table.applyPulse(signedPulse(a, { incarnation: 2, beat: 3 }), 7)).toMatchObject({ beatBefore: 0, entry: { heardMs: 7 } })
    expect(table.applyPulse(signedPulse(a, { incarnation: 2, beat: 3 }), 8)).toBeNull()
    expect(table.get(a.identity)?.heardMs).toBe(7)
  })

  it('of the start before says nothing of this one', () => {
    const table = merged([signedRow(a)])
    table.applyPulse(signedPulse(a, { beat: 50 }), 0)
    table.apply(signedRow(a, { incarnation: 2 }), 0)
    expect(table.get(a.identity)?.pulse).toBeNull()
    expect(table.applyPulse(signedPulse(a, { incarnation: 2, beat: 1 }), 0)).not.toBeNull()
  })
})

describe('comparing two tables', () => {
  it('finds what they lack and what we lack', () => {
    const ours = merged([signedRow(a, { version: 2 }), signedRow(b)])
    const theirs = merged([signedRow(a), signedRow(c)])
    const { newer, wanted } = compare(ours, theirs.versions())
    expect(newer.sort()).toEqual([a.identity, b.identity].sort())
    expect(wanted).toEqual([c.identity])
  })

  it('notices two rows of one version', () => {
    const ours = merged([signedRow(a, { site: 'here' })])
    const theirs = merged([signedRow(a, { site: 'there' })])
    expect(compare(ours, theirs.versions())).toEqual({ newer: [a.identity], wanted: [a.identity] })
  })

  it('within a range says nothing of what lies outside', () => {
    const ours = merged([signedRow(a), signedRow(b), signedRow(c)])
    const [first] = ours.identities()
    expect(compare(ours, [], { first: first!, last: first! })).toEqual({ newer: [first], wanted: [] })
  })

  it('asks once for what is named twice, and not for what was forgotten on purpose', () => {
    const ours = new RowTable()
    const [entry] = merged([signedRow(a)]).versions()
    expect(compare(ours, [entry!, entry!]).wanted).toEqual([a.identity])
    ours.apply(signedRow(a), 0)
    ours.forget(a.identity)
    expect(compare(ours, [entry!]).wanted).toEqual([])
    expect(ours.apply(signedRow(a), 0)).toEqual({ outcome: 'older' })
    // Who comes back has something new to say.
    expect(ours.apply(signedRow(a, { incarnation: 2 }), 0).outcome).toBe('new')
  })
})
