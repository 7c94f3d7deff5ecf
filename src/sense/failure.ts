import type { Phase } from '../platform/index.ts'
import { chainWords, certificateIsFor } from './certificate.ts'
import { cannot, failed, type Outcome } from './outcome.ts'

/** The system's, the parser's and the resolver's codes in words. Stable: no addresses, ports or times. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection closed by the other side',
  EPIPE: 'connection closed by the other side',
  ECONNABORTED: 'connection closed by the other side',
  ETIMEDOUT: 'no answer to connecting',
  EHOSTUNREACH: 'host unreachable',
  EHOSTDOWN: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  ENETDOWN: 'network unreachable',
  EADDRNOTAVAIL: 'no own address or port to connect from',
  EACCES: 'connecting is forbidden on this host',
  EPERM: 'connecting is forbidden on this host',
  ENOTFOUND: 'name not found',
  EAI_AGAIN: 'name lookup failed: the resolver does not answer',
  EAI_FAIL: 'name lookup failed',
  ERR_SSL_WRONG_VERSION_NUMBER: 'does not speak TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'does not speak TLS',
  HPE_HEADER_OVERFLOW: 'headers of the answer are too large',
  HPE_UPGRADE: 'answer switches to another protocol',
  ADDRESS_REFUSED: 'redirects to an address of this host or link, which is not followed',
}

/** Shortages of this host: they say nothing of the target. */
const OWN_SHORTAGE: Readonly<Record<string, string>> = {
  EMFILE: 'this node has too many files open',
  ENFILE: 'this host has too many files open',
  ENOBUFS: 'this host is short of network buffers',
  ENOMEM: 'this host is short of memory',
}

const TIMEOUT_WORDS: Readonly<Record<Phase, string>> = {
  lookup: 'name lookup not done',
  connect: 'no answer to connecting',
  handshake: 'connected, but no TLS handshake',
  answer: 'connected, but no answer',
  body: 'answer did not end',
}

/** What a rejected try means. `phase` is how far it got, for when its time was over. */
export function explain(error: unknown, phase: Phase, context: { signal: AbortSignal; timeoutMs: number }): Outcome {
  if (context.signal.aborted) return failed(`${TIMEOUT_WORDS[phase]} in ${seconds(context.timeoutMs)}`)
  const cause = mostTelling(error)
  const code = codeOf(cause)
  const shortage = OWN_SHORTAGE[code]
  if (shortage !== undefined) return cannot(shortage)
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return failed(wrongName(cause))
  if (code === 'EPROTO') return failed(protocolWords(cause))
  const words = WORDS[code] ?? chainWords(code) ?? familyWords(code)
  return words === null ? failed(`failed: ${code}`) : failed(words)
}

/** The `code` of a system error; its class where it has none. */
export function codeOf(error: unknown): string {
  if (error instanceof Error) return 'code' in error && typeof error.code === 'string' ? error.code : error.name
  return 'unknown'
}

export function seconds(ms: number): string {
  return ms < 1_000 ? `${ms} ms` : `${Math.round(ms / 100) / 10} s`
}

/** Of the addresses of a name, one without a route (IPv6 on a host that has none) hides what the others said. */
function mostTelling(error: unknown): unknown {
  if (!(error instanceof AggregateError) || error.errors.length === 0) return error
  return error.errors.find((each) => !['ENETUNREACH', 'EADDRNOTAVAIL'].includes(codeOf(each))) ?? error.errors[0]
}

function wrongName(error: unknown): string {
  const { host, cert } = error as { host?: string; cert?: { subjectaltname?: string; subject?: { CN?: string } } }
  const names = (cert?.subjectaltname ?? '').match(/(?<=(?:DNS|IP Address):)[^,]+/g) ?? [cert?.subject?.CN ?? 'no name']
  return certificateIsFor(names, host ?? 'this host')
}

/** OpenSSL's reason stands only in the message: "write EPROTO 80CB:error:0A0000C6:SSL routines:...:packet length too long:..." */
function protocolWords(error: unknown): string {
  const reason = /:SSL routines:[^:]*:([a-z0-9 ]{3,60}):/.exec(error instanceof Error ? error.message : '')?.[1]
  if (reason === 'packet length too long' || reason === 'wrong version number') return 'does not speak TLS'
  return reason === undefined ? 'TLS handshake failed' : `TLS handshake failed: ${reason}`
}

function familyWords(code: string): string | null {
  if (code.startsWith('HPE_')) return 'answer is not HTTP'
  if (code.startsWith('ERR_SSL_')) {
    const reason = code.slice('ERR_SSL_'.length).replace(/^(?:TLSV1|SSLV3)_(?:ALERT_)?/, '')
    return `TLS handshake failed: ${reason.toLowerCase().replaceAll('_', ' ')}`
  }
  return null
}
