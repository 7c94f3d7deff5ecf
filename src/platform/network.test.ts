import { connect, createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { until } from '../../test/support/until.ts'
import { listenTcp, type Listener } from './listener.ts'
import { dialTcp, formatAddress, isIpLiteral, openNetwork, plainHost, streamOf, type ByteStream } from './network.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function network(host = '127.0.0.1', lanes = 3) {
  const opened = await openNetwork({ host, port: 0, lanes })
  closers.push(() => opened.close())
  return opened
}

describe('datagrams', () => {
  it('leave by the lane they are told to: the listening port, or a source port of its own', async () => {
    const [one, other] = [await network(), await network()]
    const ports: number[] = []
    other.onDatagram((bytes, from) => {
      ports[bytes[0]!] = from.port
    })
    for (let lane = 0; lane < 3; lane++) one.send(lane, { host: '127.0.0.1', port: other.port }, Uint8Array.of(lane))
    await until('all arrived', () => ports.filter(Boolean).length === 3)
    expect(ports[0]).toBe(one.port)
    expect(new Set(ports).size).toBe(3)
    expect(one.counters).toMatchObject({ sent: 3, sentBytes: 3 })
    expect(other.counters).toMatchObject({ received: 3, receivedBytes: 3 })
  })

  it('that nobody takes, or of the other family, are lost without an error', async () => {
    const one = await network()
    one.send(0, { host: '127.0.0.1', port: 9 }, Uint8Array.of(1))
    one.send(0, { host: '::1', port: 9 }, Uint8Array.of(1))
    expect(one.counters.sendErrors).toBe(1)
  })

  it('sent after the end are lost too: a timer may still ring then', async () => {
    const one = await openNetwork({ host: '127.0.0.1', port: 0, lanes: 2 })
    await one.close()
    expect(() => one.send(1, { host: '127.0.0.1', port: 9 }, Uint8Array.of(1))).not.toThrow()
  })

  it('cannot come in at a port that is taken: MW_PORT', async () => {
    const one = await network()
    await expect(openNetwork({ host: '127.0.0.1', port: one.port, lanes: 2 })).rejects.toMatchObject({ code: 'MW_PORT' })
  })
})

async function listen(onConnection: (socket: Socket, firstByte: number) => void): Promise<Listener> {
  const listener = await listenTcp('127.0.0.1', 0, onConnection)
  closers.push(() => listener.close())
  return listener
}

describe('the one TCP port', () => {
  it('hands a connection on with its first byte, which is still to be read', async () => {
    const seen: { firstByte: number; stream: ByteStream }[] = []
    const listener = await listen((socket, firstByte) => seen.push({ firstByte, stream: streamOf(socket) }))
    const stream = await dialTcp({ host: '127.0.0.1', port: listener.port }, 2_000)
    stream.write(Buffer.from('GET /'))
    await until('it was handed on', () => seen.length === 1)
    const text: string[] = []
    seen[0]!.stream.onData((bytes) => text.push(Buffer.from(bytes).toString()))
    stream.write(Buffer.from(' more'))
    await until('all was read', () => text.join('') === 'GET / more')
    expect(seen[0]).toMatchObject({ firstByte: 0x47 })
    expect(seen[0]!.stream.remoteHost).toBe('127.0.0.1')
    stream.destroy()
  })

  it('tells both ends once when either hangs up', async () => {
    let closed = 0
    const listener = await listen((socket) => {
      const stream = streamOf(socket)
      stream.onClose(() => closed++)
      stream.onData(() => stream.end())
    })
    const stream = await dialTcp({ host: '127.0.0.1', port: listener.port }, 2_000)
    stream.onClose(() => closed++)
    stream.onData(() => {})
    stream.write(Uint8Array.of(1))
    await until('both know', () => closed === 2)
  })

  it('ends connections that never said a word when it closes', async () => {
    const listener = await listenTcp('127.0.0.1', 0, () => {})
    const silent = connect(listener.port, '127.0.0.1')
    silent.on('error', () => {})
    await once(silent, 'connect')
    await Promise.all([once(silent, 'close'), listener.close()])
  })

  it('that is taken is MW_PORT', async () => {
    const taken = createServer()
    taken.listen(0, '127.0.0.1')
    await once(taken, 'listening')
    closers.push(() => taken.close())
    const { port } = taken.address() as { port: number }
    await expect(listenTcp('127.0.0.1', port, () => {})).rejects.toMatchObject({ code: 'MW_PORT' })
  })

  it('where nobody listens is an error of the system, at once', async () => {
    const listener = await listenTcp('127.0.0.1', 0, () => {})
    await listener.close()
    await expect(dialTcp({ host: '127.0.0.1', port: listener.port }, 2_000)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })
})

it('addresses read as people write them', () => {
  expect(formatAddress({ host: '10.0.0.1', port: 5 })).toBe('10.0.0.1:5')
  expect(formatAddress({ host: '::1', port: 5 })).toBe('[::1]:5')
  expect(plainHost('::ffff:10.0.0.1')).toBe('10.0.0.1')
  expect(plainHost('::ffff:zz')).toBe('::ffff:zz')
  expect([isIpLiteral('10.0.0.1'), isIpLiteral('::1'), isIpLiteral('host')]).toEqual([true, true, false])
})
