import ipaddr from 'ipaddr.js'
import type { HttpAnswer } from '../../../platform/index.ts'

/** One request of a probe. */
export type Step = {
  readonly url: URL
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  /** Still at the host that the owner wrote, be it on another port. */
  readonly ownersHost: boolean
}

/** Headers that tell nothing, so that they may follow to another origin; any other may be a key. */
const HARMLESS = new Set(['user-agent', 'accept', 'accept-language'])

/** The request that a redirect asks for (RFC 9110, 15.4), or in words why there is none. */
export function nextRequest(step: Step, answer: HttpAnswer): Step | string {
  const location = answer.headers['location'] ?? ''
  if (!URL.canParse(location, step.url.href)) return 'redirects to something that is no address'
  const url = new URL(location, step.url)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return 'redirects to something that is not http'
  const here = url.origin === step.url.origin
  // Fetch forgets the user and password of the first address, but within one origin the next page needs them as the first did.
  if (here && url.username === '' && url.password === '') {
    url.username = step.url.username
    url.password = step.url.password
  }
  const becomesGet = answer.status === 303 || (step.method === 'POST' && (answer.status === 301 || answer.status === 302))
  return {
    url,
    method: becomesGet && step.method !== 'HEAD' ? 'GET' : step.method,
    headers: here ? step.headers : Object.fromEntries(Object.entries(step.headers).filter(([name]) => HARMLESS.has(name))),
    ownersHost: step.ownersHost && url.hostname === step.url.hostname,
  }
}

/** Loopback, link-local (where clouds keep their metadata) and unspecified addresses, IPv4 within IPv6 included. */
export function ownOrLocal(address: string): boolean {
  if (!ipaddr.isValid(address)) return true
  return ['loopback', 'linkLocal', 'unspecified'].includes(ipaddr.process(address).range())
}
