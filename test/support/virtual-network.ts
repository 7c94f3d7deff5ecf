import { isIPv6 } from 'node:net'
import type { Address, ByteStream, Clock, Network, Randomness } from '../../src/platform/index.ts'
import { VirtualNat } from './virtual-nat.ts'

/** How a datagram or a stream fares on its way in one direction. */
export type Path = {
  readonly isCut: boolean
  readonly lossRatio: number
  /** Of datagrams that come twice. */
  readonly duplicateRatio: number
  readonly latencyMs: number
  /** More than the time between two datagrams puts them out of order. */
  readonly jitterMs: number
}

export const GOOD_PATH: Path = { isCut: false, lossRatio: 0, duplicateRatio: 0, latencyMs: 0.3, jitterMs: 0.2 }

/** What a host of the world has: its own clock, die and sockets. */
export type VirtualHost = {
  readonly host: string
  readonly clock: Clock
  readonly random: Randomness
  readonly network: Network
  /** Takes streams that others dial. */
  onStream(listener: (stream: ByteStream) => void): void
  /** The process ends, or the power fails: nothing more goes in, out or off, and its timers never ring. */
  die(): void
}

const START_WALL_MS = Date.parse('2026-01-01T00:00:00Z')
const PORT = 8777
const LANES = 4
/** Promises get their turn at least so often, and after every event while a stream is open. */
const BREATH_MS = 10
/** A loop that was held up rings its timers before it reads its sockets. */
const READ_AFTER_STALL_MS = 1

/**
 * Hosts, the wires between them, and the one time that they live in, out of one seed: the same seed gives the same run. Each host's clock
 * starts elsewhere, as real ones do, so that nobody can compare times of two hosts by mistake.
 */
export class VirtualWorld {
  readonly #agenda = new Agenda()
  readonly #hosts = new Map<string, Inner>()
  readonly #die: () => number
  #nowMs = 0
  #breathMs = 0
  #openStreams = 0
  /** Datagrams and their bytes that hosts sent, lost ones included. */
  readonly sent = { datagrams: 0, bytes: 0 }
  readonly #sentBytes = new Map<string, number>()
  /** Hosts behind routers that translate addresses. */
  readonly nat = new VirtualNat()
  /** The way from one host to another. Replace it to make faults: it is asked for every datagram. */
  path: (from: string, to: string, lane: number) => Path = () => GOOD_PATH
  /** Who listens on the wire: told of every datagram that is sent, and of every one that arrives. */
  onSent: (bytes: Uint8Array, from: string, to: string) => void = () => {}
  onArrived: (bytes: Uint8Array, from: string, to: string) => void = () => {}

