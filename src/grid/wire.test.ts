import { encode } from 'cborg'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LIMITS, type Identity } from '../contract/index.ts'
import { keysNumber, rowOf, signedPulse, signedRow } from '../../test/support/grid-makers.ts'
import { targetClaim } from '../../test/support/virtual-grid.ts'
import { identityBytes } from './keys.ts'
import { signRumour } from './rumour.ts'
import { packInto } from './spread.ts'
import { signSketches } from './sketch.ts'
import { RowTable } from './table.ts'
import { decodePacket, encodeMessage, encodePacket, PACKET_OVERHEAD_BYTES, type Message } from './wire.ts'

const [a, b] = [keysNumber(1), keysNumber(2)]
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const last = 'f'.repeat(32) as Identity

const MESSAGES: { [T in Message['type']]: Extract<Message, { type: T }> } = {
  probe: { type: 'probe', payload: bytes(1, 2, 3) },
  ping: { type: 'ping', nonce: 0xffff_ffff },
  ack: { type: 'ack', nonce: 0 },
  'ping-req': { type: 'ping-req', nonce: 7, subject: b.identity },
  rumour: { type: 'rumour', ...signRumour(b.identity, 3, 4, a) },
  summary: { type: 'summary', hash: new Uint8Array(16).fill(9) },
  versions: {
    type: 'versions',
    first: a.identity,
    last,
    entries: [{ identity: b.identity, incarnation: 2 ** 40, version: 5, mark: 0xdead_beef }],
  },
  want: { type: 'want', identities: [a.identity, b.identity] },
  row: { type: 'row', ...signedRow(a) },
  'row-part': { type: 'row-part', identity: a.identity, incarnation: 1, version: 2, part: 3, parts: 4, piece: bytes(5) },
  pulse: { type: 'pulse', ...signedPulse(a) },
  sketch: { type: 'sketch', ...signSketches(rowOf(a, { links: [targetClaim('t')] }), 1, [[5, 900]], a)[0]! },
  digest: { type: 'digest', ranges: new RowTable().digest() },
  key: { type: 'key', generation: 3, name: '0123456789abcdef' },
}
const packet = (messages: readonly Uint8Array[]): Uint8Array => encodePacket(identityBytes(a.identity), 3, messages)
const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, inner: unknown) => (inner instanceof Uint8Array ? [...inner] : inner)))

describe('a packet', () => {
  it.each(Object.values(MESSAGES))('brings $type as it was sent', (message) => {
    expect(plain(decodePacket(packet([encodeMessage(message)])))).toEqual(
      plain({ sender: a.identity, incarnation: 3, messages: [message], unreadable: 0 }),
    )
  })

  it('holds many messages, in order, on both sides of the short array header', () => {
    for (const count of [0, 1, 23, 24, 60, 64]) {
      const sent = Array.from({ length: count }, (_, nonce): Message => ({ type: 'ping', nonce }))
      expect(decodePacket(packet(sent.map(encodeMessage)))?.messages).toEqual(sent)
    }
  })

  it('with messages of a kind from a later version is read without them', () => {
    const later = encode([200, 'something new', { deep: [1] }])
    const wrong = encode([1, 'a nonce is a number'])
    const read = decodePacket(packet([later, encodeMessage(MESSAGES.ping), wrong]))
    expect(read?.messages).toEqual([MESSAGES.ping])
    expect(read?.unreadable).toBe(2)
  })

  it('is never larger than its messages and the stated overhead', () => {
    const largest = encodePacket(
      identityBytes(a.identity),
      Number.MAX_SAFE_INTEGER,
      Array.from({ length: 60 }, () => encodeMessage(MESSAGES.ping)),
    )
    expect(largest.length - 60 * encodeMessage(MESSAGES.ping).length).toBeLessThanOrEqual(PACKET_OVERHEAD_BYTES)
  })

  it('of garbage is null and never an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: LIMITS.datagramBytes }), (garbage) => void decodePacket(garbage)),
      { seed: 6, numRuns: 500 },
    )
    for (const nested of [Buffer.alloc(1_200, 0x81), Buffer.alloc(1_200, 0x9f), Buffer.alloc(1_200, 0xa1)])
      expect(decodePacket(nested)).toBeNull()
  })

  it('with any one byte changed is read or left, never an exception', () => {
    const whole = packet(Object.values(MESSAGES).map(encodeMessage))
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, value) => {
        const changed = Uint8Array.from(whole)
        changed[at] = value
        void decodePacket(changed)
      }),
      { seed: 7, numRuns: 500 },
    )
  })

  it('names so many members and not one more', () => {
    const identities = Array.from({ length: LIMITS.membersPerDatagram + 1 }, () => a.identity)
    const read = (count: number) =>
      decodePacket(packet([encodeMessage({ type: 'want', identities: identities.slice(0, count) })]))?.messages.length
    expect(read(LIMITS.membersPerDatagram)).toBe(1)
    expect(read(LIMITS.membersPerDatagram + 1)).toBe(0)
  })

  it('of versions fits a datagram, however large their numbers are', () => {
    const entry = { identity: a.identity, incarnation: Number.MAX_SAFE_INTEGER, version: Number.MAX_SAFE_INTEGER, mark: 0xffff_ffff }
    const full = encodeMessage({
      type: 'versions',
      first: a.identity,
      last,
      entries: Array.from({ length: LIMITS.membersPerDatagram }, () => entry),
    })
    expect(packInto([full], LIMITS.datagramBytes - 35 - PACKET_OVERHEAD_BYTES)).toHaveLength(1)
  })
})
