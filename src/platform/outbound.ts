import { lookup as lookupName } from 'node:dns'
import { Resolver } from 'node:dns/promises'
import type { X509Certificate } from 'node:crypto'
import { connect, isIP, type TcpSocketConnectOpts } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { ADDRESS_ATTEMPT_MS, certificateOf, followPhases, untilDone, type Certificate, type Phase } from './dial.ts'
import { readFileBounded } from './files.ts'
import { requestHttp, type HttpAnswer, type HttpRequest } from './http-client.ts'
import { runProcess, type ProcessRequest, type ProcessResult } from './process.ts'

export type DialRequest = {
  readonly host: string
  readonly port: number
  readonly signal: AbortSignal
  readonly onPhase?: (phase: Phase) => void
}

export type Handshake = {
  readonly certificate: Certificate | null
  /** OpenSSL's code for what is wrong with the chain, such as CERT_HAS_EXPIRED; null when it is trusted. */
  readonly chainError: string | null
  readonly nameFits: boolean
}

export type DnsRequest = {
  readonly query: string
  readonly type: 'A' | 'AAAA' | 'CNAME' | 'MX' | 'NS' | 'TXT' | 'SRV'
  /** Address and port of the resolver; the system's when null. */
  readonly server: string | null
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/**
 * What probes of targets do to the outside. Everything ends when its signal fires, and then rejects with the signal's reason; other rejections
 * are the system's errors, with their `code`.
 */
export type Outbound = {
  /** Connects from a fresh source port and closes. */
  tcp(request: DialRequest): Promise<void>
  /** Shakes hands whatever the certificate is, and says what it is. Sends nothing else. */
  tls(request: DialRequest & { readonly serverName: string; readonly ca: string | null }): Promise<Handshake>
  http(request: HttpRequest): Promise<HttpAnswer>
  /** Records as text, in the order of the answer; "10 mail.example.org" for MX, "priority weight port name" for SRV. */
  dns(request: DnsRequest): Promise<string[]>
  /** The first address of a name; an address stays as it is. */
  lookup(host: string, signal: AbortSignal): Promise<string>
  /** Null when there is none. */
  readFile(path: string, maxBytes: number): Promise<Buffer | null>
  run(request: ProcessRequest): Promise<ProcessResult>
}

export const systemOutbound: Outbound = {
  tcp: (request) =>
    untilDone(request.signal, (resolve, reject) => {
      const socket = connect({ host: request.host, port: request.port, autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_MS })
      followPhases(socket, request.host, 'answer', request.onPhase)
      socket.once('connect', () => resolve())
      socket.on('error', reject)
      return () => socket.destroy()
    }),

  tls: (request) =>
    untilDone(request.signal, (resolve, reject) => {
      const options: ConnectionOptions & TcpSocketConnectOpts = {
        host: request.host,
        port: request.port,
        // Server name indication may not be an address (RFC 6066).
        servername: isIP(request.serverName) ? '' : request.serverName,
        ...(request.ca === null ? {} : { ca: request.ca }),
        rejectUnauthorized: false,
        checkServerIdentity: () => undefined,
        autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_MS,
      }
      const socket = connectTls(options)
      followPhases(socket, request.host, 'handshake', request.onPhase)
      socket.once('secureConnect', () => {
        const x509 = socket.getPeerX509Certificate()
        // Its type says Error; it is OpenSSL's code.
        const error = socket.authorizationError as unknown as string | null
        resolve({
          certificate: x509 ? certificateOf(x509) : null,
          chainError: error || null,
          nameFits: x509 ? fits(x509, request.serverName) : false,
        })
      })
      socket.on('error', reject)
      return () => socket.destroy()
    }),

  http: requestHttp,

  dns: (request) =>
    untilDone(request.signal, (resolve, reject) => {
      const resolver = new Resolver({ timeout: request.timeoutMs, tries: 1 })
      if (request.server !== null) resolver.setServers([request.server])
      resolveRecords(resolver, request).then(resolve, reject)
      return () => resolver.cancel()
    }),

  lookup: (host, signal) =>
    untilDone(signal, (resolve, reject) => {
      if (isIP(host)) resolve(host)
      else lookupName(host, (error, address) => (error ? reject(error) : resolve(address)))
      return () => {}
    }),

  readFile: readFileBounded,

  run: runProcess,
}

function fits(x509: X509Certificate, name: string): boolean {
  return (isIP(name) ? x509.checkIP(name) : x509.checkHost(name)) !== undefined
}

async function resolveRecords(resolver: Resolver, request: DnsRequest): Promise<string[]> {
  switch (request.type) {
    case 'A':
      return resolver.resolve4(request.query)
    case 'AAAA':
      return resolver.resolve6(request.query)
    case 'CNAME':
      return resolver.resolveCname(request.query)
    case 'NS':
      return resolver.resolveNs(request.query)
    case 'TXT':
      return (await resolver.resolveTxt(request.query)).map((parts) => parts.join(''))
    case 'MX':
      return (await resolver.resolveMx(request.query)).map((record) => `${record.priority} ${record.exchange}`)
    case 'SRV':
      return (await resolver.resolveSrv(request.query)).map((record) => `${record.priority} ${record.weight} ${record.port} ${record.name}`)
  }
}
