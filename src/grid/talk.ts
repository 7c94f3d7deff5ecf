import { HostPort, splitHostPort, type Identity } from '../contract/index.ts'
import { isIpLiteral, pick, type Address, type Clock, type Network, type Randomness } from '../platform/index.ts'
import { identityBytes } from './keys.ts'
import { MAX_MESSAGE_BYTES, RHYTHM } from './rhythm.ts'
import { LARGEST_ON_LINE_BYTES, type Lines } from './lines.ts'
import type { Row } from './row.ts'
import type { KeyRing } from './ring.ts'
import { createSealer, type Sealer } from './seal.ts'
import { packInto, Spread } from './spread.ts'
import { encodeMessage, encodePacket, type Message } from './wire.ts'

export type TalkOptions = {
  readonly clock: Clock
  readonly random: Randomness
  readonly network: Network
  readonly ring: KeyRing
  readonly self: Identity
  readonly lines: Lines
  /** Do datagrams of others reach this node? */
  hearsDatagrams(): boolean
  /** This node's incarnation as of now. */
  incarnation(): number
  /** Whom news is for. */
  audience(): readonly Identity[]
  /** How many nodes there are: so often is news told. */
  gridSize(): number
}

/** Where a node without an address spoke from is good for so long: routers forget it after 30 s. */
const SOURCE_MS = 25_000

/** How this node speaks: sealed datagrams to where each node was last told to be, or over its line, and news spread by chance. */
export class Talk {
  readonly #options: TalkOptions
  readonly #self: Uint8Array
  readonly #sealer: Sealer
  readonly #spread = new Spread()
  /** Parsed once per row. */
  readonly #addresses = new Map<Identity, Address>()
  /** Of nodes without an address: where their last datagram came from. */
  readonly #sources = new Map<Identity, { readonly address: Address; readonly heardMs: number }>()
  #lane = 0
  #running = false
  #urgent: (() => void) | null = null

  constructor(options: TalkOptions) {
    this.#options = options
    this.#self = identityBytes(options.self)
    this.#sealer = createSealer(options.ring, options.random)
  }

  start(): void {
    this.#running = true
  }

  stop(): void {
    this.#running = false
    this.#urgent?.()
  }

  addressOf(identity: Identity): Address | undefined {
    return this.#addresses.get(identity)
  }

  /** Takes in where a row says that its owner is. */
  locate(row: Row): void {
    const address = row.address === null ? null : HostPort.safeParse(row.address).data
    const { host, port } = address ? splitHostPort(address) : { host: '', port: 0 }
    // Only literals: a name would make every datagram wait for a resolver.
    if (isIpLiteral(host) && port > 0) this.#addresses.set(row.identity, { host, port })
    else this.#addresses.delete(row.identity)
    if (row.address !== null) this.#sources.delete(row.identity)
  }

  /** A node that told no address is answered where it spoke from. One that told an address never: a false source must not turn others' talk away from it. */
  heardFrom(row: Row, address: Address): void {
    if (row.address === null) this.#sources.set(row.identity, { address, heardMs: this.#options.clock.monoMs() })
  }

  /** Is there any way to it? */
  canReach(identity: Identity): boolean {
    return this.#options.lines.has(identity) || (this.#options.hearsDatagrams() && this.#placeOf(identity) !== undefined)
  }

  #placeOf(identity: Identity): Address | undefined {
    const source = this.#sources.get(identity)
    const isFresh = source && this.#options.clock.monoMs() - source.heardMs < SOURCE_MS
    return this.#addresses.get(identity) ?? (isFresh ? source.address : undefined)
  }

  forget(identity: Identity): void {
    this.#addresses.delete(identity)
    this.#sources.delete(identity)
  }

  /** Sends messages to one node: over its line, or each time by the next lane. */
  send(to: Identity, ...messages: readonly Message[]): void {
    this.sendEncoded(to, messages.map(encodeMessage))
  }

  sendEncoded(to: Identity, messages: readonly Uint8Array[]): void {
    if (this.#options.lines.has(to)) return this.#options.lines.send(to, messages)
    this.#lane = (this.#lane + 1) % this.#options.network.lanes
    this.#sendBy(this.#lane, to, messages)
  }

  /** Sends from the listening port: a flow keeps its ports. Never over a line, which would say nothing of the way that datagrams take. */
  sendProbe(to: Identity, payload: Uint8Array): void {
    this.#sendBy(0, to, [encodeMessage({ type: 'probe', payload })])
  }

  /** Sends sealed with every key that anybody may still hold: for news of the key itself. */
  sendByAnyKey(to: Identity, message: Message): void {
    if (this.#options.lines.has(to)) return this.#options.lines.send(to, [encodeMessage(message)])
    const address = this.#placeOf(to)
    if (!this.#running || !address) return
    const packet = this.packet([encodeMessage(message)])
    for (const key of this.#options.ring.accepted()) this.#options.network.send(0, address, this.#sealer.seal(packet, key))
  }

  #sendBy(lane: number, to: Identity, messages: readonly Uint8Array[]): void {
    const address = this.#placeOf(to)
    if (!this.#running || !address) return
    for (const group of packInto(messages, MAX_MESSAGE_BYTES)) {
      this.#options.network.send(lane, address, this.#sealer.seal(this.packet(group)))
    }
  }

  /** The largest message that gets there whole. */
  mostBytes(to: Identity): number {
    return this.#options.lines.has(to) ? LARGEST_ON_LINE_BYTES : MAX_MESSAGE_BYTES
  }

  /** Encoded messages as a packet of this node. */
  packet(messages: readonly Uint8Array[]): Uint8Array {
    return encodePacket(this.#self, this.#options.incarnation(), messages)
  }

  // ── News ──

  /** Something that everyone should hear: told by each about log2(n) times, unless given. Newer news of the same key takes its place. */
  tell(key: string, messages: readonly Uint8Array[], sends = Math.ceil(Math.log2(this.#options.gridSize() + 1)) + 1): void {
    this.#spread.add(key, messages, sends)
    this.#options.lines.tell(key, messages)
  }

  /** Tells news without waiting for the round; a few in a row go together. Repeats, since one telling misses some by chance. */
  soon(delayMs: number = RHYTHM.urgentMs, repeats = 2): void {
    if (this.#urgent || !this.#running) return
    this.#urgent = this.#options.clock.after(delayMs, () => {
      this.#urgent = null
      this.now(pick(this.#options.random, this.#options.audience(), RHYTHM.fanout))
      if (repeats > 0) this.soon(RHYTHM.urgentAgainMs, repeats - 1)
    })
  }

  /** Tells news to these at once. */
  now(peers: readonly Identity[]): void {
    for (const peer of peers) {
      if (this.#spread.isEmpty) return
      this.sendEncoded(peer, this.#spread.take(MAX_MESSAGE_BYTES * 4))
    }
  }

  /** One gossip round: news to a few, and to one of them the summary of all rows. */
  round(summary: Message): void {
    this.#options.lines.sendAll([encodeMessage(summary)])
    const [first, ...rest] = pick(this.#options.random, this.#options.audience(), RHYTHM.fanout)
    if (first) this.sendEncoded(first, [encodeMessage(summary), ...this.#spread.take(MAX_MESSAGE_BYTES * 2)])
    this.now(rest)
  }
}
