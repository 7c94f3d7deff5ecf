import { encode } from 'cborg'
import { z } from 'zod'
import { LIMITS, type Identity } from '../contract/index.ts'
import { readCbor } from './cbor.ts'
import { identityBytes, identityFrom, type KeyName } from './keys.ts'
import type { Signed } from './row.ts'
import type { Rumour } from './rumour.ts'

/** Everything that nodes say to each other in datagrams. On the wire each is an array that begins with its number. */
export type Message =
  | { readonly type: 'probe'; readonly payload: Uint8Array }
  | { readonly type: 'ping'; readonly nonce: number }
  | { readonly type: 'ack'; readonly nonce: number }
  /** "Ping that one for me." The answer is an ack with this nonce. */
  | { readonly type: 'ping-req'; readonly nonce: number; readonly subject: Identity }
  | ({ readonly type: 'rumour' } & Rumour)
  /** The hash of all rows. Who has another one answers with its versions. */
  | { readonly type: 'summary'; readonly hash: Uint8Array }
  /** The versions of all rows from `first` to `last`, in order of identity: what is missing there is not known to the sender. */
  | { readonly type: 'versions'; readonly first: Identity; readonly last: Identity; readonly entries: readonly VersionEntry[] }
  | { readonly type: 'want'; readonly identities: readonly Identity[] }
  | ({ readonly type: 'row' } & Signed)
  /** A piece of a row that is too long for one datagram. */
  | {
      readonly type: 'row-part'
      readonly identity: Identity
      readonly incarnation: number
      readonly version: number
      readonly part: number
      readonly parts: number
      readonly piece: Uint8Array
    }
  | ({ readonly type: 'pulse' } & Signed)
  /** Figures of links. */
  | ({ readonly type: 'sketch' } & Signed)
  /** Instead of the versions of a large table: a short hash of each of its ranges. Who differs in some answers with the versions of those. */
  | { readonly type: 'digest'; readonly ranges: Uint8Array }
  /** The grid's key as the sender has it. Who has another one calls for what it missed. */
  | { readonly type: 'key'; readonly generation: number; readonly name: KeyName }

/** One line of the table. `mark` is a short hash of the row, so that two different rows of one version are noticed. */
export type VersionEntry = { readonly identity: Identity; readonly incarnation: number; readonly version: number; readonly mark: number }

/** One datagram's content. */
export type Packet = { readonly sender: Identity; readonly incarnation: number; readonly messages: readonly Message[] }

const id = z.instanceof(Uint8Array).refine((value) => value.length === 16)
const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
const nonce = z.number().int().min(0).max(0xffff_ffff)
const blob = z.instanceof(Uint8Array)
export const WireEntry = z.tuple([id, count, count, nonce])
export const MAX_ROW_PARTS = 32
/** A digest has a hash for each value of an identity's first byte's upper six bits. */
export const DIGEST_RANGES = 64
export const DIGEST_BYTES = 8

