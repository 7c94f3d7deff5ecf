import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { MidwatchError } from '../contract/index.ts'
import { isIP, isLoopback, plainAddress } from '../platform/index.ts'
import type { Credentials } from './credentials.ts'

/** How a request proved that it may read: null when it did not. */
export type Access = 'bearer' | 'cookie' | null

export type Gate = {
  /** Is the request from a place, and for a name, that this node answers? Errors: MW_FORBIDDEN. */
  checkPlace(request: IncomingMessage): void
  access(request: IncomingMessage): Access
  /** Errors: MW_TOKEN without access; MW_FORBIDDEN when another site's page rides on the cookie. */
  checkAccess(request: IncomingMessage): void
}

export function createGate(options: { credentials: Credentials; open: boolean; tls: boolean; hosts: readonly string[] }): Gate {
  const { credentials } = options
  const named = new Set(options.hosts.map((host) => hostName(host.toLowerCase())))

  function checkPlace(request: IncomingMessage): void {
    if (!isLoopback(request.socket.remoteAddress)) {
      if (!options.open) throw new MidwatchError('MW_FORBIDDEN', 'This node answers its API only on its own host (loopback).')
      if (options.tls && !isSecure(request)) throw new MidwatchError('MW_FORBIDDEN', 'From another host, use https.')
    }
    const host = hostName((request.headers.host ?? '').toLowerCase())
    if (!knowsHost(host, request.socket.localAddress)) {
      throw new MidwatchError(
        'MW_FORBIDDEN',
        `The request is for the host "${host.slice(0, 253)}", which is not in this node's setting hosts.`,
      )
    }
  }

  /** Against DNS rebinding: a name of somebody else that leads here is refused, an address of ours cannot be one. */
  function knowsHost(host: string, localAddress: string | undefined): boolean {
    if (host === 'localhost' || named.has(host)) return true
    if (isIP(host) === 0) return false
    return isLoopback(host) || (localAddress !== undefined && plainAddress(localAddress) === plainAddress(host))
  }

  function access(request: IncomingMessage): Access {
    const bearer = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')
    if (bearer) return credentials.isToken(bearer[1] as string) ? 'bearer' : null
    return cookiesNamed(request, credentials.cookieName).some((value) => credentials.isCookie(value)) ? 'cookie' : null
  }

  function checkAccess(request: IncomingMessage): void {
    const how = access(request)
    if (how === null)
      throw new MidwatchError('MW_TOKEN', 'Give the token as "Authorization: Bearer ...", or open the link of `midwatch open`.')
    if (how === 'cookie' && !isOwnPage(request)) throw new MidwatchError('MW_FORBIDDEN', 'The request comes from a page of another site.')
  }

  return { checkPlace, access, checkAccess }
}

/**
 * Another port of the same host is the "same site" to a browser, so SameSite=Strict does not stop its pages. Origin and
 * Sec-Fetch-Site, which pages cannot forge, do. A browser sends Origin with every POST.
 */
function isOwnPage(request: IncomingMessage): boolean {
  const site = request.headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false
  const origin = request.headers.origin
  if (origin === undefined) return request.method === 'GET' || request.method === 'HEAD'
  return URL.canParse(origin) && new URL(origin).host === request.headers.host?.toLowerCase()
}

export function isSecure(request: IncomingMessage): boolean {
  return (request.socket as Partial<TLSSocket>).encrypted === true
}

/** Without the port and without the brackets of IPv6. */
function hostName(authority: string): string {
  const bracketed = /^\[([^\]]*)\](:\d*)?$/.exec(authority)
  if (bracketed) return bracketed[1] as string
  return isIP(authority) === 6 ? authority : authority.replace(/:\d*$/, '')
}

function cookiesNamed(request: IncomingMessage, name: string): string[] {
  const found: string[] = []
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [key, value] = part.trim().split('=', 2)
    if (key === name && value !== undefined) found.push(value)
  }
  return found
}
