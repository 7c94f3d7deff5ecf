import { describe, expect, it } from 'vitest'
import { keysNumber } from '../../test/support/grid-makers.ts'
import { keysOf } from './keys.ts'
import { agreementOf, newAgreement, x25519Of } from './x25519.ts'

const hex = (bytes: Uint8Array | null): string => Buffer.from(bytes ?? []).toString('hex')

describe('X25519 keys of Ed25519 keys', () => {
  it('are those that libsodium makes (its test ed25519_convert)', () => {
    const seed = Buffer.from('421151a459faeade3d247115f94aedae42318124095afabe4d1451a559faedee', 'hex')
    const { publicKey, agreement } = keysOf(seed)
    expect(hex(x25519Of(publicKey))).toBe('f1814f0e8ff1043d8a44d25babff3cedcae6c22c3edaa48f857ae70de2baae50')
    expect(hex(agreement.publicKey)).toBe('f1814f0e8ff1043d8a44d25babff3cedcae6c22c3edaa48f857ae70de2baae50')
  })

  it('agree: who has the public signing key and who has the seed come to one secret', () => {
    for (let number = 0; number < 20; number++) {
      const { publicKey, agreement } = keysNumber(number)
      const once = newAgreement()
      expect(hex(x25519Of(publicKey))).toBe(hex(agreement.publicKey))
      expect(hex(once.with(x25519Of(publicKey) as Uint8Array))).toBe(hex(agreement.with(once.publicKey)))
    }
  })

  it('there is none for the neutral point, and no secret with a point of low order', () => {
    const one = new Uint8Array(32)
    one[0] = 1
    expect(x25519Of(one)).toBeNull()
    expect(agreementOf(new Uint8Array(32)).with(new Uint8Array(32))).toBeNull()
  })
})
