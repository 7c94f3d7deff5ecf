import { decode, encode } from 'cborg'
import { z } from 'zod'
import { LIMITS, type Identity } from '../contract/index.ts'
import { pick, type Address, type Clock, type Randomness } from '../platform/index.ts'
import { identityOf, verifierOf, type KeyName, type NodeKeys } from './keys.ts'
import type { GridCounters } from './ports.ts'
import { RHYTHM } from './rhythm.ts'
import { inContext } from './row.ts'
import { packInto } from './spread.ts'
import type { SealedStream } from './stream.ts'

export const LINES = {
  /** A node that can only call out keeps so many open: with two, one can break or move without anybody missing it. */
  kept: 2,
  tickMs: 500,
  /** A line on which nothing came for so long is broken: each end says something in every gossip round. */
  silentMs: 2_500,
  /** After a call that failed the same node is called again after so long, then after twice as long, and so on. */
  retryMs: 1_000,
  retryMostMs: 60_000,
  /** At most so long while there is no line at all. */
  retryAloneMs: 5_000,
  /** Who lost the line of a node asks for that node for so long. */
  missedForMs: 10_000,
  /** A line of a node whose row did not come, or sealed with a key that was replaced, lasts for so long: time enough to open a new one. */
  graceMs: 5_000,
  /** A tick so late shows that this process was held up; what came meanwhile was not read yet. */
  stallMs: 150,
} as const

/** A packet on a line: far below a frame, and many times a datagram. */
const LINE_PACKET_BYTES = 65_536
/** A message that goes alone, since nothing else would fit beside it. */
export const LARGEST_ON_LINE_BYTES = LIMITS.frameBytes - 1_024

/** A node that could be called. */
export type Holder = { readonly identity: Identity; readonly address: Address; readonly site: string }

type Line = {
  readonly identity: Identity
  readonly sealed: SealedStream
  /** This node called. */
  readonly isOurs: boolean
  readonly site: string
  /** Name of the grid key that it was sealed with. */
  readonly key: KeyName
  heardMs: number
  /** Since when it may not stay; null while it may. */
  unwantedMs: number | null
  /** What everyone should hear, until the next flush. */
  readonly news: Map<string, readonly Uint8Array[]>
}

export type LinesOptions = {
  readonly clock: Clock
  readonly random: Randomness
  readonly keys: NodeKeys
  readonly counters: GridCounters
  /** Can nobody call this node? Then it needs lines. */
  callsOut(): boolean
  /** Name of the grid key, as of now. */
  keyName(): KeyName
  isMember(identity: Identity): boolean
  /** Nodes that may hold a line of this one, the likely ones only. */
  holders(): readonly Holder[]
  /** Opens a sealed stream for a line. */
  open(address: Address): Promise<SealedStream | null>
  /** Messages as a packet of this node. */
  packet(messages: readonly Uint8Array[]): Uint8Array
  onPacket(from: Identity, packet: Uint8Array, key: KeyName): void
  /** This node opened one: it can be heard, maybe again. */
  onOpened(): void
  /** The line of a node broke or fell silent, and it has not opened another one here. */
  onMissing(identity: Identity): void
}

/**
 * Streams that stay open, for nodes that can only call out: what others would send them in datagrams comes over those, and what they say goes
 * out over those where no datagram passes. Both ends prove who they are, or whoever is in the grid could take another's line over:
 *
 *   both, first: [public key, signature of the stream's binding and of which end this is]
 *   both, then:  packets, as datagrams have them
 *
 * A line loses nothing and repeats nothing, so each piece of news goes over it once, and not back to where it came from.
 */
export class Lines {
  readonly #options: LinesOptions
  readonly #lines = new Map<Identity, Line>()
  /** Being called, with their sites. */
  readonly #calling = new Map<Identity, string>()
  readonly #failed = new Map<Identity, { times: number; atMs: number }>()
  readonly #missing = new Map<Identity, number>()
  /** Callers that have yet to say who they are. */
  #greeting = 0
  /** Whose packet is being read now. */
  #hearing: Line | null = null
  #flushing: (() => void) | null = null
  #tickedMs: number | null = null
  #stopped = false

  constructor(options: LinesOptions) {
    this.#options = options
  }

