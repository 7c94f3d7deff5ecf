import { lookup } from 'node:dns'
import { request as requestPlain, type ClientRequest, type IncomingMessage } from 'node:http'
import { request as requestSecure } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { TLSSocket } from 'node:tls'
import { ADDRESS_ATTEMPT_MS, certificateOf, followPhases, untilDone, type Certificate, type Phase } from './dial.ts'

export type HttpRequest = {
  /** A user and password in it become an Authorization header. */
  readonly url: URL
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  /** Do not check the certificate. */
  readonly insecure: boolean
  /** 0 leaves the body unread. */
  readonly maxBodyBytes: number
  /** Addresses that may not be spoken to; asked after the name is resolved. A refusal rejects with the code ADDRESS_REFUSED. */
  readonly refuses?: (address: string) => boolean
  readonly signal: AbortSignal
  readonly onPhase?: (phase: Phase) => void
}

export type HttpAnswer = {
  readonly status: number
  /** Lower-case names; values joined by ", ". As the peer wrote them. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  /** The body went on beyond `maxBodyBytes`. */
  readonly truncated: boolean
  /** The server's, over https. */
  readonly certificate: Certificate | null
}

/** Largest head of an answer that is read: status line and headers. */
const HEAD_BYTES = 32_768

/** One request on a connection of its own, no redirect followed. Rejects with the system's, the parser's (HPE_...) or OpenSSL's error. */
export function requestHttp(request: HttpRequest): Promise<HttpAnswer> {
  return untilDone(request.signal, (resolve, reject) => {
    const secure = request.url.protocol === 'https:'
    const host = request.url.hostname.replace(/^\[|\]$/g, '')
    if (isIP(host) && request.refuses?.(host)) throw addressRefused()
    const options = {
      method: request.method,
      headers: request.headers,
      agent: false as const,
      maxHeaderSize: HEAD_BYTES,
      autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_MS,
      ...(request.refuses ? { lookup: careful(request.refuses) } : {}),
    }
    // A bad certificate ends the handshake, so that headers with secrets never reach a server that is not the right one.
    const outgoing: ClientRequest = secure
      ? requestSecure(request.url, { ...options, rejectUnauthorized: !request.insecure })
      : requestPlain(request.url, options)
    outgoing.on('error', reject)
    outgoing.once('socket', (socket) => {
      followPhases(socket, host, secure ? 'handshake' : 'answer', request.onPhase)
      if (secure) socket.once('secureConnect', () => request.onPhase?.('answer'))
    })
    // Both would otherwise hang until the time-out, and neither is an answer to what was asked.
    outgoing.once('upgrade', () => reject(Object.assign(new Error('unasked upgrade'), { code: 'HPE_UPGRADE' })))
    outgoing.once('response', (response) => {
      request.onPhase?.('body')
      const certificate = certificateFrom(response)
      readBody(response, request.maxBodyBytes, (body, truncated) =>
        resolve({ status: response.statusCode ?? 0, headers: plainHeaders(response), body, truncated, certificate }),
      )
      response.on('error', reject)
    })
    outgoing.end()
    return () => outgoing.destroy()
  })
}

function readBody(response: IncomingMessage, maxBytes: number, done: (body: Buffer, truncated: boolean) => void): void {
  if (maxBytes === 0) return done(Buffer.alloc(0), false)
  const chunks: Buffer[] = []
  let bytes = 0
  response.on('data', (chunk: Buffer) => {
    const kept = chunk.subarray(0, maxBytes - bytes)
    chunks.push(kept)
    bytes += kept.length
    if (kept.length < chunk.length) done(Buffer.concat(chunks), true)
  })
  response.once('end', () => done(Buffer.concat(chunks), false))
}

function plainHeaders(response: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = Object.create(null) as Record<string, string>
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value
  }
  return headers
}

function certificateFrom(response: IncomingMessage): Certificate | null {
  const x509 = response.socket instanceof TLSSocket ? response.socket.getPeerX509Certificate() : undefined
  return x509 ? certificateOf(x509) : null
}

/** The system's lookup, refusing a name when any of its addresses is refused: the peer chose the name. */
function careful(refuses: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, options, (error, address, family) => {
      const addresses = error ? [] : Array.isArray(address) ? address.map((each) => each.address) : [address]
      if (addresses.some(refuses)) callback(addressRefused(), address, family)
      else callback(error, address, family)
    })
  }
}

function addressRefused(): NodeJS.ErrnoException {
  return Object.assign(new Error('the address is refused'), { code: 'ADDRESS_REFUSED' })
}
