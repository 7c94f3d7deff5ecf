import { createHash } from 'node:crypto'
import { HostPort, LIMITS, splitHostPort, type Degraded, type Identity } from '../contract/index.ts'
import { formatAddress, isIpLiteral, pick, type Address, type ByteStream } from '../platform/index.ts'
import { answerExchange, callExchange, compare } from './exchange.ts'
import { identityBytes } from './keys.ts'
import { Members, type MemberView } from './members.ts'
import { PartsInbox, rowMessages } from './parts.ts'
import type { GridCounters, GridOptions } from './ports.ts'
import { signPulse, signRow, type LinkClaim, type Pulse, type Row, type Signed } from './row.ts'
import { createOpener, createSealer, SEAL_OVERHEAD_BYTES, type Session } from './seal.ts'
import { packInto, Spread } from './spread.ts'
import { answerSealed, callSealed, type SealedStream, type StreamMode } from './stream.ts'
import { beatOf, compareVersions, RowTable, type Entry } from './table.ts'
import { decodePacket, encodeMessage, encodePacket, PACKET_OVERHEAD_BYTES, type Message } from './wire.ts'

/** The rhythm of the grid. Each is a trade between how fast all agree and what it costs when nothing happens. */
export const RHYTHM = {
  /** One gossip round: summary and news to `fanout` peers. */
  roundMs: 1_000,
  fanout: 3,
  /** A node's heartbeat and figures. Its row counts as stale after `staleAfterMs` without. */
  pulseMs: 5_000,
  staleAfterMs: 20_000,
  /** News that should not wait for the round is collected for so long. */
  urgentMs: 15,
  /** Between one urgent telling and the next. */
  urgentAgainMs: 120,
  /** A full exchange with one peer. */
  exchangeMs: 60_000,
  /** How often one node that is down is called, so that two halves find each other again. */
  reunionMs: 5_000,
  /** How often the seeds are called while nobody is there. */
  seedMs: 1_000,
  /** Versions are compared with one peer at most so often. */
  compareMs: 400,
  /** How long a go-between and the direct check have for an answer. */
  askMs: 350,
  tickMs: 100,
  /** The row of a node that said goodbye is kept for so long, so that nobody brings it back. */
  forgetLeftMs: 3_600_000,
} as const

const MAX_MESSAGE_BYTES = LIMITS.datagramBytes - SEAL_OVERHEAD_BYTES - PACKET_OVERHEAD_BYTES
const STREAM_DIAL_MS = 2_000

/**
 * One node's part in the grid: its own row, everyone else's, who is alive, and the talk that keeps all nodes' tables the same.
 * A state machine over clock, randomness and network, so that a simulator can run it unchanged.
 */
export class Grid {
  readonly table = new RowTable()
  readonly counters: GridCounters = {
    packetsOpened: 0,
    refusedMalformed: 0,
    refusedTooManySessions: 0,
    refusedNotAuthentic: 0,
    refusedReplayed: 0,
    refusedStale: 0,
    messagesUnreadable: 0,
    rowsNew: 0,
    rowsRefused: 0,
    pulsesNew: 0,
    rumours: 0,
    exchangesCalled: 0,
    exchangesAnswered: 0,
    exchangesFailed: 0,
    streamsRefused: 0,
  }
  readonly #options: GridOptions
  readonly #self: Identity
  readonly #selfBytes: Uint8Array
  readonly #members: Members
  readonly #spread = new Spread()
  readonly #parts = new PartsInbox()
  readonly #sealer
  readonly #opener
  readonly #hint: Uint8Array
  /** Where each node was last told to be. Parsed once per row. */
  readonly #addresses = new Map<Identity, Address>()
  /** Questions on their way: what to do when the ack comes. */
  readonly #asked = new Map<number, () => void>()
  readonly #checking = new Set<Identity>()
  readonly #comparedMs = new Map<Identity, number>()
  #row: Row
  #beat = 0
  #figures: Pulse['figures'] = []
  #lane = 0
  #streams = 0
  #urgent: (() => void) | null = null
  #timers: (() => void)[] = []
  #running = false
  #callingSeeds = false