  constructor(seed: number) {
    this.#die = dieOf(seed)
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** Adds a host, or starts one anew that died. */
  host(host: string): VirtualHost {
    const inner: Inner = { isAlive: true, stalledUntilMs: 0, wallShiftMs: 0, onDatagram: () => {}, onStream: null }
    this.#hosts.set(host, inner)
    const startedAtMs = this.#nowMs
    const monoStartMs = Math.floor(this.#die() * 1e6)
    const skewMs = Math.floor(this.#die() * 10_000) - 5_000
    const after = (delayMs: number, callback: () => void): (() => void) => {
      const ring = (): void => {
        if (!inner.isAlive) return
        if (inner.stalledUntilMs <= this.#nowMs) callback()
        else cancel = this.#agenda.add(inner.stalledUntilMs, ring)
      }
      let cancel = this.#agenda.add(this.#nowMs + Math.max(0, delayMs), ring)
      return () => cancel()
    }
    return {
      host,
      clock: {
        wallMs: () => START_WALL_MS + skewMs + inner.wallShiftMs + this.#nowMs,
        monoMs: () => monoStartMs + this.#nowMs - startedAtMs,
        after,
      },
      random: randomnessOf(this.#die),
      network: {
        lanes: LANES,
        send: (lane, to, bytes) => inner.isAlive && this.#send(host, lane, to, bytes),
        onDatagram: (listener) => (inner.onDatagram = listener),
        dial: (to, timeoutMs) => this.#dial(host, to, timeoutMs),
        close: async () => void (inner.isAlive = false),
      },
      onStream: (listener) => (inner.onStream = listener),
      die: () => void (inner.isAlive = false),
    }
  }

  /** Somebody sets a host's wall clock, forward or back. */
  shiftWall(host: string, byMs: number): void {
    const inner = this.#hosts.get(host)
    if (inner) inner.wallShiftMs += byMs
  }

  /** Holds a process up: its timers ring late, all at once, and what arrived meanwhile is read only after that. */
  stall(host: string, forMs: number): void {
    const inner = this.#hosts.get(host)
    if (inner) inner.stalledUntilMs = this.#nowMs + forMs
  }

  /** Bytes that a host sent since the world began, in datagrams and in streams. */
  sentBytes(host: string): number {
    return this.#sentBytes.get(host) ?? 0
  }

  #count(host: string, bytes: number): void {
    this.#sentBytes.set(host, this.sentBytes(host) + bytes)
  }

  /** Lets the time pass. */
  async run(forMs: number): Promise<void> {
    await this.runUntil(() => false, forMs, Infinity)
  }

  /** Lets the time pass until something holds, and says how long that took; null when it did not within `withinMs`. */
  async runUntil(holds: () => boolean, withinMs: number, everyMs = 10): Promise<number | null> {
    const startMs = this.#nowMs
    const endMs = startMs + withinMs
    let lookMs = startMs
    for (;;) {
      if (this.#nowMs >= lookMs) {
        await breath()
        if (holds()) return this.#nowMs - startMs
        lookMs = this.#nowMs + everyMs
      }
      const next = this.#agenda.next(Math.min(endMs, lookMs))
      if (!next) {
        if (lookMs >= endMs) break
        this.#nowMs = lookMs
        continue
      }
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.callback()
      if (this.#openStreams > 0 || this.#nowMs - this.#breathMs >= BREATH_MS) {
        this.#breathMs = this.#nowMs
        await breath()
      }
    }
    this.#nowMs = endMs
    return holds() ? withinMs : null
  }

  #send(from: string, lane: number, to: Address, bytes: Uint8Array): void {
    this.sent.datagrams++
    this.sent.bytes += bytes.length
    this.#count(from, bytes.length)
    this.onSent(bytes, from, to.host)
    const source = this.nat.source({ host: from, port: lane === 0 ? PORT : 40_000 + lane }, lane, to.host, this.#nowMs)
    const host = source && this.nat.receiver(from, to, PORT, this.#nowMs)
    const path = host === null ? null : this.path(from, host, lane)
    if (!source || host === null || !path || path.isCut || this.#die() < path.lossRatio) return
    const copies = path.duplicateRatio > 0 && this.#die() < path.duplicateRatio ? 2 : 1
    for (let copy = 0; copy < copies; copy++)
      this.#agenda.add(this.#nowMs + this.#delay(path), () =>
        this.#arrive(host, () => {
          this.onArrived(bytes, from, host)
          this.#hosts.get(host)?.onDatagram(bytes, source)
        }),
      )
  }

  /** Reads what came for a host, if it lives; once it goes on, if it is held up. */
  #arrive(host: string, read: () => void): void {
    const inner = this.#hosts.get(host)
    if (!inner?.isAlive) return
    if (inner.stalledUntilMs <= this.#nowMs) read()
    else this.#agenda.add(inner.stalledUntilMs + READ_AFTER_STALL_MS, () => this.#arrive(host, read))
  }

  #delay(path: Path): number {
    return path.latencyMs + this.#die() * path.jitterMs
  }

  #dial(from: string, to: Address, timeoutMs: number): Promise<ByteStream> {
    return new Promise((resolve, reject) => {
      const [there, back] = [this.path(from, to.host, 0), this.path(to.host, from, 0)]
      const inner = this.#hosts.get(to.host)
      if (there.isCut || back.isCut || !inner?.isAlive || !this.nat.canBeCalled(to.host)) {
        this.#agenda.add(this.#nowMs + timeoutMs, () => reject(new Error('connect ETIMEDOUT')))
        return
      }
      this.#openStreams++
      this.#agenda.add(this.#nowMs + this.#delay(there) + this.#delay(back), () => {
        if (!inner.isAlive || !inner.onStream) {
          this.#openStreams--
          return reject(new Error('connect ECONNREFUSED'))
        }
        const [caller, answerer] = streamPair(this.nat.shown(from), to.host, (shownSender, shownReceiver, atLeastMs, deliver, bytes) => {
          const [sender, receiver] = [this.nat.hostOf(shownSender), this.nat.hostOf(shownReceiver)]
          this.#count(sender, bytes)
          const path = this.path(sender, receiver, 0)
          const atMs = Math.max(atLeastMs, this.#nowMs + this.#delay(path))
          // A stream repeats what gets lost; only a cut stops it.
          if (!path.isCut) this.#agenda.add(atMs, () => this.#arrive(receiver, deliver))
          return atMs
        })
        let isOpen = true
        const closed = (): void => {
          if (isOpen) this.#openStreams--
          isOpen = false
        }
        // Either end: the other one may be dead.
        caller.onClosed(closed)
        answerer.onClosed(closed)
        inner.onStream(answerer.stream)
        resolve(caller.stream)
      })
    })
  }
}

