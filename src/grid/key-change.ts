import { createCipheriv, createDecipheriv, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import { decode, encode } from 'cborg'
import { z } from 'zod'
import { Label, LIMITS, type Identity } from '../contract/index.ts'
import type { Clock } from '../platform/index.ts'
import { handoverSecret, identityBytes, identityFrom, identityOf, keyName, verifierOf, type KeyName, type NodeKeys } from './keys.ts'
import { inContext, type Signed } from './row.ts'
import { newAgreement, x25519Of } from './x25519.ts'

/** A node that may not come back. */
export type Removal = { readonly identity: Identity; readonly id: string; readonly by: string; readonly atMs: number }

/**
 * "The key after that one is this", signed by the node on which it was changed, with a proof that this node held the key before. The new key is in
 * it once for each node that stays, sealed under that node's own public key.
 */
export type KeyChange = {
  /** Public name of the grid, which no change of key changes. */
  readonly grid: string
  /** Of the new key: one more than that of the key before. */
  readonly generation: number
  readonly from: KeyName
  readonly to: KeyName
  readonly maker: Identity
  /** The maker's label. */
  readonly by: string
  /** The maker's wall clock, whole seconds. */
  readonly atMs: number
  /** All that were ever removed, oldest first; the oldest are left out beyond LIMITS.removedNodes. */
  readonly removed: readonly Removal[]
  readonly ephemeral: Uint8Array
  readonly boxes: ReadonlyMap<Identity, Uint8Array>
  /** Was it made by who held the key before? Answers by that key's handover secret. */
  isProven(handover: Uint8Array): boolean
}

const FORMAT = 1
const CONTEXT = 'midwatch key change 1'
const BOX_CONTEXT = 'midwatch key box 1'
const TAG_BYTES = 16
const BOX_BYTES = 32 + TAG_BYTES
/** Each box's key is used once, so its nonce need not differ. */
const NONCE = new Uint8Array(12)
/** Boxes made in one go: a thousand take half a second, and probes must not wait for so long. */
const BOXES_AT_ONCE = 16
const LATEST_S = 253_402_300_799

const bytes = (length: number) => z.instanceof(Uint8Array).refine((value) => value.length === length)
const second = z.number().int().min(0).max(LATEST_S)
const Wire = z.tuple([
  z.literal(FORMAT),
  z.string().regex(/^[0-9a-f]{8}$/),
  z.number().int().min(2).max(Number.MAX_SAFE_INTEGER),
  bytes(8),
  bytes(8),
  bytes(32),
  Label,
  second,
  z.array(z.tuple([bytes(16), Label, Label, second])).max(LIMITS.removedNodes),
  bytes(32),
  z.array(z.tuple([bytes(16), bytes(BOX_BYTES)])).max(LIMITS.nodes),
  bytes(32),
])

export type KeyChangeOrder = Pick<KeyChange, 'grid' | 'generation' | 'by' | 'atMs' | 'removed'> & {
  readonly oldKey: Uint8Array
  readonly newKey: Uint8Array
  /** Public keys of those that get the new key. */
  readonly members: readonly Uint8Array[]
}

/** Makes and signs a change. It takes a while in a large grid, and lets other work go on meanwhile. */
export async function makeKeyChange(order: KeyChangeOrder, keys: NodeKeys, clock: Clock): Promise<Signed> {
  const once = newAgreement()
  const to = keyName(order.newKey)
  const salt = handoverSecret(order.oldKey)
  const boxes: [Uint8Array, Uint8Array][] = []
  for (const [at, publicKey] of order.members.slice(0, LIMITS.nodes).entries()) {
    if (at % BOXES_AT_ONCE === BOXES_AT_ONCE - 1) await new Promise<void>((resolve) => void clock.after(0, resolve))
    const theirs = x25519Of(publicKey)
    const shared = theirs && once.with(theirs)
    // A node with a key that nothing can be sealed under chose it so.
    if (!shared) continue
    const identity = identityOf(publicKey)
    const cipher = createCipheriv('aes-256-gcm', boxKey(shared, salt, to, identity), NONCE)
    boxes.push([identityBytes(identity), Buffer.concat([cipher.update(order.newKey), cipher.final(), cipher.getAuthTag()])])
  }
  const fields = [
    FORMAT,
    order.grid,
    order.generation,
    Buffer.from(keyName(order.oldKey), 'hex'),
    Buffer.from(to, 'hex'),
    keys.publicKey,
    order.by,
    Math.floor(order.atMs / 1_000),
    order.removed
      .slice(-LIMITS.removedNodes)
      .map(({ identity, id, by, atMs }) => [identityBytes(identity), id, by, Math.floor(atMs / 1_000)]),
    once.publicKey,
    boxes,
  ]
  const encoded = encode([...fields, proofOf(fields, salt)])
  return { bytes: encoded, signature: keys.sign(inContext(CONTEXT, encoded)) }
}

/** Reads a change and checks its signature; null when it is not one. Whether its maker may make it is for the ring to say. */
export function readKeyChange({ bytes: encoded, signature }: Signed): KeyChange | null {
  try {
    const wire = Wire.safeParse(decode(encoded)).data
    if (!wire || !verifierOf(wire[5])(inContext(CONTEXT, encoded), signature)) return null
    const [, grid, generation, from, to, publicKey, by, atS, removed, ephemeral, boxes, proof] = wire
    return {
      grid,
      generation,
      from: hex(from),
      to: hex(to),
      maker: identityOf(publicKey),
      by,
      atMs: atS * 1_000,
      removed: removed.map(([identity, id, removedBy, removedS]) => ({
        identity: identityFrom(identity),
        id,
        by: removedBy,
        atMs: removedS * 1_000,
      })),
      ephemeral,
      boxes: new Map(boxes.map(([identity, box]) => [identityFrom(identity), box])),
      isProven: (handover) => timingSafeEqual(proof, proofOf(wire.slice(0, -1), handover)),
    }
  } catch {
    return null
  }
}

/** The new key out of this node's box; null when there is none for it. */
export function openBox(change: KeyChange, keys: NodeKeys, oldHandover: Uint8Array): Uint8Array | null {
  const box = change.boxes.get(keys.identity)
  const shared = box && keys.agreement.with(change.ephemeral)
  if (!shared) return null
  const decipher = createDecipheriv('aes-256-gcm', boxKey(shared, oldHandover, change.to, keys.identity), NONCE, {
    authTagLength: TAG_BYTES,
  })
  decipher.setAuthTag(box.subarray(32))
  const key = new Uint8Array(decipher.update(box.subarray(0, 32)))
  try {
    decipher.final()
  } catch {
    return null
  }
  return keyName(key) === change.to ? key : null
}

/**
 * Which of two changes of one key all nodes take. Who is removed by the other change cannot undo it by one of its own; a change that removes goes
 * before one that does not; else the lower name of the new key decides.
 */
export function beats(one: KeyChange, other: KeyChange): boolean {
  const [removesOther, isRemoved] = [removes(one, other.maker), removes(other, one.maker)]
  if (removesOther !== isRemoved) return removesOther
  const [more, less] = [one.removed.some((it) => !removes(other, it.identity)), other.removed.some((it) => !removes(one, it.identity))]
  if (more !== less) return more
  return one.to < other.to
}

export function removes(change: KeyChange, identity: Identity): boolean {
  return change.removed.some((removal) => removal.identity === identity)
}

function proofOf(fields: readonly unknown[], handover: Uint8Array): Uint8Array {
  return createHmac('sha256', handover)
    .update(inContext(CONTEXT, encode(fields)))
    .digest()
}

function boxKey(shared: Uint8Array, salt: Uint8Array, to: KeyName, recipient: Identity): Uint8Array {
  const info = Buffer.concat([Buffer.from(BOX_CONTEXT), Buffer.from(to, 'hex'), identityBytes(recipient)])
  return new Uint8Array(hkdfSync('sha256', shared, salt, info, 32))
}

function hex(name: Uint8Array): KeyName {
  return Buffer.from(name).toString('hex')
}
