import { createHash, createPrivateKey, createPublicKey, hkdfSync, sign, verify, type KeyObject } from 'node:crypto'
import type { Identity } from '../contract/index.ts'
import { agreementOf, type Agreement } from './x25519.ts'

// DER headers of RFC 8410: a raw Ed25519 key behind them is a PKCS #8 or SPKI key.
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')
const SPKI = Buffer.from('302a300506032b6570032100', 'hex')

/** Who this node is. The seed is the only secret; all else follows from it. */
export type NodeKeys = {
  readonly identity: Identity
  /** Raw Ed25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array
  sign(bytes: Uint8Array): Uint8Array
  /** The same key pair for X25519: others seal with its public half what only this node shall read. */
  readonly agreement: Agreement
}

/** Makes the keys of a 32-byte seed. */
export function keysOf(seed: Uint8Array): NodeKeys {
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' })
  const publicKey = new Uint8Array(createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(SPKI.length))
  return {
    identity: identityOf(publicKey),
    publicKey,
    sign: (bytes) => new Uint8Array(sign(null, bytes, privateKey)),
    agreement: agreementOf(seed),
  }
}

/** The identity that belongs to a public key: the first 16 bytes of its SHA-256. */
export function identityOf(publicKey: Uint8Array): Identity {
  return createHash('sha256').update(publicKey).digest('hex').slice(0, 32) as Identity
}

/** A checker of one node's signatures; importing the key once is most of the cost. Throws on a malformed key. */
export function verifierOf(publicKey: Uint8Array): (bytes: Uint8Array, signature: Uint8Array) => boolean {
  const key: KeyObject = createPublicKey({ key: Buffer.concat([SPKI, publicKey]), format: 'der', type: 'spki' })
  return (bytes, signature) => signature.length === 64 && verify(null, bytes, key, signature)
}

export function identityBytes(identity: Identity): Uint8Array {
  return new Uint8Array(Buffer.from(identity, 'hex'))
}

export function identityFrom(bytes: Uint8Array): Identity {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex') as Identity
}

/** A short public name for a grid, so that people can tell two apart without seeing the key. */
export function gridName(gridKey: Uint8Array): string {
  return createHash('sha256').update('midwatch grid name').update(gridKey).digest('hex').slice(0, 8)
}

/** A grid key's public name, 16 hex digits. Callers say by it which key they hold. */
export type KeyName = string

export function keyName(gridKey: Uint8Array): KeyName {
  return createHash('sha256').update('midwatch grid key').update(gridKey).digest('hex').slice(0, 16)
}

/**
 * What nodes keep of a key that is no longer used: enough to be asked for the keys after it by who still holds it, and nothing that opens what
 * was sealed with it.
 */
export function handoverSecret(gridKey: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', gridKey, new Uint8Array(0), 'midwatch handover 1', 32))
}
