import { LIMITS, type Identity } from '../contract/index.ts'
import { describe, expect, it } from 'vitest'
import { targetClaim } from '../../test/support/virtual-grid.ts'
import { keysNumber, rowOf, signedRow } from '../../test/support/grid-makers.ts'
import { PartsInbox, rowMessages } from './parts.ts'
import { decodePacket, encodePacket, type Message } from './wire.ts'

type Part = Extract<Message, { type: 'row-part' }>
const keys = keysNumber(1)
const MAX = 1_136

function partsOf(links: number, version = 1): { signed: ReturnType<typeof signedRow>; parts: Part[] } {
  const fields = { version, links: Array.from({ length: links }, (_, at) => targetClaim(`t${at}`)) }
  const signed = signedRow(keys, fields)
  const messages = rowMessages(keys.identity, rowOf(keys, fields), signed, MAX) ?? []
  for (const message of messages) expect(message.length).toBeLessThanOrEqual(MAX)
  const read = messages.flatMap((message) => decodePacket(encodePacket(new Uint8Array(16), 1, [message]))?.messages ?? [])
  return { signed, parts: read.filter((message) => message.type === 'row-part') }
}
const plain = (signed: { bytes: Uint8Array; signature: Uint8Array } | null) =>
  signed && [Buffer.from(signed.bytes).toString('hex'), Buffer.from(signed.signature).toString('hex')]

const FROM = 'a'.repeat(32) as Identity

describe('a row over one datagram', () => {
  it('comes together from its parts in any order, each told twice', () => {
    const { signed, parts } = partsOf(100)
    expect(parts.length).toBeGreaterThan(4)
    const inbox = new PartsInbox()
    const told = [...parts.slice(1).reverse(), ...parts.slice(1)]
    for (const part of told) expect(inbox.add(FROM, part)).toBeNull()
    expect(plain(inbox.add(FROM, parts[0]!))).toEqual(plain(signed))
  })

  it('is not held up by an older one that is still being told', () => {
    const [older, newer] = [partsOf(100, 1), partsOf(100, 2)]
    const inbox = new PartsInbox()
    const whole = newer.parts.map((part, at) => {
      inbox.add(FROM, older.parts[at % (older.parts.length - 1)]!)
      return inbox.add(FROM, part)
    })
    expect(plain(whole.at(-1) ?? null)).toEqual(plain(newer.signed))
  })

  it('of one datagram goes as it is, and one too long even for parts goes by a stream', () => {
    expect(rowMessages(keys.identity, rowOf(keys), signedRow(keys), MAX)).toHaveLength(1)
    const huge = signedRow(keys, { links: Array.from({ length: 1_000 }, (_, at) => targetClaim(`t${at}`)) })
    expect(rowMessages(keys.identity, rowOf(keys), huge, MAX)).toBeNull()
  })

  it('that never becomes whole takes a bounded place: the earliest begun goes first', () => {
    const inbox = new PartsInbox()
    const [part] = partsOf(100).parts
    const rest = partsOf(100).parts.slice(1)
    inbox.add(FROM, part!)
    for (let version = 2; version <= LIMITS.unfinishedRows + 1; version++) inbox.add(FROM, { ...part!, version })
    // The first part of version 1 was dropped, so the others do not complete it.
    expect(rest.map((other) => inbox.add(FROM, other)).every((whole) => whole === null)).toBe(true)
  })

  it('with a part beyond its count is nothing', () => {
    expect(new PartsInbox().add(FROM, { ...partsOf(100).parts[0]!, part: 5, parts: 5 })).toBeNull()
  })
})