/** One row a message: its number on the wire is its place here. Numbers are never used again for something else. */
const CODECS: { [T in Message['type']]: Codec<Extract<Message, { type: T }>> } = {
  probe: codec(
    z.tuple([blob]),
    (m) => [m.payload],
    ([payload]) => ({ type: 'probe', payload }),
  ),
  ping: codec(
    z.tuple([nonce]),
    (m) => [m.nonce],
    ([n]) => ({ type: 'ping', nonce: n }),
  ),
  ack: codec(
    z.tuple([nonce]),
    (m) => [m.nonce],
    ([n]) => ({ type: 'ack', nonce: n }),
  ),
  'ping-req': codec(
    z.tuple([nonce, id]),
    (m) => [m.nonce, identityBytes(m.subject)],
    ([n, subject]) => ({ type: 'ping-req', nonce: n, subject: identityFrom(subject) }),
  ),
  rumour: codec(
    z.tuple([id, count, count, id, blob]),
    (m) => [identityBytes(m.subject), m.incarnation, m.beat, identityBytes(m.accuser), m.signature],
    ([subject, incarnation, beat, accuser, signature]) => ({
      type: 'rumour',
      subject: identityFrom(subject),
      incarnation,
      beat,
      accuser: identityFrom(accuser),
      signature,
    }),
  ),
  summary: codec(
    z.tuple([id]),
    (m) => [m.hash],
    ([hash]) => ({ type: 'summary', hash }),
  ),
  versions: codec(
    z.tuple([id, id, z.array(WireEntry).max(LIMITS.membersPerDatagram)]),
    (m) => [identityBytes(m.first), identityBytes(m.last), m.entries.map(wireEntry)],
    ([first, last, entries]) => ({
      type: 'versions',
      first: identityFrom(first),
      last: identityFrom(last),
      entries: entries.map(readEntry),
    }),
  ),
  want: codec(
    z.tuple([z.array(id).max(LIMITS.membersPerDatagram)]),
    (m) => [m.identities.map(identityBytes)],
    ([identities]) => ({ type: 'want', identities: identities.map(identityFrom) }),
  ),
  row: codec(
    z.tuple([blob, blob]),
    (m) => [m.bytes, m.signature],
    ([bytes, signature]) => ({ type: 'row', bytes, signature }),
  ),
  'row-part': codec(
    z.tuple([
      id,
      count,
      count,
      z
        .number()
        .int()
        .min(0)
        .max(MAX_ROW_PARTS - 1),
      z.number().int().min(1).max(MAX_ROW_PARTS),
      blob,
    ]),
    (m) => [identityBytes(m.identity), m.incarnation, m.version, m.part, m.parts, m.piece],
    ([identity, incarnation, version, part, parts, piece]) => ({
      type: 'row-part',
      identity: identityFrom(identity),
      incarnation,
      version,
      part,
      parts,
      piece,
    }),
  ),
  pulse: codec(
    z.tuple([blob, blob]),
    (m) => [m.bytes, m.signature],
    ([bytes, signature]) => ({ type: 'pulse', bytes, signature }),
  ),
  sketch: codec(
    z.tuple([blob, blob]),
    (m) => [m.bytes, m.signature],
    ([bytes, signature]) => ({ type: 'sketch', bytes, signature }),
  ),
  digest: codec(
    z.tuple([blob.refine((value) => value.length === DIGEST_RANGES * DIGEST_BYTES)]),
    (m) => [m.ranges],
    ([ranges]) => ({ type: 'digest', ranges }),
  ),
  key: codec(
    z.tuple([count, z.instanceof(Uint8Array).refine((value) => value.length === 8)]),
    (m) => [m.generation, Buffer.from(m.name, 'hex')],
    ([generation, name]) => ({ type: 'key', generation, name: Buffer.from(name).toString('hex') }),
  ),
}
const TYPES = Object.keys(CODECS) as Message['type'][]

type Codec<M> = { toFields(message: M): unknown[]; fromFields(fields: unknown[]): M | null }

function codec<S extends z.ZodType, M>(schema: S, toFields: (message: M) => unknown[], build: (fields: z.output<S>) => M): Codec<M> {
  return {
    toFields,
    fromFields(fields) {
      const parsed = schema.safeParse(fields)
      return parsed.success ? build(parsed.data) : null
    },
  }
}

export function wireEntry(one: VersionEntry): unknown[] {
  return [identityBytes(one.identity), one.incarnation, one.version, one.mark]
}

export function readEntry([identity, incarnation, version, mark]: z.output<typeof WireEntry>): VersionEntry {
  return { identity: identityFrom(identity), incarnation, version, mark }
}

const Envelope = z.tuple([id, count, z.array(z.tuple([z.number().int().min(0)], z.unknown())).max(64)])

export function encodeMessage(message: Message): Uint8Array {
  const { toFields } = CODECS[message.type] as Codec<Message>
  return encode([TYPES.indexOf(message.type), ...toFields(message)])
}

/** `[sender, incarnation, [message, …]]` around messages that are encoded already. */
export function encodePacket(sender: Uint8Array, incarnation: number, messages: readonly Uint8Array[]): Uint8Array {
  // 0x83: an array of three. Its last item is an array header for up to 23, or one more byte for up to 64.
  const header = messages.length < 24 ? Uint8Array.of(0x80 | messages.length) : Uint8Array.of(0x98, messages.length)
  return Buffer.concat([Uint8Array.of(0x83), encode(sender), encode(incarnation), header, ...messages])
}

/** Bytes of a packet beyond its messages, at most. */
export const PACKET_OVERHEAD_BYTES = 1 + 17 + 9 + 2

/** Reads a packet; messages of unknown kinds or of a wrong shape are left out and counted. Null when it is no packet at all. */
export function decodePacket(plain: Uint8Array): (Packet & { unreadable: number }) | null {
  const envelope = readCbor(Envelope, plain)
  if (!envelope) return null
  const [sender, incarnation, wire] = envelope
  const messages: Message[] = []
  let unreadable = 0
  for (const [kind, ...fields] of wire) {
    const type = TYPES[kind]
    const message = type === undefined ? null : (CODECS[type] as Codec<Message>).fromFields(fields)
    if (message) messages.push(message)
    else unreadable++
  }
  return { sender: identityFrom(sender), incarnation, messages, unreadable }
}
