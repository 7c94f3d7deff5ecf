import type { DemoFault } from '../contract/index.ts'
import {
  type Address,
  type ByteStream,
  type Clock,
  type Network,
  type Randomness,
  dialTcp,
  listenTcp,
  openNetwork,
  streamOf,
} from '../platform/index.ts'
import { createDelayLine } from './delay-line.ts'
import { type DemoNode, type FailingService, FaultBoard } from './faults.ts'

export type RelayOptions = {
  readonly clock: Clock
  readonly random: Randomness
  readonly nodes: readonly DemoNode[]
  /** Its failure becomes one of the faults. */
  readonly service?: FailingService
}

export type RelayCounters = { forwarded: number; lost: number; overflowed: number; streams: number; streamsCut: number }

/**
 * Stands between the nodes of a demo, on loopback and without root. For every ordered pair there is one relay port, UDP and TCP, and a node
 * reaches another only through the port of that pair, so each direction of each pair can have its own fault.
 */
export type Relay = {
  /** A node's network, with every other node of the demo behind its relay port. Also how the relay learns where the node listens. */
  through<T extends Network & { readonly port: number }>(id: string, network: T): T
  /** Where `from` has to send to reach the node that listens at `to`; `to` itself when that is no node of the demo. */
  route(from: string, to: Address): Address
  faults(): DemoFault[]
  /** Errors: MW_UNKNOWN_NAME. */
  setFault(id: string, on: boolean): void
  readonly counters: RelayCounters
  close(): Promise<void>
}

const HOST = '127.0.0.1'
/** Datagrams that may wait on one way, as in a router's queue; the next is dropped. */
const DATAGRAMS_WAITING = 1_024
/** Bytes that may wait in one direction of a stream; more closes it. */
const STREAM_BYTES_WAITING = 4_194_304
const DIAL_MS = 2_000
/** A UDP port whose TCP twin is taken is given back; so many are tried. */
const PORT_TRIES = 20
/** Resolution of the die. */
const DIE = 1_000_000

/** One ordered pair: the port at which `from` finds `to`, and from which the packets of `to` reach `from`. */
type Way = {
  readonly from: DemoNode
  readonly to: DemoNode
  readonly port: number
  send(to: Address, bytes: Uint8Array): void
  readonly streams: Set<() => void>
  close(): Promise<void>
}

/** Errors: MW_PORT. */
export async function createRelay({ clock, random, nodes, service }: RelayOptions): Promise<Relay> {
  const board = new FaultBoard(nodes, service ?? null)
  const counters: RelayCounters = { forwarded: 0, lost: 0, overflowed: 0, streams: 0, streamsCut: 0 }
  const ways = new Map<string, Way>()
  /** Where each node really listens, and who listens at a port. */
  const listening = new Map<string, Address>()
  const owners = new Map<number, string>()
  const keyOf = (from: string, to: string): string => `${from} ${to}`

  try {
    for (const from of nodes) {
      for (const to of nodes) if (from !== to) ways.set(keyOf(from.id, to.id), await openWay(from, to))
    }
  } catch (error) {
    await close()
    throw error
  }

  async function openWay(from: DemoNode, to: DemoNode): Promise<Way> {
    const streams = new Set<() => void>()
    const { udp, tcp } = await openTwinPorts((stream, resume) => relayStream(from, to, stream, resume, streams))
    const line = createDelayLine<Uint8Array>(clock, DATAGRAMS_WAITING, (bytes) => {
      const target = listening.get(to.id)
      const back = ways.get(keyOf(to.id, from.id))
      if (!target || !back) return
      counters.forwarded++
      back.send(target, bytes)
    })
    udp.onDatagram((bytes) => {
      const { lossRatio, delayMs } = board.effect(from, to)
      if (lossRatio > 0 && random.int(DIE) < lossRatio * DIE) counters.lost++
      else if (!line.push(bytes, 1, delayMs)) counters.overflowed++
    })
    return {
      from,
      to,
      port: udp.port,
      send: (target, bytes) => udp.send(0, target, bytes),
      streams,
      async close() {
        line.clear()
        for (const cut of streams) cut()
        await Promise.all([udp.close(), tcp.close()])
      },
    }
  }

  /** TCP repairs loss by itself, so a stream knows only delay and death: of either direction, since acknowledgements need both. */
  async function relayStream(from: DemoNode, to: DemoNode, near: ByteStream, resume: () => void, streams: Set<() => void>): Promise<void> {
    const target = listening.get(to.id)
    if (!target || isCut(from, to)) {
      counters.streamsCut++
      return near.destroy()
    }
    const far = await dialTcp(target, DIAL_MS).catch(() => null)
    if (!far) return near.destroy()
    const cut = (): void => {
      near.destroy()
      far.destroy()
    }
    // A fault may have been switched on during the dial.
    if (isCut(from, to)) return cut()
    counters.streams++
    streams.add(cut)
    pipe(near, far, () => board.effect(from, to).delayMs, cut)
    pipe(far, near, () => board.effect(to, from).delayMs, cut)
    near.onClose(() => streams.delete(cut))
    resume()
  }

  function pipe(source: ByteStream, sink: ByteStream, delayMs: () => number, cut: () => void): void {
    const line = createDelayLine<Uint8Array | null>(clock, STREAM_BYTES_WAITING, (bytes) => (bytes ? sink.write(bytes) : sink.end()))
    source.onData((bytes) => {
      if (!line.push(bytes, bytes.length, delayMs())) {
        counters.overflowed++
        cut()
      }
    })
    source.onClose(() => void line.push(null, 0, delayMs()))
    sink.onClose(() => line.clear())
  }

  function isCut(from: DemoNode, to: DemoNode): boolean {
    return board.effect(from, to).lossRatio >= 1 || board.effect(to, from).lossRatio >= 1
  }

  function route(from: string, to: Address): Address {
    const owner = owners.get(to.port)
    const way = owner === undefined ? undefined : ways.get(keyOf(from, owner))
    return way ? { host: HOST, port: way.port } : to
  }

  async function close(): Promise<void> {
    await Promise.all([...ways.values()].map((way) => way.close()))
  }

  return {
    through(id, network) {
      listening.set(id, { host: HOST, port: network.port })
      owners.set(network.port, id)
      return {
        ...network,
        send: (lane, to, bytes) => network.send(lane, route(id, to), bytes),
        dial: (to, timeoutMs) => network.dial(route(id, to), timeoutMs),
      }
    },
    route,
    faults: () => board.list(),
    setFault(id, on) {
      board.set(id, on)
      for (const way of ways.values()) {
        if (!isCut(way.from, way.to)) continue
        counters.streamsCut += way.streams.size
        for (const cut of way.streams) cut()
      }
    },
    counters,
    close,
  }
}

/** A UDP and a TCP port of the same number: a node has one address for both. */
async function openTwinPorts(onStream: (stream: ByteStream, resume: () => void) => void) {
  for (let tries = 1; ; tries++) {
    const udp = await openNetwork({ host: HOST, port: 0, lanes: 1 })
    try {
      // The connection comes paused, and stays so until the other half stands.
      const tcp = await listenTcp(HOST, udp.port, (socket) => onStream(streamOf(socket), () => void socket.resume()))
      return { udp, tcp }
    } catch (error) {
      await udp.close()
      if (tries === PORT_TRIES) throw error
    }
  }
}
