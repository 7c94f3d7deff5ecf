/**
 * What 0.1.0 can read: its seal, its wire and its rows, copied out of that release and put together in one file. Never changed: a test holds
 * what later releases send against it.
 */
import { createDecipheriv, createHash, createPublicKey, hkdfSync, verify } from 'node:crypto'
import { decode } from 'cborg'
import { z } from 'zod'

const id = z.instanceof(Uint8Array).refine((value) => value.length === 16)
const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
const nonce = z.number().int().min(0).max(0xffff_ffff)
const blob = z.instanceof(Uint8Array)
const text = (chars: number) => z.string().max(chars)
const Label = text(63)
  .min(1)
  .regex(/^[\p{L}\p{N}][\p{L}\p{N}._:@/~-]*$/u)
const upTo = (most: number) => z.number().int().min(0).max(most)
const Entry = z.tuple([id, count, count, nonce])

/** Kinds of messages, each at its number. */
export const KINDS_0_1_0 = [
  ['probe', z.tuple([blob])],
  ['ping', z.tuple([nonce])],
  ['ack', z.tuple([nonce])],
  ['ping-req', z.tuple([nonce, id])],
  ['rumour', z.tuple([id, count, count, id, blob])],
  ['summary', z.tuple([id])],
  ['versions', z.tuple([id, id, z.array(Entry).max(24)])],
  ['want', z.tuple([z.array(id).max(24)])],
  ['row', z.tuple([blob, blob])],
  ['row-part', z.tuple([id, count, count, upTo(31), z.number().int().min(1).max(32), blob])],
  ['pulse', z.tuple([blob, blob])],
] as const

const Envelope = z.tuple([id, count, z.array(z.tuple([upTo(Number.MAX_SAFE_INTEGER)], z.unknown())).max(64)])

const Link = z.tuple([
  z.union([id, Label]),
  upTo(5),
  upTo(7),
  z.number().int().min(-1).max(1),
  upTo(253_402_300_799).nullable(),
  text(160).nullable(),
  text(300).nullable(),
  Label.nullable(),
])
const Row = z.tuple([
  z.literal(1),
  blob.refine((value) => value.length === 32),
  count,
  count,
  Label,
  Label,
  text(300).nullable(),
  text(40),
  z.boolean(),
  z.array(upTo(2)).max(3),
  z.array(Link).max(3_000),
])
const Pulse = z.tuple([z.literal(1), id, count, count, count, z.array(z.tuple([upTo(1_000), count.nullable()])).max(3_000)])

/** One message as 0.1.0 takes it: `skipped` where it knows no such kind, `unreadable` where a kind that it knows has another shape. */
export type Read = { readonly kind: string; readonly fields: readonly unknown[] } | 'skipped' | 'unreadable'

/** Opens a datagram and reads its messages; null for what 0.1.0 would drop whole. */
export function readDatagram(gridKey: Uint8Array, datagram: Uint8Array): Read[] | null {
  const plain = openDatagram(gridKey, datagram)
  const envelope = plain && Envelope.safeParse(decode(plain))
  if (!envelope?.success) return null
  return envelope.data[2].map(([number, ...fields]) => {
    const known = KINDS_0_1_0[number]
    if (!known) return 'skipped'
    return known[1].safeParse(fields).success ? { kind: known[0], fields } : 'unreadable'
  })
}

function openDatagram(gridKey: Uint8Array, datagram: Uint8Array): Uint8Array | null {
  if (datagram.length < 35 || datagram.length > 1_200 || datagram[0] !== 0xd1) return null
  const key = Buffer.from(hkdfSync('sha256', gridKey, datagram.subarray(1, 13), 'midwatch datagram 1', 32))
  const iv = Buffer.concat([Buffer.alloc(6), datagram.subarray(13, 19)])
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: 16 })
  decipher.setAAD(datagram.subarray(0, 19))
  decipher.setAuthTag(datagram.subarray(-16))
  const plain = decipher.update(datagram.subarray(19, -16))
  decipher.final()
  return plain
}

/** Reads a row and checks its signature. */
export function readRow(bytes: Uint8Array, signature: Uint8Array): z.infer<typeof Row> | null {
  const row = Row.safeParse(decode(bytes))
  return row.success && isSigned('midwatch row 1', row.data[1], bytes, signature) ? row.data : null
}

/** Reads a pulse of the node with this public key and checks its signature. */
export function readPulse(bytes: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): z.infer<typeof Pulse> | null {
  const pulse = Pulse.safeParse(decode(bytes))
  return pulse.success && isSigned('midwatch pulse 1', publicKey, bytes, signature) ? pulse.data : null
}

export function identityOf(publicKey: Uint8Array): string {
  return createHash('sha256').update(publicKey).digest('hex').slice(0, 32)
}

function isSigned(context: string, publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), publicKey])
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' })
  return verify(null, Buffer.concat([Buffer.from(`${context}\0`), bytes]), key, signature)
}
