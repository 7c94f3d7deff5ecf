import { createPrivateKey, type KeyObject } from 'node:crypto'
import { dieOf, randomnessOf } from '../support/virtual-network.ts'

// The header of RFC 8410: a raw X25519 key behind it is a PKCS #8 key.
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex')

let random = randomnessOf(dieOf(0))

/** A change of key has a key pair of its own, and which of two changes wins hangs on the bytes: a story that is played again needs the same ones. */
export function seedKeys(seed: number): void {
  random = randomnessOf(dieOf(seed))
}

export function nextX25519(): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8, random.bytes(32)]), format: 'der', type: 'pkcs8' })
}
