import { createSocket, type Socket } from 'node:dgram'
import { connect, isIP, isIPv6, type Socket as TcpSocket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { lookup } from 'node:dns/promises'
import { MidwatchError } from '../contract/index.ts'

/** An IP literal and a port. Names are resolved before they become an Address, so that sending never waits for DNS. */
export type Address = { readonly host: string; readonly port: number }

/** A connected byte stream: a TCP connection, or a simulated one. */
export type ByteStream = {
  readonly remoteHost: string
  write(bytes: Uint8Array): void
  /** What was written and still waits here to go out. */
  waitingBytes(): number
  /** Says that nothing more comes; what was written still arrives. */
  end(): void
  destroy(): void
  onData(listener: (bytes: Uint8Array) => void): void
  /** Called once, whichever side closed and whatever the reason. */
  onClose(listener: () => void): void
}

/**
 * The grid's way to other nodes. Datagrams leave through lanes: lane 0 is the listening port, the others are source ports of their own, so
 * that one dead path among several (routers hash on ports) cannot silence a pair.
 */
export type Network = {
  readonly lanes: number
  /** Fire and forget, as UDP is. */
  send(lane: number, to: Address, bytes: Uint8Array): void
  onDatagram(listener: (bytes: Uint8Array, from: Address) => void): void
  dial(to: Address, timeoutMs: number): Promise<ByteStream>
  close(): Promise<void>
}

export type NetworkCounters = { sent: number; sentBytes: number; received: number; receivedBytes: number; sendErrors: number }

/** Opens the UDP sockets. `port` 0 takes any; the answer says which. Errors: MW_PORT. */
export async function openNetwork(options: {
  host: string
  port: number
  lanes: number
}): Promise<Network & { port: number; counters: NetworkCounters }> {
  const six = isIPv6(options.host)
  const counters: NetworkCounters = { sent: 0, sentBytes: 0, received: 0, receivedBytes: 0, sendErrors: 0 }
  let listener: (bytes: Uint8Array, from: Address) => void = () => {}
  const sockets: Socket[] = []
  let closed = false
  for (let lane = 0; lane < options.lanes; lane++) {
    const socket = createSocket({ type: six ? 'udp6' : 'udp4', recvBufferSize: 1_048_576 })
    await new Promise<void>((resolve, reject) => {
      socket.once('error', (error) => {
        for (const opened of sockets) opened.close()
        reject(new MidwatchError('MW_PORT', `cannot listen on UDP ${options.host}:${options.port}: ${error.message}`, { cause: error }))
      })
      socket.bind({ address: options.host, port: lane === 0 ? options.port : 0 }, () => resolve())
    })
    socket.removeAllListeners('error')
    // After binding, errors are per datagram (no route, buffer full); a lost datagram is nothing new to the protocol.
    socket.on('error', () => counters.sendErrors++)
    socket.on('message', (bytes, from) => {
      counters.received++
      counters.receivedBytes += bytes.length
      listener(bytes, { host: plainHost(from.address), port: from.port })
    })
    sockets.push(socket)
  }
  return {
    lanes: options.lanes,
    port: (sockets[0] as Socket).address().port,
    counters,
    send(lane, to, bytes) {
      // A timer that rings after the end would bring the process down otherwise.
      if (closed) return
      const socket = sockets[lane % sockets.length] as Socket
      if (isIPv6(to.host) !== six && !six) {
        counters.sendErrors++
        return
      }
      counters.sent++
      counters.sentBytes += bytes.length
      socket.send(bytes, to.port, six && !isIPv6(to.host) ? `::ffff:${to.host}` : to.host, countError)
    },
    onDatagram(to) {
      listener = to
    },
    dial: dialTcp,
    async close() {
      closed = true
      await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))))
    },
  }
  function countError(error: Error | null): void {
    if (error) counters.sendErrors++
  }
}

/** Opens a TCP connection, or throws the system's error. */
export function dialTcp(to: Address, timeoutMs: number): Promise<ByteStream> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: to.host, port: to.port, noDelay: true })
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer from ${to.host}:${to.port} within ${timeoutMs} ms`)))
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.setTimeout(0)
      socket.off('error', reject)
      resolve(streamOf(socket))
    })
  })
}

/** A TCP socket as a ByteStream. Errors close it; there is nothing else that a reader could do about them. */
export function streamOf(socket: TcpSocket): ByteStream {
  socket.on('error', () => socket.destroy())
  return {
    remoteHost: plainHost(socket.remoteAddress ?? ''),
    write: (bytes) => void socket.write(bytes),
    waitingBytes: () => socket.writableLength,
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
    // The listener paused it when it looked at the first byte, and a paused socket stays so until told.
    onData: (listener) => void socket.on('data', listener).resume(),
    onClose: (listener) => void socket.once('close', listener),
  }
}

/** IPv4-mapped IPv6 is IPv4. */
export function plainHost(host: string): string {
  return host.startsWith('::ffff:') && isIP(host.slice(7)) === 4 ? host.slice(7) : host
}

export function isIpLiteral(host: string): boolean {
  return isIP(host) !== 0
}

export function formatAddress(address: Address): string {
  return isIPv6(address.host) ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}

/** An IP literal as it is, a name through the system's resolver. */
export async function resolveHost(host: string): Promise<string> {
  if (isIP(host)) return host
  return (await lookup(host)).address
}

/** The address that other hosts would most likely reach this one by; loopback when there is no other. */
export function ownAddress(six: boolean): string {
  for (const addresses of Object.values(networkInterfaces())) {
    for (const address of addresses ?? []) {
      if (!address.internal && address.family === (six ? 'IPv6' : 'IPv4') && !address.address.startsWith('fe80:')) return address.address
    }
  }
  return six ? '::1' : '127.0.0.1'
}
