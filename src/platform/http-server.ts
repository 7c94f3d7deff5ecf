import { createServer, type RequestListener, type ServerOptions } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { Socket } from 'node:net'
import { MidwatchError } from '../contract/index.ts'
import type { Clock } from './clock.ts'
import { isLoopback } from './loopback.ts'

/** Speaks HTTP, and TLS when it has a certificate, on sockets that someone else accepted. */
export type HttpServer = {
  /** Takes over a connected socket. What was read from it already must have been unshifted. */
  handleSocket(socket: Socket): void
  /** `malformed`: what came was no HTTP. */
  readonly counters: { open: number; refused: number; malformed: number }
  /** Lets answers under way end for `graceMs`, then cuts. */
  close(graceMs: number): Promise<void>
}

export type HttpBounds = {
  /** Connections at once; strangers (not loopback) get half, so that they cannot lock out the host itself. */
  connections: number
  /** A request's headers must be there by then, and its body. Against clients that trickle. */
  headersTimeoutMs: number
  requestTimeoutMs: number
  keepAliveMs: number
  /** A connection on which nothing moves for this long is cut, answers that nobody reads included. */
  idleMs: number
  /** How often the two time-outs above are looked at. */
  checkEveryMs: number
}

const BOUNDS: HttpBounds = {
  connections: 512,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepAliveMs: 15_000,
  idleMs: 60_000,
  checkEveryMs: 2_000,
}

/** First byte of a TLS record that starts a handshake. */
const TLS_HANDSHAKE = 0x16

/** Errors: MW_TLS when certificate and key do not fit. */
export function createHttpServer(options: {
  listener: RequestListener
  tls: { cert: string; key: string } | null
  clock: Clock
  bounds?: Partial<HttpBounds>
}): HttpServer {
  const bounds = { ...BOUNDS, ...options.bounds }
  const common: ServerOptions = {
    headersTimeout: bounds.headersTimeoutMs,
    requestTimeout: bounds.requestTimeoutMs,
    keepAliveTimeout: bounds.keepAliveMs,
    connectionsCheckingInterval: bounds.checkEveryMs,
    maxHeaderSize: 16_384,
    // Node would answer for us, past the listener and its counts.
    requireHostHeader: false,
  }
  const plain = createServer(common, options.listener)
  const secure = options.tls === null ? null : createSecure(common, options.tls, options.listener, bounds)
  const servers = secure === null ? [plain] : [plain, secure]
  const counters = { open: 0, refused: 0, malformed: 0 }
  // A server that never listens does not enforce its time-outs: Node starts their check at this event.
  for (const server of servers) {
    server.setTimeout(bounds.idleMs)
    server.emit('listening')
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
      counters.malformed++
      const answer = answerToGarbage(error.code ?? '')
      // In the middle of another answer these bytes would be taken for a part of it.
      if (answer !== null && socket.writable && socket.bytesWritten === 0) socket.write(`HTTP/1.1 ${answer}\r\nConnection: close\r\n\r\n`)
      socket.destroySoon()
    })
    // What a client expects beyond an answer is no business of ours (RFC 9110, 10.1.1); Node would refuse it past the listener.
    server.on('checkExpectation', options.listener)
    // Nobody's proxy; Node would hang up without a word to us.
    server.on('connect', (_request, socket) => {
      counters.malformed++
      socket.destroy()
    })
  }

  const sockets = new Set<Socket>()
  let strangers = 0
  let closing = false

  function handleSocket(socket: Socket): void {
    socket.on('error', () => {})
    const stranger = !isLoopback(socket.remoteAddress)
    if (closing || sockets.size >= bounds.connections || (stranger && strangers >= bounds.connections / 2)) {
      counters.refused++
      socket.destroy()
      return
    }
    sockets.add(socket)
    if (stranger) strangers++
    counters.open = sockets.size
    const cancelWait = options.clock.after(bounds.headersTimeoutMs, () => socket.destroy())
    socket.once('close', () => {
      cancelWait()
      sockets.delete(socket)
      if (stranger) strangers--
      counters.open = sockets.size
    })
    whenReadable(socket, (first) => {
      cancelWait()
      const server = first === TLS_HANDSHAKE ? secure : plain
      if (server === null) {
        counters.malformed++
        socket.destroy()
      } else server.emit('connection', socket)
    })
  }

  async function close(graceMs: number): Promise<void> {
    closing = true
    // Stops the checks and ends idle connections; "not running" is what a server that never listened answers.
    for (const server of servers) server.close(() => {})
    if (sockets.size === 0) return
    await new Promise<void>((resolve) => {
      const cancel = options.clock.after(graceMs, () => {
        for (const socket of sockets) socket.destroy()
      })
      for (const socket of sockets) {
        socket.once('close', () => {
          if (sockets.size > 0) return
          cancel()
          resolve()
        })
      }
    })
  }

  return { handleSocket, counters, close }
}

/** What Node answers by itself to what its parser cannot read; null for what was no HTTP at all. */
function answerToGarbage(code: string): string | null {
  if (code === 'HPE_HEADER_OVERFLOW') return '431 Request Header Fields Too Large'
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return '413 Payload Too Large'
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return '408 Request Timeout'
  return code.startsWith('HPE_') ? '400 Bad Request' : null
}

function createSecure(common: ServerOptions, tls: { cert: string; key: string }, listener: RequestListener, bounds: HttpBounds): TlsServer {
  try {
    return createTlsServer({ ...common, cert: tls.cert, key: tls.key, handshakeTimeout: bounds.headersTimeoutMs }, listener)
  } catch (error) {
    // OpenSSL's words name the defect and hold nothing of the key.
    const words = error instanceof Error ? error.message : String(error)
    throw new MidwatchError('MW_TLS', `certificate and key cannot be used: ${words}`, { cause: error })
  }
}

/** Peeks at the first byte without taking it. */
function whenReadable(socket: Socket, callback: (first: number) => void): void {
  const look = (): boolean => {
    const chunk = socket.read() as Buffer | null
    if (chunk === null || chunk.length === 0) return false
    socket.off('readable', look)
    socket.unshift(chunk)
    callback(chunk[0] as number)
    return true
  }
  if (socket.readableLength > 0 && look()) return
  socket.on('readable', look)
}
