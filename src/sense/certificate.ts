import type { Certificate } from '../platform/index.ts'
import { shortName } from './outcome.ts'

const DAY_MS = 86_400_000

/** OpenSSL's codes for a chain that is not trusted, in words. Null for any other code. */
const CHAIN_WORDS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'certificate has expired',
  CERT_NOT_YET_VALID: 'certificate is not yet valid',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'certificate is from an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT: 'certificate is from an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'certificate is from an unknown authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'certificate is from an unknown authority, or an intermediate certificate is missing',
  CERT_SIGNATURE_FAILURE: 'certificate has a bad signature',
  CERT_REVOKED: 'certificate is revoked',
  CERT_UNTRUSTED: 'certificate is not trusted',
  CERT_REJECTED: 'certificate is rejected',
  INVALID_CA: 'certificate was signed by one that is no authority',
  INVALID_PURPOSE: 'certificate is not for servers',
  PATH_LENGTH_EXCEEDED: 'certificate chain is longer than its authority allows',
  CERT_CHAIN_TOO_LONG: 'certificate chain is too long',
  HOSTNAME_MISMATCH: 'certificate is for another name',
}

export function chainWords(code: string): string | null {
  return CHAIN_WORDS[code] ?? null
}

/** "certificate is for X, not Y": at most two of the names, as there may be a hundred. */
export function certificateIsFor(names: readonly string[], wanted: string): string {
  const shown = names.slice(0, 2).map(shortName)
  const more = names.length > 2 ? ` and ${names.length - 2} more` : ''
  return `certificate is for ${shown.length > 0 ? shown.join(', ') : 'no name'}${more}, not ${shortName(wanted)}`
}

/** Null when the certificate is within its dates. */
export function outsideDates(certificate: Certificate, nowMs: number): string | null {
  if (nowMs < certificate.validFromMs) return 'certificate is not yet valid'
  return nowMs > certificate.validToMs ? 'certificate has expired' : null
}

/** Null when at least `leastDays` are left. In whole days, so that the words hold for a day. */
export function expiresSoon(certificate: Certificate, nowMs: number, leastDays: number): string | null {
  const leftMs = certificate.validToMs - nowMs
  if (leftMs >= leastDays * DAY_MS) return null
  const days = Math.floor(leftMs / DAY_MS)
  return `certificate expires ${days === 0 ? 'within a day' : `in ${days} ${days === 1 ? 'day' : 'days'}`}`
}
