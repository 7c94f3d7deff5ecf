import { encode } from 'cborg'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LIMITS } from '../contract/index.ts'
import { keysNumber, rowOf, signedPulse, signedRow } from '../../test/support/grid-makers.ts'
import { identityOf, keysOf, verifierOf } from './keys.ts'
import { pulseIsSigned, readPulse, readRow, rowIsSigned, signRow, type LinkClaim } from './row.ts'
import { rumourIsSigned, signRumour } from './rumour.ts'

const keys = keysNumber(1)
const verify = verifierOf(keys.publicKey)
const toNode: LinkClaim = {
  toType: 'node',
  to: keysNumber(2).identity,
  kind: 'udp',
  state: 'one-way',
  dead: 'out',
  sinceMs: 1_700_000_000_000,
  detail: null,
  address: null,
  site: null,
}
const toTarget: LinkClaim = {
  ...toNode,
  toType: 'target',
  to: 'shop',
  kind: 'http',
  state: 'down',
  dead: null,
  detail: 'status 503, wanted 200',
  address: 'https://shop.example',
  site: 'cloud',
}

describe('a row', () => {
  it('comes back as it went out', () => {
    const row = rowOf(keys, { degraded: ['busy', 'hears-nobody'], links: [toNode, toTarget], left: true, address: null })
    expect(readRow(signRow(row, keys).bytes)).toEqual(row)
  })

  it('is signed by its owner over every byte', () => {
    const signed = signedRow(keys, { links: [toNode] })
    expect(rowIsSigned(signed, verify)).toBe(true)
    expect(rowIsSigned(signed, verifierOf(keysNumber(2).publicKey))).toBe(false)
    for (let at = 0; at < signed.bytes.length; at++) {
      const bytes = Uint8Array.from(signed.bytes)
      bytes[at]! ^= 1
      expect(rowIsSigned({ ...signed, bytes }, verify)).toBe(false)
    }
    expect(rowIsSigned({ ...signed, signature: signed.signature.subarray(1) }, verify)).toBe(false)
  })

  it('carries nothing that a terminal or a screen would obey', () => {
    const evil = '\u001b[2J\u202Eevil\u0000'
    const row = readRow(
      signRow(rowOf(keys, { address: evil, program: evil, links: [{ ...toTarget, detail: evil, address: evil }] }), keys).bytes,
    )
    expect(JSON.stringify(row)).not.toMatch(/\\u001b|\u202E|\\u0000/)
  })

  it('may hold so many links, and not one more', () => {
    const links = (count: number) => Array.from({ length: count }, (_, at) => ({ ...toTarget, to: `t${at}` }))
    expect(readRow(signedRow(keys, { links: links(LIMITS.linksPerRow) }).bytes)?.links).toHaveLength(LIMITS.linksPerRow)
    expect(readRow(signedRow(keys, { links: links(LIMITS.linksPerRow + 1) }).bytes)).toBeNull()
  })

  it.each([
    ['a label that is none', { id: 'two words' }],
    ['an empty label', { site: '' }],
    ['a negative version', { version: -1 }],
    ['a version that is no whole number', { version: 1.5 }],
    ['an incarnation beyond whole numbers', { incarnation: 2 ** 60 }],
    ['a date that cannot be written', { links: [{ ...toNode, sinceMs: 9e15 }] }],
    ['a target without a name', { links: [{ ...toTarget, to: '' }] }],
    ['a target with a newline in its name', { links: [{ ...toTarget, to: 'a\nb' }] }],
    ['a target at a site that is no label', { links: [{ ...toTarget, site: 'a b' }] }],
  ])('with %s is none', (_, fields) => {
    expect(readRow(signedRow(keys, fields as object).bytes)).toBeNull()
  })

  it('too long in a detail is cut by its owner, not refused by the others', () => {
    const row = readRow(signedRow(keys, { links: [{ ...toTarget, detail: 'x'.repeat(1_000), address: 'y'.repeat(1_000) }] }).bytes)
    expect(row?.links[0]?.detail).toHaveLength(LIMITS.detailChars)
    expect(row?.links[0]?.address).toHaveLength(LIMITS.addressChars)
  })

  it('read from garbage is null and never an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(readRow(bytes)).toBeNull()
        expect(readPulse(bytes)).toBeNull()
      }),
      { seed: 3, numRuns: 300 },
    )
    // Nested deeper than the stack, and lengths that claim the whole memory.
    for (const bytes of [Buffer.alloc(LIMITS.frameBytes, 0x81), Buffer.from('9affffffff', 'hex'), Buffer.from('5affffffff', 'hex')])
      expect(readRow(bytes)).toBeNull()
  })
})

describe('a signature', () => {
  it('of a row is none of a pulse or a rumour over the same bytes, and the other way round', () => {
    const pulse = signedPulse(keys, { beat: 7, figures: [[12, 340]] })
    expect(readPulse(pulse.bytes)).toMatchObject({ beat: 7, figures: [[12, 340]] })
    expect(pulseIsSigned(pulse, verify)).toBe(true)
    expect(rowIsSigned(pulse, verify)).toBe(false)
    expect(pulseIsSigned(signedRow(keys), verify)).toBe(false)
  })

  it('of a rumour covers whom it accuses, as of when, and who accuses', () => {
    const rumour = signRumour(keysNumber(2).identity, 3, 4, keys)
    expect(rumourIsSigned(rumour, verify)).toBe(true)
    for (const change of [{ subject: keysNumber(3).identity }, { incarnation: 4 }, { beat: 5 }, { accuser: keysNumber(3).identity }]) {
      expect(rumourIsSigned({ ...rumour, ...change }, verify)).toBe(false)
    }
  })

  it('under a key that is no point of the curve is false, not an exception', () => {
    for (const fill of [0, 1, 127, 255]) {
      expect(rowIsSigned(signedRow(keys), verifierOf(new Uint8Array(32).fill(fill)))).toBe(false)
    }
  })
})

it('an identity follows from the seed alone', () => {
  const seed = new Uint8Array(32).fill(7)
  expect(keysOf(seed).identity).toBe(keysOf(seed).identity)
  expect(keysOf(seed).identity).toBe(identityOf(keysOf(seed).publicKey))
  expect(keysOf(seed).identity).toMatch(/^[0-9a-f]{32}$/)
  expect(encode(keysOf(seed).publicKey)).toHaveLength(34)
})
