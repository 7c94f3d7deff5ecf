import { ERRORS, asMidwatchError, type ApiError, type ErrorCode, type MidwatchError } from '../contract/index.ts'

export type ErrorStatus = 400 | 401 | 403 | 404 | 409 | 413 | 415 | 429 | 500 | 503

const STATUS: Partial<Record<ErrorCode, ErrorStatus>> = {
  MW_USAGE: 400,
  MW_BAD_REQUEST: 400,
  MW_TOKEN: 401,
  MW_FORBIDDEN: 403,
  MW_NOT_FOUND: 404,
  MW_UNKNOWN_NAME: 404,
  MW_NOT_PROBED: 404,
  MW_NO_PAST: 404,
  MW_IN_GRID: 409,
  MW_REMOVED: 409,
  MW_OLD_NODES: 409,
  MW_LIMIT: 429,
  MW_STORE: 503,
}

/** What a client is told of a failure. What nobody expected stays inside: its words may hold paths or worse. */
export function answerTo(thrown: unknown): { body: ApiError; status: ErrorStatus; unexpected: boolean } {
  const error: MidwatchError = asMidwatchError(thrown)
  const status = STATUS[error.code] ?? 500
  if (error.code !== 'MW_INTERNAL') return { body: { error: error.toJSON() }, status, unexpected: false }
  const message = "The request could not be answered; the node's own log says why."
  return { body: { error: { code: 'MW_INTERNAL', message, next: ERRORS.MW_INTERNAL.next } }, status: 500, unexpected: true }
}

/** Sent with every answer. The console loads nothing from elsewhere and runs no inline script. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy':
    "default-src 'self'; img-src 'self' data:; style-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
}
export const HSTS = 'max-age=31536000'
