import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { DemoFault } from '../contract/index.ts'
import {
  type ByteStream,
  type Clock,
  type Network,
  listenTcp,
  openNetwork,
  streamOf,
  systemClock,
  type Randomness,
} from '../platform/index.ts'
import { createDelayLine } from './delay-line.ts'
import { createDemoService, createRelay, type DemoService, type Relay } from './index.ts'

const NODES = [
  { id: 'fra1', site: 'fra' },
  { id: 'fra2', site: 'fra' },
  { id: 'nyc1', site: 'nyc' },
  { id: 'nyc2', site: 'nyc' },
  { id: 'syd1', site: 'syd' },
]

/** A die whose throws go round and round: every hundredth of the range once, then again. */
function fairDie(): Randomness {
  let throws = 0
  return { bytes: (count) => new Uint8Array(count), int: (below) => Math.floor((((throws++ * 37) % 100) / 100) * below) }
}

type Peer = { id: string; network: Network & { port: number }; heard: string[]; heardPorts: Set<number>; streams: ByteStream[] }

let relay: Relay
let service: DemoService
const peers = new Map<string, Peer>()
const cleanUps: (() => Promise<void>)[] = []

beforeEach(async () => {
  service = await createDemoService(systemClock, 'shop')
  cleanUps.push(() => service.close())
  relay = await createRelay({ clock: systemClock, random: fairDie(), nodes: NODES, service })
  cleanUps.push(() => relay.close())
  for (const { id } of NODES) await startPeer(id)
})

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
  peers.clear()
})

/** A node as the relay sees it: three source ports, and a listener that answers each piece of a stream in capitals. */
async function startPeer(id: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    const network = await openNetwork({ host: '127.0.0.1', port: 0, lanes: 3 })
    const streams: ByteStream[] = []
    try {
      const tcp = await listenTcp('127.0.0.1', network.port, (socket) => {
        const stream = streamOf(socket)
        streams.push(stream)
        stream.onData((bytes) => stream.write(Buffer.from(Buffer.from(bytes).toString().toUpperCase())))
        socket.resume()
      })
      cleanUps.push(async () => void (await Promise.all([network.close(), tcp.close()])))
    } catch (error) {
      await network.close()
      if (tries > 10) throw error
      continue
    }
    const heard: string[] = []
    const heardPorts = new Set<number>()
    network.onDatagram((bytes, from) => {
      heard.push(Buffer.from(bytes).toString())
      heardPorts.add(from.port)
    })
    peers.set(id, { id, network: relay.through(id, network), heard, heardPorts, streams })
    return
  }
}

const peer = (id: string): Peer => peers.get(id) as Peer
const realAddress = (id: string) => ({ host: '127.0.0.1', port: peer(id).network.port })
function say(from: string, to: string, text: string, lane = 0): void {
  peer(from).network.send(lane, realAddress(to), Buffer.from(text))
}

/** Sends until the other has heard it: then what was sent before on that way has passed, too, or is lost. */
async function hears(from: string, to: string): Promise<void> {
  const text = `ping ${Math.random()}`
  await vi.waitFor(
    () => {
      say(from, to, text)
      expect(peer(to).heard).toContain(text)
    },
    { timeout: 5_000, interval: 5 },
  )
}

async function call(from: string, to: string): Promise<ByteStream & { got: () => string; closed: () => boolean }> {
  const stream = await peer(from).network.dial(realAddress(to), 2_000)
  let text = ''
  let isClosed = false
  stream.onData((bytes) => (text += Buffer.from(bytes).toString()))
  stream.onClose(() => (isClosed = true))
  return { ...stream, got: () => text, closed: () => isClosed }
}

describe('without faults', () => {
  test('every node reaches every other, and hears it from the address by which it would answer', async () => {
    for (const from of NODES) {
      for (const to of NODES) if (from !== to) await hears(from.id, to.id)
    }
    say('fra1', 'nyc1', 'second lane', 1)
    await vi.waitFor(() => expect(peer('nyc1').heard).toContain('second lane'))
    const answersTo = relay.route('nyc1', realAddress('fra1'))
    expect(peer('nyc1').heardPorts).toContain(answersTo.port)
    expect(peer('nyc1').heardPorts.size).toBe(NODES.length - 1)
  })

  test('streams pass both ways and end together', async () => {
    const stream = await call('fra1', 'syd1')
    stream.write(Buffer.from('hello'))
    await vi.waitFor(() => expect(stream.got()).toBe('HELLO'))
    let farClosed = false
    peer('syd1').streams[0]?.onClose(() => (farClosed = true))
    stream.end()
    await vi.waitFor(() => expect(farClosed).toBe(true))
  })

  test('what is no node of the demo is reached directly', () => {
    const elsewhere = { host: '127.0.0.1', port: 9 }
    expect(relay.route('fra1', elsewhere)).toBe(elsewhere)
  })
})