  constructor(options: GridOptions) {
    this.#options = options
    this.#self = options.keys.identity
    this.#selfBytes = identityBytes(this.#self)
    this.#sealer = createSealer(options.gridKey, options.random)
    this.#opener = createOpener(options.gridKey, options.clock)
    this.#hint = createHash('sha256').update('midwatch grid key').update(options.gridKey).digest().subarray(0, 8)
    this.#row = {
      identity: this.#self,
      publicKey: options.keys.publicKey,
      incarnation: options.incarnation,
      version: 0,
      ...options.card,
      left: false,
      degraded: [],
      links: [],
    }
    this.#members = new Members({
      self: this.#self,
      clock: options.clock,
      onChange: (change) => options.onEvent({ type: 'member', ...change }),
      onAccusation: (subject) => this.#tellRumour(subject),
      onSuspicion: (subject) => this.#ask(subject, [subject], 2),
    })
  }

  get self(): Identity {
    return this.#self
  }

  /** Begins to speak. Before, a call of `meet` may have taught it a newer incarnation. */
  start(): void {
    this.#running = true
    this.#options.network.onDatagram((bytes) => this.#receive(bytes))
    this.#publishRow()
    this.#publishPulse()
    this.#repeat(RHYTHM.tickMs, () => this.#members.tick())
    this.#repeat(RHYTHM.roundMs, () => this.#round())
    this.#repeat(RHYTHM.pulseMs, () => this.#publishPulse())
    this.#repeat(RHYTHM.reunionMs, () => this.#reunion())
    this.#repeat(RHYTHM.seedMs, () => void this.#callSeeds())
    this.#repeat(RHYTHM.exchangeMs, () => this.#exchangeWithOne())
  }

  stop(): void {
    this.#running = false
    for (const cancel of this.#timers) cancel()
    this.#timers = []
    this.#urgent?.()
  }

  /** Says goodbye: the last row tells that it left. Give the datagrams a moment before closing the network. */
  leave(): void {
    this.#row = { ...this.#row, left: true, links: [] }
    this.#publishRow()
    this.#flush(this.#members.others('up', 'suspect'))
  }

  /** Exchanges everything with whoever answers at an address. Also how a node joins. */
  async meet(address: Address): Promise<boolean> {
    const sealed = await this.#call(address)
    if (!sealed) return false
    const done = await callExchange(sealed, this.#exchangePort())
    this.counters[done ? 'exchangesCalled' : 'exchangesFailed']++
    if (done) this.#options.onSeenAs(done.seenAs)
    return done !== null
  }

  /** Sets what this node says of its links. A new version goes out only when something changed. */
  setLinks(links: readonly LinkClaim[], degraded: readonly Degraded[]): void {
    const isSame = JSON.stringify([links, degraded]) === JSON.stringify([this.#row.links, this.#row.degraded])
    if (isSame) return
    if (degraded.join() !== this.#row.degraded.join()) this.#options.onEvent({ type: 'degraded', reasons: degraded })
    this.#row = { ...this.#row, links, degraded }
    if (this.#running) this.#publishRow()
  }

  /** Sets the figures that the next pulse tells, in the order of the links. */
  setFigures(figures: Pulse['figures']): void {
    this.#figures = figures
  }

  setAddress(address: string): void {
    if (address === this.#row.address) return
    this.#row = { ...this.#row, address }
    if (this.#running) this.#publishRow()
  }

  get row(): Row {
    return this.#row
  }

  member(identity: Identity): MemberView | undefined {
    return this.#members.get(identity)
  }

  /** Nodes to be probed: all that are known and have not left. */
  peers(): Identity[] {
    return this.#members.others('up', 'suspect', 'down').filter((identity) => this.#addresses.has(identity))
  }

  get isIsolated(): boolean {
    return this.#members.isIsolated()
  }

  /** Sends one probe packet, from the listening port: a flow keeps its ports. */
  sendProbe(to: Identity, payload: Uint8Array): void {
    const address = this.#addresses.get(to)
    if (address) this.#sendTo(address, [encodeMessage({ type: 'probe', payload })], 0)
  }

  /** A peer left probes unanswered: ask go-betweens, as SWIM does. */
  unanswered(identity: Identity): void {
    if (!this.#members.isWorthAsking(identity)) return
    const goBetweens = pick(
      this.#options.random,
      this.#members.others('up').filter((other) => other !== identity),
      3,
    )
    this.#ask(identity, goBetweens, 1)
  }

  /** A caller on the grid's TCP port. `join` handles callers with an invitation. */
  async accept(
    stream: ByteStream,
    join: { keyOf(hint: Uint8Array): Uint8Array | null; answer(hint: Uint8Array, stream: SealedStream): Promise<void> },
  ): Promise<void> {
    if (this.#streams >= LIMITS.streams) {
      this.counters.streamsRefused++
      stream.destroy()
      return
    }
    this.#streams++
    stream.onClose(() => this.#streams--)
    const secretOf = (mode: StreamMode, hint: Uint8Array): Uint8Array | null =>
      mode === 1 ? join.keyOf(hint) : Buffer.compare(hint, this.#hint) === 0 ? this.#options.gridKey : null
    const caller = await answerSealed(stream, secretOf, this.#options.clock)
    if (!caller) this.counters.streamsRefused++
    else if (caller.mode === 1) await join.answer(caller.hint, caller.sealed)
    else this.counters[(await answerExchange(caller.sealed, this.#exchangePort())) ? 'exchangesAnswered' : 'exchangesFailed']++
  }

  /** Merges a row that comes from elsewhere: a peer, or this node's own disk. */
  applyRow(signed: Signed): void {
    const result = this.table.apply(signed, this.#options.clock.monoMs())
    if (result.outcome === 'refused') this.counters.rowsRefused++
    if (result.outcome === 'forked') {
      const { row } = result.entry
      this.#options.onEvent({ type: 'forked', identity: row.identity, incarnation: row.incarnation, version: row.version })
      if (result.replaced) this.#learned(result.entry, null)
    }
    if (result.outcome === 'new') this.#learned(result.entry, result.before)
  }

  #learned(entry: Entry, before: Row | null): void {
    const { row } = entry
    this.counters.rowsNew++
    if (row.identity === this.#self) {
      // Our own row from a start that this one has no memory of. Go beyond it, or nobody will believe us.
      if (row.incarnation >= this.#row.incarnation) this.#outlive(row.incarnation)
      return
    }
    this.#locate(row)
    this.#members.admit(row.identity)
    if (row.left) this.#members.left(row.identity)
    else if (before?.left) this.#members.returned(row.identity)
    this.#tell(`row:${row.identity}`, rowMessages(row.identity, row, entry.signed, MAX_MESSAGE_BYTES))
    this.#options.onEvent({ type: 'row', identity: row.identity })
    this.#soon()
  }

  #forgetLeft(): void {
    const now = this.#options.clock.monoMs()
    for (const { row, heardMs } of this.table.entries()) {
      if (!row.left || now - heardMs < RHYTHM.forgetLeftMs) continue
      this.table.forget(row.identity)
      this.#members.forget(row.identity)
      this.#addresses.delete(row.identity)
      this.#options.onEvent({ type: 'row', identity: row.identity })
    }
  }

  #outlive(incarnation: number): void {
    this.#options.reserveIncarnation(incarnation + 1)
    this.#row = { ...this.#row, incarnation: incarnation + 1, version: 0 }
    this.#beat = 0
    if (this.#running) {
      this.#publishRow()
      this.#publishPulse()
    }
  }

  #locate(row: Row): void {
    const address = row.address === null ? null : HostPort.safeParse(row.address).data
    const { host, port } = address ? splitHostPort(address) : { host: '', port: 0 }
    // Only literals: a name would make every datagram wait for a resolver.
    if (isIpLiteral(host) && port > 0) this.#addresses.set(row.identity, { host, port })
    else this.#addresses.delete(row.identity)
  }

  #applyPulse(signed: Signed): void {
    const entry = this.table.applyPulse(signed, this.#options.clock.monoMs())
    if (!entry || entry.row.identity === this.#self) return
    this.counters.pulsesNew++
    const { identity } = entry.row
    this.#members.alive(identity)
    this.#tell(`pulse:${identity}`, [encodeMessage({ type: 'pulse', ...signed })])
    this.#options.onEvent({ type: 'pulse', identity })
  }

  #publishRow(): void {
    this.#row = { ...this.#row, version: this.#row.version + 1 }
    const signed = signRow(this.#row, this.#options.keys)
    this.table.apply(signed, this.#options.clock.monoMs())
    this.#tell(`row:${this.#self}`, rowMessages(this.#self, this.#row, signed, MAX_MESSAGE_BYTES))
    this.#options.onEvent({ type: 'row', identity: this.#self })
    this.#soon()
  }

  #publishPulse(): void {
    const { incarnation, version } = this.#row
    const pulse: Pulse = { identity: this.#self, incarnation, beat: ++this.#beat, version, figures: this.#figures }
    const signed = signPulse(pulse, this.#options.keys)
    this.table.applyPulse(signed, this.#options.clock.monoMs())
    this.#tell(`pulse:${this.#self}`, [encodeMessage({ type: 'pulse', ...signed })])
  }

  // ── Talk ──

  #tell(key: string, messages: readonly Uint8Array[] | null): void {
    // A row too long even for parts waits for the comparison of versions, which leads to a stream.
    if (messages) this.#spread.add(key, messages, this.table.size)
  }

  /** Tells news without waiting for the round; a few in a row go together. Repeats, since one telling misses some by chance. */
  #soon(delayMs: number = RHYTHM.urgentMs, repeats = 2): void {
    if (this.#urgent || !this.#running) return
    this.#urgent = this.#options.clock.after(delayMs, () => {
      this.#urgent = null
      this.#flush(pick(this.#options.random, this.#members.others('up', 'suspect'), RHYTHM.fanout))
      if (repeats > 0) this.#soon(RHYTHM.urgentAgainMs, repeats - 1)
    })
  }

  #round(): void {
    const peers = pick(this.#options.random, this.#members.others('up', 'suspect'), RHYTHM.fanout)
    const summary = encodeMessage({ type: 'summary', hash: this.table.hash() })
    const [first, ...rest] = peers
    if (first) this.#talk(first, [summary, ...this.#spread.take(MAX_MESSAGE_BYTES * 2)])
    this.#flush(rest)
  }

  #flush(peers: readonly Identity[]): void {
    for (const peer of peers) {
      if (this.#spread.isEmpty) return
      this.#talk(peer, this.#spread.take(MAX_MESSAGE_BYTES * 4))
    }
  }

  #talk(to: Identity, messages: readonly Uint8Array[]): void {
    const address = this.#addresses.get(to)
    if (address && messages.length > 0) this.#sendTo(address, messages, this.#nextLane())
  }

  #sendTo(address: Address, messages: readonly Uint8Array[], lane: number): void {
    for (const group of packInto(messages, MAX_MESSAGE_BYTES)) {
      this.#options.network.send(lane, address, this.#sealer.seal(encodePacket(this.#selfBytes, this.#row.incarnation, group)))
    }
  }

  #nextLane(): number {
    this.#lane = (this.#lane + 1) % this.#options.network.lanes
    return this.#lane
  }

  // ── Listening ──

  #receive(bytes: Uint8Array): void {
    if (!this.#running) return
    const opened = this.#opener.open(bytes)
    if (!opened.ok) {
      this.counters[REFUSALS[opened.why]]++
      return
    }
    const packet = decodePacket(opened.plain)
    if (!packet || packet.sender === this.#self || !this.#ownsSession(opened.session, packet.sender, packet.incarnation)) {
      this.counters.refusedStale++
      return
    }
    this.counters.packetsOpened++
    this.counters.messagesUnreadable += packet.unreadable
    this.#members.heard(packet.sender)
    for (const message of packet.messages) this.#handle(packet.sender, message)
  }

  /** A session speaks for one start of one node; what an earlier start said is old, and could be a replay. */
  #ownsSession(session: Session, sender: Identity, incarnation: number): boolean {
    session.owner ??= sender
    const known = this.table.get(sender)
    return session.owner === sender && (!known || incarnation >= known.row.incarnation)
  }

  #handle(from: Identity, message: Message): void {
    switch (message.type) {
      case 'probe':
        return this.#options.onProbe(from, message.payload)
      case 'ping':
        return this.#talk(from, [encodeMessage({ type: 'ack', nonce: message.nonce })])
      case 'ack': {
        const answered = this.#asked.get(message.nonce)
        return answered?.()
      }
      case 'ping-req':
        return this.#pingFor(from, message.subject, message.nonce)
      case 'rumour':
        return this.#heardRumour(message)
      case 'summary':
        if (Buffer.compare(message.hash, this.table.hash()) !== 0) this.#sendVersions(from)
        return
      case 'versions':
        return this.#compareVersions(from, message)
      case 'want':
        for (const identity of message.identities) this.#sendRow(from, identity)
        return
      case 'row':
        return this.applyRow(message)
      case 'row-part': {
        const signed = this.#parts.add(message)
        if (signed) this.applyRow(signed)
        return
      }
      case 'pulse':
        return this.#applyPulse(message)
    }
  }

  // ── Comparing tables ──

  #mayCompare(peer: Identity): boolean {
    const now = this.#options.clock.monoMs()
    const last = this.#comparedMs.get(peer)
    if (last !== undefined && now - last < RHYTHM.compareMs) return false
    this.#comparedMs.set(peer, now)
    return true
  }

  #sendVersions(to: Identity): void {
    if (!this.#mayCompare(to)) return
    const entries = this.table.versions()
    const { membersPerDatagram } = LIMITS
    const lowest = '0'.repeat(32) as Identity
    const highest = 'f'.repeat(32) as Identity
    for (let at = 0; at === 0 || at < entries.length; at += membersPerDatagram) {
      const slice = entries.slice(at, at + membersPerDatagram)
      // The slices together cover all identities there could be, so that what is missing in one is missing here.
      const first = at === 0 ? lowest : (slice[0]?.identity as Identity)
      const next = entries[at + membersPerDatagram]?.identity
      const last = next === undefined ? highest : before(next)
      this.#talk(to, [encodeMessage({ type: 'versions', first, last, entries: slice })])
    }
  }

  #compareVersions(from: Identity, message: Extract<Message, { type: 'versions' }>): void {
    const { newer, wanted } = compare(this.table, message.entries, message)
    for (const identity of newer) this.#sendRow(from, identity)
    if (wanted.length > 0) this.#talk(from, [encodeMessage({ type: 'want', identities: wanted })])
  }

  #sendRow(to: Identity, identity: Identity): void {
    const entry = this.table.get(identity)
    if (!entry) return
    const messages = rowMessages(identity, entry.row, entry.signed, MAX_MESSAGE_BYTES)
    if (messages) this.#talk(to, messages)
    else {
      const address = this.#addresses.get(to)
      if (address && this.#mayCompare(to)) void this.meet(address)
    }
  }

  // ── Is it alive? ──

  #heardRumour(rumour: Extract<Message, { type: 'rumour' }>): void {
    this.counters.rumours++
    if (rumour.subject === this.#self) {
      // A newer beat refutes it, here and everywhere.
      if (rumour.incarnation === this.#row.incarnation && rumour.beat >= this.#beat) {
        this.#publishPulse()
        this.#soon()
      }
      return
    }
    const entry = this.table.get(rumour.subject)
    if (!entry) return
    const isCurrent =
      compareVersions(
        { incarnation: entry.row.incarnation, version: beatOf(entry) },
        { incarnation: rumour.incarnation, version: rumour.beat },
      ) <= 0
    if (!this.#members.rumour(rumour, isCurrent)) return
    this.#tell(`rumour:${rumour.subject}:${rumour.accuser}`, [encodeMessage(rumour)])
    this.#soon()
  }

  #tellRumour(subject: Identity): void {
    const entry = this.table.get(subject)
    if (!entry) return
    const rumour: Message = { type: 'rumour', subject, incarnation: entry.row.incarnation, beat: beatOf(entry), accuser: this.#self }
    this.#tell(`rumour:${subject}:${this.#self}`, [encodeMessage(rumour)])
    this.#soon()
  }

  /** Asks `subject` through each of `via` (itself, for a direct ping), `tries` times; without an answer this node accuses it. */
  #ask(subject: Identity, via: readonly Identity[], tries: number): void {
    if (this.#checking.has(subject)) return
    this.#checking.add(subject)
    const nonce = this.#options.random.int(0xffff_ffff)
    const attempt = (left: number): void => {
      for (const peer of via) {
        this.#talk(peer, [encodeMessage(peer === subject ? { type: 'ping', nonce } : { type: 'ping-req', nonce, subject })])
      }
      cancel = this.#options.clock.after(RHYTHM.askMs * (via[0] === subject ? 1 : 1.5), () => {
        if (left > 1) return attempt(left - 1)
        this.#asked.delete(nonce)
        this.#checking.delete(subject)
        if (this.#running) this.#members.accuse(subject)
      })
    }
    let cancel = (): void => {}
    this.#asked.set(nonce, () => {
      cancel()
      this.#asked.delete(nonce)
      this.#checking.delete(subject)
      this.#members.alive(subject)
    })
    attempt(tries)
  }

  #pingFor(asker: Identity, subject: Identity, nonce: number): void {
    // Each costs memory for a moment; a flood of them must not.
    if (this.#asked.size >= LIMITS.rumours || !this.#addresses.has(subject)) return
    const own = this.#options.random.int(0xffff_ffff)
    const cancel = this.#options.clock.after(RHYTHM.askMs, () => this.#asked.delete(own))
    this.#asked.set(own, () => {
      cancel()
      this.#asked.delete(own)
      this.#talk(asker, [encodeMessage({ type: 'ack', nonce })])
    })
    this.#talk(subject, [encodeMessage({ type: 'ping', nonce: own })])
  }

  // ── Streams ──

  async #call(address: Address): Promise<SealedStream | null> {
    try {
      const stream = await this.#options.network.dial(address, STREAM_DIAL_MS)
      return await callSealed(stream, 0, this.#hint, this.#options.gridKey, this.#options.clock)
    } catch {
      return null
    }
  }

  #exchangePort(): { table: RowTable; applyRow(signed: Signed): void; applyPulse(signed: Signed): void } {
    return { table: this.table, applyRow: (signed) => this.applyRow(signed), applyPulse: (signed) => this.#applyPulse(signed) }
  }

  #exchangeWithOne(): void {
    const [peer] = pick(this.#options.random, this.#members.others('up'), 1)
    const address = peer && this.#addresses.get(peer)
    if (address) void this.meet(address)
  }

  /** Says to a node that is down what there is to know; if it lives it will answer. */
  #reunion(): void {
    this.#forgetLeft()
    const [lost] = pick(this.#options.random, this.#members.others('down'), 1)
    if (lost) this.#talk(lost, [encodeMessage({ type: 'summary', hash: this.table.hash() })])
  }

  async #callSeeds(): Promise<void> {
    const isAlone = this.#members.others('up', 'suspect').length === 0 || this.#members.isIsolated()
    if (!isAlone || this.#callingSeeds) return
    this.#callingSeeds = true
    const seeds = (await this.#options.seeds()).filter((seed) => !this.#isSelf(seed))
    await Promise.all(seeds.map((seed) => this.meet(seed)))
    this.#callingSeeds = false
  }

  #isSelf(address: Address): boolean {
    return this.#row.address === formatAddress(address)
  }

  /** Repeats with a spread of a tenth either way, so that nodes started together do not stay in step. */
  #repeat(everyMs: number, callback: () => void): void {
    const slot = this.#timers.push(() => {}) - 1
    const next = (): void => {
      this.#timers[slot] = this.#options.clock.after(everyMs * (0.9 + this.#options.random.int(200) / 1_000), () => {
        next()
        callback()
      })
    }
    next()
  }
}

const REFUSALS = {
  malformed: 'refusedMalformed',
  'too-many-sessions': 'refusedTooManySessions',
  'not-authentic': 'refusedNotAuthentic',
  replayed: 'refusedReplayed',
} as const

/** The identity just before another one in order. */
function before(identity: Identity): Identity {
  const previous = BigInt(`0x${identity}`) - 1n
  return previous.toString(16).padStart(32, '0') as Identity
}
