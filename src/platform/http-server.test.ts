import { connect as connectTcp, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from './clock.ts'
import { createHttpServer, type HttpBounds, type HttpServer } from './http-server.ts'

let open: { server: Server; http: HttpServer; sockets: Socket[] } | null = null
afterEach(async () => {
  for (const socket of open?.sockets ?? []) socket.destroy()
  await open?.http.close(0)
  await new Promise<void>((resolve) => (open === null ? resolve() : open.server.close(() => resolve())))
  open = null
})

async function start(
  bounds: Partial<HttpBounds> = {},
  listener: Parameters<typeof createHttpServer>[0]['listener'] = (_, answer) => void answer.end('hello'),
) {
  const http = createHttpServer({ listener, tls: null, clock: systemClock, bounds })
  const server = createServer((socket) => http.handleSocket(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open = { server, http, sockets: [] }
  return { http, port: (server.address() as AddressInfo).port }
}

/** A bare connection; `text` grows, `closed` becomes true. */
function dial(port: number): { socket: Socket; text: string; closed: boolean } {
  const client = { socket: connectTcp(port, '127.0.0.1'), text: '', closed: false }
  client.socket.on('data', (chunk) => (client.text += chunk.toString()))
  client.socket.on('error', () => {})
  client.socket.on('close', () => (client.closed = true))
  open?.sockets.push(client.socket)
  return client
}

describe('sockets handed over', () => {
  it('are answered, request after request', async () => {
    const { port } = await start()
    const client = dial(port)
    client.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await vi.waitUntil(() => client.text.split('hello').length === 3)
  })

  it('are answered when the request trickles in byte by byte', async () => {
    const { port } = await start()
    const client = dial(port)
    client.socket.setNoDelay(true)
    for (const byte of 'GET / HTTP/1.1\r\nHost: x\r\n\r\n') await new Promise((resolve) => client.socket.write(byte, resolve))
    await vi.waitUntil(() => client.text.includes('hello'))
  })

  it('that say nothing are cut', async () => {
    const { port } = await start({ headersTimeoutMs: 50 })
    const client = dial(port)
    await vi.waitUntil(() => client.closed)
  })

  it('that never finish their headers are cut, though they keep on sending (slowloris)', async () => {
    const { port } = await start({ headersTimeoutMs: 200, checkEveryMs: 50 })
    const client = dial(port)
    client.socket.write('GET / HTTP/1.1\r\nHost: x\r\n')
    const feed = setInterval(() => client.socket.writable && client.socket.write('X-More: 1\r\n'), 20)
    try {
      await vi.waitUntil(() => client.closed, { timeout: 5_000 })
      expect(client.text).toMatch(/^(HTTP\/1.1 408|$)/)
    } finally {
      clearInterval(feed)
    }
  })

  it('that never finish their body are cut', async () => {
    const { port } = await start({ headersTimeoutMs: 200, requestTimeoutMs: 200, checkEveryMs: 50 }, (request, answer) => {
      request.resume()
      request.on('end', () => answer.end('hello'))
    })
    const client = dial(port)
    client.socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc')
    await vi.waitUntil(() => client.closed, { timeout: 5_000 })
    expect(client.text).not.toContain('hello')
  })

  it('beyond the bound are cut and counted, and make room when they go', async () => {
    const { http, port } = await start({ connections: 3 })
    const first = [dial(port), dial(port), dial(port)]
    await vi.waitUntil(() => http.counters.open === 3)
    const extra = dial(port)
    await vi.waitUntil(() => extra.closed)
    expect(http.counters.refused).toBe(1)
    first[0]?.socket.destroy()
    await vi.waitUntil(() => http.counters.open === 2)
    const next = dial(port)
    next.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await vi.waitUntil(() => next.text.includes('hello'))
  })

  it('from strangers get half of the bound, so that the host itself always gets in', async () => {
    const { http } = await start({ connections: 4 })
    const stranger = (): Socket => {
      const destroyed = vi.fn()
      return {
        remoteAddress: '10.0.0.9',
        on: () => {},
        once: () => {},
        read: () => null,
        readableLength: 0,
        destroy: destroyed,
      } as unknown as Socket
    }
    const sockets = Array.from({ length: 3 }, stranger)
    for (const socket of sockets) http.handleSocket(socket)
    expect(http.counters).toMatchObject({ open: 2, refused: 1 })
    // Nobody will ever close these fakes.
    open = { ...(open as NonNullable<typeof open>), http: { ...http, close: async () => {} } }
  })

  it('are ended by close, idle at once and busy after the grace', async () => {
    let hold = false
    const { http, port } = await start({}, (_, answer) => void (hold ? answer.write('partly') : answer.end('hello')))
    const idle = dial(port)
    idle.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await vi.waitUntil(() => idle.text.includes('hello'))
    hold = true
    const busy = dial(port)
    busy.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await vi.waitUntil(() => busy.text.includes('partly'))
    await http.close(100)
    expect(http.counters.open).toBe(0)
    await vi.waitUntil(() => idle.closed && busy.closed)
  })

  it('that want TLS are cut when there is no certificate', async () => {
    const { port } = await start()
    const client = dial(port)
    client.socket.write(Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]))
    await vi.waitUntil(() => client.closed)
    expect(client.text).toBe('')
  })
})

it('a certificate that cannot be used is MW_TLS', () => {
  expect(() => createHttpServer({ listener: () => {}, tls: { cert: 'no', key: 'secret-key' }, clock: systemClock })).toThrow(
    expect.objectContaining({ code: 'MW_TLS', message: expect.not.stringContaining('secret-key') }),
  )
})

it('an answer that nobody reads does not hold its connection', async () => {
  const { http, port } = await start({ idleMs: 200 }, (_, answer) => void answer.end(Buffer.alloc(64_000_000)))
  const client = dial(port)
  client.socket.pause()
  client.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await vi.waitUntil(() => http.counters.open === 1)
  await vi.waitUntil(() => http.counters.open === 0, { timeout: 5_000 })
})
