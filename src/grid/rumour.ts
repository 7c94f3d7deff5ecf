import { encode } from 'cborg'
import type { Identity } from '../contract/index.ts'
import { identityBytes, type NodeKeys } from './keys.ts'
import { inContext, type Verifier } from './row.ts'

/** "As of that beat `accuser` gets no answer from it, nor do its go-betweens." Signed by the accuser: confirmations count, so nobody may invent them. */
export type Rumour = {
  readonly subject: Identity
  readonly incarnation: number
  readonly beat: number
  readonly accuser: Identity
  readonly signature: Uint8Array
}

/**
 * A beat refutes a rumour when it is so much newer. One is not enough: a node's last beat may still be on its way round when the node is
 * dead already. Who hears itself accused skips one.
 */
export const REFUTING_BEATS = 2

const CONTEXT = 'midwatch rumour 1'

export function signRumour(subject: Identity, incarnation: number, beat: number, keys: NodeKeys): Rumour {
  const unsigned = { subject, incarnation, beat, accuser: keys.identity }
  return { ...unsigned, signature: keys.sign(signedPart(unsigned)) }
}

export function rumourIsSigned(rumour: Rumour, verify: Verifier): boolean {
  return verify(signedPart(rumour), rumour.signature)
}

function signedPart({ subject, incarnation, beat, accuser }: Omit<Rumour, 'signature'>): Uint8Array {
  return inContext(CONTEXT, encode([identityBytes(subject), incarnation, beat, identityBytes(accuser)]))
}
