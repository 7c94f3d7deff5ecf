import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import type { Randomness } from '../../src/platform/index.ts'

// The seal of datagrams as docs and 0.1.0 have it, written down a second time: for tests that speak as somebody else would.

const HEADER_BYTES = 19
const TAG_BYTES = 16

const keyOf = (gridKey: Uint8Array, header: Uint8Array): Buffer =>
  Buffer.from(hkdfSync('sha256', gridKey, header.subarray(1, 13), 'midwatch datagram 1', 32))
const nonceOf = (header: Uint8Array): Buffer => Buffer.concat([Buffer.alloc(6), header.subarray(13, HEADER_BYTES)])

/** Seals datagrams as one sender does, in a session of its own. */
export function sealerOf(gridKey: Uint8Array, random: Randomness): (plain: Uint8Array) => Uint8Array {
  const session = random.bytes(12)
  let counter = 0
  return (plain) => {
    const header = Buffer.alloc(HEADER_BYTES)
    header[0] = 0xd1
    header.set(session, 1)
    header.writeUIntBE(++counter, 13, 6)
    const cipher = createCipheriv('aes-256-gcm', keyOf(gridKey, header), nonceOf(header))
    cipher.setAAD(header)
    return Buffer.concat([header, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
  }
}

/** Opens a datagram; throws where the key is not its. */
export function openDatagram(gridKey: Uint8Array, datagram: Uint8Array): Uint8Array {
  const header = datagram.subarray(0, HEADER_BYTES)
  const decipher = createDecipheriv('aes-256-gcm', keyOf(gridKey, header), nonceOf(header), { authTagLength: TAG_BYTES })
  decipher.setAAD(header)
  decipher.setAuthTag(datagram.subarray(-TAG_BYTES))
  return Buffer.concat([decipher.update(datagram.subarray(HEADER_BYTES, -TAG_BYTES)), decipher.final()])
}
