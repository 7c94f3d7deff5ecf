import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { Server as HttpServer } from 'node:http'
import { TargetSettings } from '../../src/contract/index.ts'
import { systemClock, systemOutbound, type Outbound } from '../../src/platform/index.ts'
import type { ProbeContext, TargetOf } from '../../src/sense/context.ts'
import { createPinger } from '../../src/sense/probes/icmp/pinger.ts'

/** A target as the settings would give it, defaults filled in. */
export function makeTarget<K extends TargetSettings['kind']>(kind: K, rest: Record<string, unknown>): TargetOf<K> {
  return TargetSettings.parse({ kind, name: 'it', ...rest }) as TargetOf<K>
}

/** What a probe gets from the prober, with a real clock and a time-out that fires. */
export function probeContext(timeoutMs = 5_000, outbound: Outbound = systemOutbound): ProbeContext {
  const abort = new AbortController()
  setTimeout(() => abort.abort(), timeoutMs).unref()
  return { clock: systemClock, outbound, pinger: createPinger({ clock: systemClock, outbound }), signal: abort.signal, timeoutMs }
}

/** Servers and sockets of a test, closed together at its end. */
export function loopback() {
  const servers: (Server | HttpServer)[] = []
  const sockets = new Set<Socket>()

  async function listen(server: Server | HttpServer): Promise<number> {
    servers.push(server)
    server.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.once('close', () => sockets.delete(socket))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  }

  return {
    listen,
    /** A TCP server that does what it is told with each connection. */
    serve: (onSocket: (socket: Socket) => void) => listen(createServer(onSocket)),
    /** A port on which nothing listens. */
    async closedPort(): Promise<number> {
      const server = createServer()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address() as AddressInfo
      await new Promise((resolve) => server.close(resolve))
      return port
    },
    async close(): Promise<void> {
      for (const socket of sockets) socket.destroy()
      await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))))
    },
  }
}
