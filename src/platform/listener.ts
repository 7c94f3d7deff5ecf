import { createServer, type Server, type Socket } from 'node:net'
import { MidwatchError } from '../contract/index.ts'

/** How long a new connection may stay silent before it is closed. */
const FIRST_BYTE_MS = 10_000
const CONNECTIONS_MAX = 1_024

export type Listener = { readonly port: number; close(): Promise<void> }

/**
 * Listens on TCP and hands each connection on together with its first byte, which tells the protocols of the one port apart. The byte is still
 * to be read. Errors: MW_PORT.
 */
export async function listenTcp(host: string, port: number, onConnection: (socket: Socket, firstByte: number) => void): Promise<Listener> {
  const open = new Set<Socket>()
  const server: Server = createServer({ noDelay: true }, (socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    const giveUp = (): void => void socket.destroy()
    socket.once('error', giveUp)
    socket.setTimeout(FIRST_BYTE_MS, giveUp)
    socket.once('data', (bytes: Buffer) => {
      socket.pause()
      socket.setTimeout(0)
      socket.off('timeout', giveUp)
      socket.off('error', giveUp)
      socket.unshift(bytes)
      onConnection(socket, bytes[0] as number)
    })
  })
  server.maxConnections = CONNECTIONS_MAX
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new MidwatchError('MW_PORT', `cannot listen on TCP ${host}:${port}: ${error.message}`, { cause: error })),
    )
    server.listen({ host, port }, () => resolve())
  })
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of open) socket.destroy()
      }),
  }
}
