import { createHmac, timingSafeEqual } from 'node:crypto'
import { MidwatchError } from '../contract/index.ts'
import type { Clock, Randomness } from '../platform/index.ts'

/** What opens the API: the token itself, a console link's code, and the cookie that the link sets. All compared in constant time. */
export type Credentials = {
  readonly cookieName: string
  readonly cookieSeconds: number
  isToken(text: string): boolean
  /** Good until this process ends, as often as wanted. */
  linkCode(): string
  isLinkCode(text: string): boolean
  /** `expiry.signature`; good for 30 days, across restarts, and only for this token. */
  makeCookie(): string
  isCookie(value: string): boolean
}

const COOKIE_SECONDS = 30 * 86_400
const TOKEN_CHARS_MIN = 16

/** Errors: MW_CONFIG for a token that could be guessed. */
export function createCredentials(options: { token: string; clock: Clock; random: Randomness }): Credentials {
  const { token, clock } = options
  if (token.length < TOKEN_CHARS_MIN) {
    throw new MidwatchError('MW_CONFIG', `token: has ${token.length} characters; use at least ${TOKEN_CHARS_MIN} that nobody can guess`)
  }
  const secret = Buffer.from(options.random.bytes(32))
  const sign = (key: string | Buffer, text: string): string => createHmac('sha256', key).update(text).digest('base64url')
  // Digests under a key that nobody else has: equal length, and their bytes tell an attacker nothing.
  const same = (a: string, b: string): boolean =>
    timingSafeEqual(createHmac('sha256', secret).update(a).digest(), createHmac('sha256', secret).update(b).digest())
  const code = sign(secret, `midwatch link ${token}`)

  return {
    // Cookies know no ports: the tag keeps several nodes on one host from signing each other's people out.
    cookieName: `midwatch-${sign(token, 'midwatch cookie name').slice(0, 8)}`,
    cookieSeconds: COOKIE_SECONDS,
    isToken: (text) => same(text, token),
    linkCode: () => code,
    isLinkCode: (text) => same(text, code),
    makeCookie: () => {
      const expiry = String(clock.wallMs() + COOKIE_SECONDS * 1_000)
      return `${expiry}.${sign(token, `midwatch cookie ${expiry}`)}`
    },
    isCookie: (value) => {
      const dot = value.indexOf('.')
      const expiry = value.slice(0, Math.max(dot, 0))
      const genuine = same(value.slice(dot + 1), sign(token, `midwatch cookie ${expiry}`))
      return genuine && /^\d{13,16}$/.test(expiry) && Number(expiry) > clock.wallMs()
    },
  }
}