type Inner = {
  isAlive: boolean
  stalledUntilMs: number
  wallShiftMs: number
  onDatagram: (bytes: Uint8Array, from: Address) => void
  onStream: ((stream: ByteStream) => void) | null
}

/** Carries something of so many bytes from one end to the other, in order: not before `atLeastMs`. Answers when it arrives. */
type Carry = (sender: string, receiver: string, atLeastMs: number, deliver: () => void, bytes: number) => number
type End = { readonly stream: ByteStream; onClosed(listener: () => void): void; receive(bytes: Uint8Array): void; close(): void }

/** Both ends of one connection. Ending or destroying either closes both, as TCP sockets without half-open do. */
export function streamPair(callerHost: string, answererHost: string, carry: Carry): [End, End] {
  const ends: End[] = []
  function end(own: string, other: string, otherIndex: number): End {
    let listener: ((bytes: Uint8Array) => void) | null = null
    let isClosed = false
    let lastMs = 0
    let waitingBytes = 0
    const waiting: Uint8Array[] = []
    const onClose: (() => void)[] = []
    const close = (): void => {
      if (isClosed) return
      isClosed = true
      for (const closed of onClose) closed()
    }
    const hangUp = (): void => void (lastMs = carry(own, other, lastMs, () => ends[otherIndex]?.close(), 0))
    const stream: ByteStream = {
      remoteHost: other,
      write: (bytes) => {
        if (isClosed) return
        waitingBytes += bytes.length
        const deliver = (): void => {
          waitingBytes -= bytes.length
          ends[otherIndex]?.receive(bytes)
        }
        lastMs = carry(own, other, lastMs, deliver, bytes.length)
      },
      waitingBytes: () => waitingBytes,
      end: () => {
        hangUp()
        lastMs = carry(own, other, lastMs, close, 0)
      },
      destroy: () => {
        hangUp()
        queueMicrotask(close)
      },
      onData: (to) => {
        listener = to
        for (const bytes of waiting.splice(0)) to(bytes)
      },
      onClose: (closed) => void onClose.push(closed),
    }
    return {
      stream,
      close,
      onClosed: (closed) => void onClose.push(closed),
      receive: (bytes) => {
        if (isClosed) return
        if (listener) listener(bytes)
        else waiting.push(bytes)
      },
    }
  }
  ends.push(end(callerHost, answererHost, 1), end(answererHost, callerHost, 0))
  return ends as [End, End]
}

type Item = { readonly atMs: number; readonly order: number; callback: (() => unknown) | null }

/** What is to happen, in order of time; of one time, in the order it was added. */
class Agenda {
  readonly #heap: Item[] = []
  #order = 0

  add(atMs: number, callback: () => unknown): () => void {
    const item: Item = { atMs, order: this.#order++, callback }
    let at = this.#heap.push(item) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#isBefore(at, parent)) break
      this.#swap(at, parent)
      at = parent
    }
    return () => void (item.callback = null)
  }

  /** Takes out what comes next, if it comes by `untilMs`. */
  next(untilMs: number): { atMs: number; callback: () => unknown } | null {
    for (;;) {
      const first = this.#heap[0]
      if (!first || first.atMs > untilMs) return null
      const last = this.#heap.pop() as Item
      if (this.#heap.length > 0) {
        this.#heap[0] = last
        this.#sink()
      }
      if (first.callback) return { atMs: first.atMs, callback: first.callback }
    }
  }

  #sink(): void {
    for (let at = 0; ;) {
      const [left, right] = [2 * at + 1, 2 * at + 2]
      let least = at
      if (left < this.#heap.length && this.#isBefore(left, least)) least = left
      if (right < this.#heap.length && this.#isBefore(right, least)) least = right
      if (least === at) return
      this.#swap(at, least)
      at = least
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [x, y] = [this.#heap[a], this.#heap[b]]
    return x !== undefined && y !== undefined && (x.atMs < y.atMs || (x.atMs === y.atMs && x.order < y.order))
  }

  #swap(a: number, b: number): void {
    const item = this.#heap[a] as Item
    this.#heap[a] = this.#heap[b] as Item
    this.#heap[b] = item
  }
}

function breath(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** A seeded die in [0, 1): mulberry32. */
export function dieOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export function randomnessOf(die: () => number): Randomness {
  return {
    bytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(die() * 256)),
    int: (below) => (below <= 1 ? 0 : Math.floor(die() * below)),
  }
}

/** The address of a host's grid port. */
export function addressOf(host: string): string {
  return isIPv6(host) ? `[${host}]:${PORT}` : `${host}:${PORT}`
}