  has(identity: Identity): boolean {
    return this.#lines.has(identity)
  }

  stop(): void {
    this.#stopped = true
    this.#flushing?.()
    this.reset()
  }

  /** Closes all lines; those that this node needs it opens anew. */
  reset(): void {
    for (const line of this.#lines.values()) line.sealed.destroy()
    this.#lines.clear()
    this.#missing.clear()
  }

  forget(identity: Identity): void {
    this.#failed.delete(identity)
    this.#missing.delete(identity)
    this.#lines.get(identity)?.sealed.destroy()
  }

  // ── Speaking ──

  /** Sends encoded messages over the line of a node. What its reader is too slow for is dropped: comparisons mend that. */
  send(to: Identity, messages: readonly Uint8Array[]): void {
    const line = this.#lines.get(to)
    if (line) this.#write(line, messages)
  }

  /** Sends the same over all lines: also what keeps them alive. */
  sendAll(messages: readonly Uint8Array[]): void {
    for (const line of this.#lines.values()) this.#write(line, messages)
  }

  /** Something that everyone should hear, in a moment. */
  tell(key: string, messages: readonly Uint8Array[]): void {
    if (this.#lines.size === 0 || this.#stopped) return
    for (const line of this.#lines.values()) {
      if (line === this.#hearing) continue
      line.news.delete(key)
      if (line.news.size >= LIMITS.rumours) {
        line.news.delete(line.news.keys().next().value as string)
        this.#options.counters.lineNewsDropped++
      }
      line.news.set(key, messages)
    }
    this.#flushing ??= this.#options.clock.after(RHYTHM.urgentMs, () => this.#flush())
  }

  #flush(): void {
    this.#flushing = null
    for (const line of this.#lines.values()) {
      const messages = [...line.news.values()].flat()
      line.news.clear()
      this.#write(line, messages)
    }
  }

  #write(line: Line, messages: readonly Uint8Array[]): void {
    const large = messages.filter((message) => message.length > LINE_PACKET_BYTES && message.length <= LARGEST_ON_LINE_BYTES)
    for (const group of [...packInto(messages, LINE_PACKET_BYTES), ...large.map((message) => [message])]) {
      const packet = this.#options.packet(group)
      if (line.sealed.waitingBytes() + packet.length > LIMITS.lineWaitingBytes) this.#options.counters.lineNewsDropped += group.length
      else line.sealed.send(packet)
    }
  }

  // ── Opening ──

  /** A node called for a line. */
  async answer(sealed: SealedStream): Promise<void> {
    // Those that have not greeted yet count too, or many at once would all find room.
    const theirs = [...this.#lines.values()].filter((line) => !line.isOurs).length + this.#greeting
    this.#greeting++
    const identity = theirs < LIMITS.lines ? await this.#greeted(sealed, 'caller') : null
    this.#greeting--
    if (identity === null || this.#stopped) {
      this.#options.counters.linesRefused++
      return sealed.destroy()
    }
    this.#greet(sealed, 'answerer')
    await this.#listen(this.#line(identity, sealed, false, ''))
  }

  async #call({ identity, address, site }: Holder): Promise<void> {
    this.#calling.set(identity, site)
    const sealed = await this.#options.open(address)
    if (sealed) this.#greet(sealed, 'caller')
    const found = sealed && (await this.#greeted(sealed, 'answerer'))
    this.#calling.delete(identity)
    if (!sealed || !found || this.#stopped) {
      const times = (this.#failed.get(identity)?.times ?? 0) + 1
      this.#failed.set(identity, { times, atMs: this.#nowMs() })
      return sealed?.destroy()
    }
    this.#failed.delete(identity)
    const listening = this.#listen(this.#line(found, sealed, true, site))
    this.#options.onOpened()
    await listening
  }

  #line(identity: Identity, sealed: SealedStream, isOurs: boolean, site: string): Line {
    return { identity, sealed, isOurs, site, key: this.#options.keyName(), heardMs: this.#nowMs(), unwantedMs: null, news: new Map() }
  }

  #greet(sealed: SealedStream, end: End): void {
    const { publicKey, sign } = this.#options.keys
    sealed.send(encode([publicKey, sign(proofOf(sealed, end))]))
  }

  /** Who is at the other end; null when it does not prove it. */
  async #greeted(sealed: SealedStream, end: End): Promise<Identity | null> {
    const frame = await sealed.receive()
    try {
      const [publicKey, signature] = Greeting.parse(frame && decode(frame))
      const identity = identityOf(publicKey)
      return identity !== this.#options.keys.identity && verifierOf(publicKey)(proofOf(sealed, end), signature) ? identity : null
    } catch {
      return null
    }
  }

  async #listen(line: Line): Promise<void> {
    const { identity, sealed } = line
    const before = this.#lines.get(identity)
    this.#lines.set(identity, line)
    this.#missing.delete(identity)
    before?.sealed.destroy()
    for (let packet = await sealed.receive(); packet; packet = await sealed.receive()) {
      if (this.#lines.get(identity) !== line) break
      line.heardMs = this.#nowMs()
      this.#hearing = line
      this.#options.onPacket(identity, packet, line.key)
      this.#hearing = null
    }
    sealed.destroy()
    if (this.#lines.get(identity) !== line || this.#stopped) return
    this.#lines.delete(identity)
    this.#missing.set(identity, this.#nowMs())
    if (line.isOurs) this.#failed.set(identity, { times: 1, atMs: this.#nowMs() })
  }

  // ── Keeping ──

  /** Time passes: silent lines end, missing nodes are asked for, and this node opens what it needs. To be called every `tickMs`. */
  tick(): void {
    const nowMs = this.#nowMs()
    const lateMs = this.#tickedMs === null ? 0 : nowMs - this.#tickedMs - LINES.tickMs
    this.#tickedMs = nowMs
    for (const line of this.#lines.values()) {
      if (lateMs > LINES.stallMs) line.heardMs = Math.min(nowMs, line.heardMs + lateMs)
      const mayStay = this.#isCurrent(line) && this.#options.isMember(line.identity)
      line.unwantedMs = mayStay ? null : (line.unwantedMs ?? nowMs)
      const isUnwanted = line.unwantedMs !== null && nowMs - line.unwantedMs > LINES.graceMs
      if (isUnwanted || nowMs - line.heardMs > LINES.silentMs) line.sealed.destroy()
    }
    for (const [identity, sinceMs] of this.#missing) {
      if (nowMs - sinceMs > LINES.missedForMs) this.#missing.delete(identity)
      else this.#options.onMissing(identity)
    }
    if (this.#options.callsOut()) this.#fill()
  }

  #isCurrent(line: Line): boolean {
    return line.key === this.#options.keyName()
  }

  #fill(): void {
    const ours = [...this.#lines.values()].filter((line) => line.isOurs && this.#isCurrent(line))
    if (ours.length + this.#calling.size >= LINES.kept) return
    const open = new Set(ours.map((line) => line.identity))
    const free = this.#options
      .holders()
      .filter(({ identity }) => !open.has(identity) && !this.#calling.has(identity) && this.#mayCall(identity))
    // One site may go dark as a whole.
    const sites = new Set([...ours.map((line) => line.site), ...this.#calling.values()])
    const elsewhere = free.filter(({ site }) => !sites.has(site))
    const [holder] = pick(this.#options.random, elsewhere.length > 0 ? elsewhere : free, 1)
    if (holder) void this.#call(holder)
  }

  #mayCall(identity: Identity): boolean {
    const failed = this.#failed.get(identity)
    if (!failed) return true
    const mostMs = this.#lines.size === 0 ? LINES.retryAloneMs : LINES.retryMostMs
    return this.#nowMs() - failed.atMs >= Math.min(mostMs, LINES.retryMs * 2 ** (failed.times - 1))
  }

  #nowMs(): number {
    return this.#options.clock.monoMs()
  }
}

const CONTEXT = 'midwatch line 1'
type End = 'caller' | 'answerer'
const bytes = (length: number) => z.instanceof(Uint8Array).refine((value) => value.length === length)
const Greeting = z.tuple([bytes(32), bytes(64)])

/** What a node signs: this stream and no other, and which end it is, or a greeting could be sent back as one's own. */
function proofOf(sealed: SealedStream, end: End): Uint8Array {
  return inContext(CONTEXT, encode([sealed.binding, end]))
}