describe('faults', () => {
  test('are listed as the API shows them, all off at first; one that does not exist is named', () => {
    const faults = relay.faults()
    for (const fault of faults) expect(DemoFault.parse(fault)).toEqual(fault)
    expect(faults.map((fault) => [fault.id, fault.on])).toEqual(
      ['unplug', 'deaf', 'one-way', 'loss', 'slow', 'cut-off', 'service'].map((id) => [id, false]),
    )
    expect(() => relay.setFault('flood', true)).toThrow(expect.objectContaining({ code: 'MW_UNKNOWN_NAME' }))
  })

  /** Which ordered pairs still carry datagrams. */
  async function dead(): Promise<string[]> {
    const lost: string[] = []
    for (const from of NODES) {
      for (const to of NODES) {
        if (from === to) continue
        const before = relay.counters.lost
        const heard = peer(to.id).heard.length
        say(from.id, to.id, 'x')
        await vi.waitFor(() => expect(relay.counters.lost + peer(to.id).heard.length).toBe(before + heard + 1), { interval: 2 })
        if (relay.counters.lost > before) lost.push(`${from.id}>${to.id}`)
      }
    }
    return lost
  }
  const all = NODES.flatMap((from) => NODES.filter((to) => to !== from).map((to) => ({ from, to })))
  const named = (pairs: typeof all) => pairs.map(({ from, to }) => `${from.id}>${to.id}`)

  test('each kills just the ways that it names, and none when it is off again', async () => {
    const expected: [string, string[]][] = [
      ['unplug', named(all.filter(({ from, to }) => from.id === 'nyc2' || to.id === 'nyc2'))],
      ['deaf', named(all.filter(({ to }) => to.id === 'fra2'))],
      ['one-way', named(all.filter(({ from, to }) => from.site === 'fra' && to.site === 'nyc'))],
      ['cut-off', named(all.filter(({ from, to }) => (from.site === 'syd') !== (to.site === 'syd')))],
    ]
    for (const [id, ways] of expected) {
      relay.setFault(id, true)
      expect(await dead()).toEqual(ways)
      relay.setFault(id, false)
    }
    expect(await dead()).toEqual([])
  })

  test('loss takes its share of each direction, so that 30 % of round trips fail', async () => {
    relay.setFault('loss', true)
    for (let i = 0; i < 200; i++) say('nyc1', 'syd1', `n${i}`)
    await vi.waitFor(() => expect(relay.counters.lost + peer('syd1').heard.length).toBe(200))
    expect(1 - (1 - relay.counters.lost / 200) ** 2).toBeCloseTo(0.3, 1)
  })

  test('slow delays each direction, datagrams and streams alike, and keeps the order', async () => {
    relay.setFault('slow', true)
    const startedAt = performance.now()
    for (let i = 0; i < 20; i++) say('fra1', 'syd1', `n${i}`)
    await vi.waitFor(() => expect(peer('syd1').heard).toHaveLength(20))
    expect(performance.now() - startedAt).toBeGreaterThan(95)
    expect(peer('syd1').heard).toEqual(Array.from({ length: 20 }, (_, i) => `n${i}`))
    const stream = await call('fra1', 'syd1')
    const askedAt = performance.now()
    stream.write(Buffer.from('hello'))
    await vi.waitFor(() => expect(stream.got()).toBe('HELLO'))
    expect(performance.now() - askedAt).toBeGreaterThan(190)
    stream.destroy()
  })

  test('a cut closes open streams, and new ones get nowhere', async () => {
    const stream = await call('fra1', 'nyc2')
    stream.write(Buffer.from('hello'))
    await vi.waitFor(() => expect(stream.got()).toBe('HELLO'))
    relay.setFault('unplug', true)
    await vi.waitFor(() => expect(stream.closed()).toBe(true))
    const again = await call('fra1', 'nyc2')
    again.write(Buffer.from('hello'))
    await vi.waitFor(() => expect(again.closed()).toBe(true))
    expect(again.got()).toBe('')
  })

  test('the service fails as a real one does', async () => {
    expect((await fetch(service.url)).status).toBe(200)
    relay.setFault('service', true)
    expect((await fetch(service.url)).status).toBe(503)
    relay.setFault('service', false)
    expect((await fetch(service.url)).status).toBe(200)
  })
})

describe('delay line', () => {
  function handClock(): Clock & { turn(ms: number): void } {
    let nowMs = 0
    let timers: { dueMs: number; callback: () => void }[] = []
    return {
      wallMs: () => nowMs,
      monoMs: () => nowMs,
      after(delayMs, callback) {
        const timer = { dueMs: nowMs + delayMs, callback }
        timers.push(timer)
        return () => (timers = timers.filter((each) => each !== timer))
      },
      turn(ms) {
        nowMs += ms
        const due = timers.filter((timer) => timer.dueMs <= nowMs)
        timers = timers.filter((timer) => timer.dueMs > nowMs)
        for (const timer of due) timer.callback()
      },
    }
  }

  test('takes no more than its capacity, and is free again once it has delivered', () => {
    const clock = handClock()
    const got: number[] = []
    const line = createDelayLine<number>(clock, 3, (thing) => got.push(thing))
    expect([1, 2, 3, 4].map((n) => line.push(n, 1, 100))).toEqual([true, true, true, false])
    clock.turn(100)
    expect(got).toEqual([1, 2, 3])
    expect(line.push(5, 1, 100)).toBe(true)
  })

  test('keeps the order when the delay shrinks, and delivers nothing once cleared', () => {
    const clock = handClock()
    const got: number[] = []
    const line = createDelayLine<number>(clock, 10, (thing) => got.push(thing))
    line.push(1, 1, 100)
    line.push(2, 1, 0)
    expect(got).toEqual([])
    clock.turn(100)
    expect(got).toEqual([1, 2])
    line.push(3, 1, 100)
    line.clear()
    clock.turn(1_000)
    expect(got).toEqual([1, 2])
  })
})
