import { createHash, createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject } from 'node:crypto'

// DER headers of RFC 8410: a raw X25519 key behind them is a PKCS #8 or SPKI key.
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex')
const SPKI = Buffer.from('302a300506032b656e032100', 'hex')

/** The prime of both curves. */
const P = 2n ** 255n - 19n

/** A half of an X25519 agreement: what to tell the other side, and what comes of the other side's half. */
export type Agreement = {
  readonly publicKey: Uint8Array
  /** The shared secret, or null for a public key of low order, which nobody honest has. */
  with(publicKey: Uint8Array): Uint8Array | null
}

/**
 * The X25519 public key of an Ed25519 one: u = (1 + y) / (1 - y), RFC 7748 section 4.1. So one key pair both signs and receives,
 * as libsodium's ed25519_to_curve25519 has it. Null for the one point that has no u.
 */
export function x25519Of(ed25519Public: Uint8Array): Uint8Array | null {
  const little = Buffer.from(ed25519Public).reverse()
  // The highest bit is the sign of x, which u does not have.
  const y = (BigInt(`0x${little.toString('hex')}`) & ((1n << 255n) - 1n)) % P
  if (y === 1n) return null
  const u = ((1n + y) * inverse((1n - y + P) % P)) % P
  return new Uint8Array(Buffer.from(u.toString(16).padStart(64, '0'), 'hex').reverse())
}

/** The X25519 half of an Ed25519 seed: the same scalar that signs. */
export function agreementOf(seed: Uint8Array): Agreement {
  const scalar = createHash('sha512').update(seed).digest().subarray(0, 32)
  scalar[0] = (scalar[0] as number) & 248
  scalar[31] = ((scalar[31] as number) & 127) | 64
  return agreement(createPrivateKey({ key: Buffer.concat([PKCS8, scalar]), format: 'der', type: 'pkcs8' }))
}

/** A half that is used once. */
export function newAgreement(): Agreement {
  return agreement(generateKeyPairSync('x25519').privateKey)
}

function agreement(privateKey: KeyObject): Agreement {
  const publicKey = new Uint8Array(createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(SPKI.length))
  return {
    publicKey,
    with(theirs) {
      try {
        const theirKey = createPublicKey({ key: Buffer.concat([SPKI, theirs]), format: 'der', type: 'spki' })
        return new Uint8Array(diffieHellman({ privateKey, publicKey: theirKey }))
      } catch {
        return null
      }
    },
  }
}

/** By the extended Euclidean algorithm: a hundred times faster than a power, and what it works on is public. */
function inverse(value: bigint): bigint {
  let [a, b, x, y] = [value, P, 1n, 0n]
  while (a > 1n) {
    const quotient = a / b
    ;[a, b] = [b, a % b]
    ;[x, y] = [y, x - quotient * y]
  }
  return ((x % P) + P) % P
}
