import { createHash } from 'node:crypto'
import { HostPort, LIMITS, splitHostPort, type Degraded, type Identity } from '../contract/index.ts'
import { formatAddress, isIpLiteral, pick, type Address, type ByteStream } from '../platform/index.ts'
import { createAllowance, type Allowance } from './allowance.ts'
import { answerExchange, callExchange, compare } from './exchange.ts'
import { identityBytes } from './keys.ts'
import { MEMBERSHIP, Members, type MemberView } from './members.ts'
import { PartsInbox, rowMessages } from './parts.ts'
import type { GridCounters, GridOptions } from './ports.ts'
import { signPulse, signRow, type LinkClaim, type Pulse, type Row, type Signed } from './row.ts'
import { REFUTING_BEATS, rumourIsSigned, signRumour } from './rumour.ts'
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
  /** A time-out that rings this late shows that this process was held up: the answer may lie in the socket. It gets this much longer. */
  graceMs: 80,
  /** Between one new incarnation and the next, when somebody else speaks under this identity. */
  outliveMs: 1_000,
  /** The row of a node that said goodbye is kept for so long, so that nobody brings it back. */
  forgetLeftMs: 3_600_000,
} as const

const MAX_MESSAGE_BYTES = LIMITS.datagramBytes - SEAL_OVERHEAD_BYTES - PACKET_OVERHEAD_BYTES
/** Less the signature and the headers around both. */
const MAX_PULSE_BYTES = MAX_MESSAGE_BYTES - 72
const STREAM_DIAL_MS = 2_000
/** Seeds called at a time: a grid of thousands remembers thousands. */
const SEEDS_AT_ONCE = 8
/** Rows up to so many datagrams are told as they are; of longer ones only the version, and who lacks it asks. */
const TELL_DATAGRAMS = 2
/** Rows sent in answer to others' questions, in bytes at once and a second: a small question must not buy a flood. */
const ANSWER_BYTES = 1_048_576

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
  readonly #asked = new Map<number, (by: Identity) => void>()
  /** Who last got an answer from a node that gave none here: asked first the next time. */
  readonly #wayTo = new Map<Identity, Identity>()
  readonly #checking = new Set<Identity>()
  /** When versions were last compared with a node, and when it was last met. */
  readonly #comparedMs = new Map<Identity, number>()
  readonly #metMs = new Map<Identity, number>()
  readonly #warnedMs = new Map<Identity, number>()
  readonly #mayAnswer: Allowance
  #outlivedMs: number | null = null
  /** The row as last published, to tell it from one that somebody else made. */
  #ownRow: Signed | null = null
  #stopped = false
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
    this.#mayAnswer = createAllowance(options.clock, ANSWER_BYTES, 1_000)
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
      onSuspicion: (subject) => this.#ask(subject, [subject, ...this.#goBetweens(subject, 2)], 2),
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
    this.#repeat(MEMBERSHIP.tickMs, () => this.#members.tick())
    this.#repeat(RHYTHM.roundMs, () => this.#round())
    this.#repeat(RHYTHM.pulseMs, () => this.#publishPulse())
    this.#repeat(RHYTHM.reunionMs, () => this.#reunion())
    this.#repeat(RHYTHM.seedMs, () => void this.#callSeeds())
    this.#repeat(RHYTHM.exchangeMs, () => this.#exchangeWithOne())
  }

  stop(): void {
    this.#running = false
    this.#stopped = true
    for (const cancel of this.#timers) cancel()
    this.#timers = []
    this.#urgent?.()
  }

  /** Says goodbye: the last row tells that it left. Give the datagrams a moment before closing the network. */
  leave(): void {
    this.#row = { ...this.#row, left: true, links: [] }
    this.#publishRow()
    this.#flush(this.#audience())
  }

  /** Exchanges everything with whoever answers at an address. Also how a node joins. */
  async meet(address: Address): Promise<boolean> {
    if (this.#stopped || this.#streams >= LIMITS.streams) return false
    this.#streams++
    try {
      const sealed = await this.#call(address)
      const done = sealed && (await callExchange(sealed, this.#exchangePort()))
      this.counters[done ? 'exchangesCalled' : 'exchangesFailed']++
      if (done) this.#options.onSeenAs(done.seenAs)
      return done !== null
    } catch {
      // A broken stream is a failed exchange, whatever broke it.
      this.counters.exchangesFailed++
      return false
    } finally {
      this.#streams--
    }
  }

  /** Sets what this node says of its links. A new version goes out only when something changed. */
  setLinks(links: readonly LinkClaim[], degraded: readonly Degraded[]): void {
    const isSame = JSON.stringify([links, degraded]) === JSON.stringify([this.#row.links, this.#row.degraded])
    if (isSame || this.#row.left) return
    if (degraded.join() !== this.#row.degraded.join()) this.#options.onEvent({ type: 'degraded', reasons: degraded })
    this.#row = { ...this.#row, links, degraded }
    if (this.#running) this.#publishRow()
  }

  /** Sets the figures that the next pulse tells, in the order of the links. */
  setFigures(figures: Pulse['figures']): void {
    this.#figures = figures
  }

  setAddress(address: string): void {
    if (address === this.#row.address || this.#row.left) return
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
    this.#ask(identity, this.#goBetweens(identity, 3), 1)
  }

  #goBetweens(subject: Identity, count: number): Identity[] {
    const others = this.#members.others('up').filter((other) => other !== subject)
    const way = this.#wayTo.get(subject)
    const known = others.filter((other) => other === way)
    const rest = others.filter((other) => other !== way)
    return [...known, ...pick(this.#options.random, rest, count - known.length)]
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
    try {
      const caller = await answerSealed(stream, secretOf, this.#options.clock)
      if (!caller) this.counters.streamsRefused++
      else if (caller.mode === 1) await join.answer(caller.hint, caller.sealed)
      else this.counters[(await answerExchange(caller.sealed, this.#exchangePort())) ? 'exchangesAnswered' : 'exchangesFailed']++
    } catch {
      // A use of an invitation that cannot be written down is no use: the caller gets nothing.
      this.counters.streamsRefused++
      stream.destroy()
    }
  }

  /** Merges a row that comes from elsewhere: a peer, or this node's own disk. */
  applyRow(signed: Signed): void {
    if (this.#stopped) return
    const result = this.table.apply(signed, this.#options.clock.monoMs())
    if (result.outcome === 'refused') this.counters.rowsRefused++
    if (result.outcome === 'forked') {
      const { row } = result.entry
      if (result.isFirst)
        this.#options.onEvent({ type: 'forked', identity: row.identity, incarnation: row.incarnation, version: row.version })
      if (result.replaced) this.#learned(result.entry, row)
    }
    if (result.outcome === 'new') this.#learned(result.entry, result.before)
  }

  #learned(entry: Entry, before: Row | null): void {
    const { row } = entry
    this.counters.rowsNew++
    if (row.identity === this.#self) {
      // Our own row from a start that this one has no memory of. Go beyond it, or nobody will believe us.
      if (row.incarnation >= this.#row.incarnation) this.#outlive()
      return
    }
    this.#locate(row)
    const isStart = !before || before.left || row.incarnation > before.incarnation
    this.#members.learned(row.identity, row.left ? 'left' : isStart ? 'started' : 'changed')
    this.#tellRow(entry)
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
      this.#comparedMs.delete(row.identity)
      this.#metMs.delete(row.identity)
      this.#warnedMs.delete(row.identity)
      this.#wayTo.delete(row.identity)
      this.#options.onEvent({ type: 'row', identity: row.identity })
    }
  }

  /**
   * Goes beyond what the table holds of this node itself. Not without end: two nodes with one identity (a copied disk) would drive each other
   * up as fast as the network carries.
   */
  #outlive(): void {
    const nowMs = this.#options.clock.monoMs()
    const waitMs = this.#outlivedMs === null ? 0 : this.#outlivedMs + RHYTHM.outliveMs - nowMs
    if (waitMs > 0) {
      this.#options.clock.after(waitMs, () => this.#stopped || this.#outlive())
      return
    }
    const held = this.table.get(this.#self)
    if (!held || held.signed === this.#ownRow) return
    this.#outlivedMs = nowMs
    const incarnation = held.row.incarnation + 1
    this.#options.reserveIncarnation(incarnation)
    this.#row = { ...this.#row, incarnation, version: 0 }
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
    const news = this.table.applyPulse(signed, this.#options.clock.monoMs())
    if (!news || news.entry.row.identity === this.#self) return
    this.counters.pulsesNew++
    const { identity } = news.entry.row
    const beat = beatOf(news.entry)
    this.#members.beat(identity, beat)
    this.#tell(`pulse:${identity}`, [encodeMessage({ type: 'pulse', ...signed })])
    // A skipped beat refutes a rumour, which will not wait.
    if (beat >= news.beatBefore + REFUTING_BEATS) this.#soon()
    this.#options.onEvent({ type: 'pulse', identity })
  }

  #publishRow(): void {
    this.#row = { ...this.#row, version: this.#row.version + 1 }
    const signed = signRow(this.#row, this.#options.keys)
    this.#ownRow = signed
    this.table.apply(signed, this.#options.clock.monoMs())
    const entry = this.table.get(this.#self)
    if (entry) this.#tellRow(entry)
    this.#options.onEvent({ type: 'row', identity: this.#self })
    this.#soon()
  }

  #publishPulse(): Uint8Array {
    const { incarnation, version } = this.#row
    const pulse: Pulse = { identity: this.#self, incarnation, beat: ++this.#beat, version, figures: this.#figures }
    let signed = signPulse(pulse, this.#options.keys)
    // A heartbeat that fits no datagram would never be heard: the figures of the last links stay at home then.
    for (let links = pulse.figures.length; signed.bytes.length > MAX_PULSE_BYTES && links > 0;) {
      links = Math.floor(links / 2)
      signed = signPulse({ ...pulse, figures: pulse.figures.slice(0, links) }, this.#options.keys)
    }
    this.table.applyPulse(signed, this.#options.clock.monoMs())
    const message = encodeMessage({ type: 'pulse', ...signed })
    this.#tell(`pulse:${this.#self}`, [message])
    return message
  }

  // ── Talk ──

  #tell(key: string, messages: readonly Uint8Array[]): void {
    this.#spread.add(key, messages, this.table.size)
  }

  #tellRow(entry: Entry): void {
    const { identity } = entry.row
    const whole = rowMessages(identity, entry.row, entry.signed, MAX_MESSAGE_BYTES)
    const version: Message = { type: 'versions', first: identity, last: identity, entries: [this.table.version(entry)] }
    this.#tell(`row:${identity}`, whole && whole.length <= TELL_DATAGRAMS ? whole : [encodeMessage(version)])
  }

  /** Whom to tell. A node that hears nobody may still be heard, so it goes on speaking to those that it shows as down. */
  #audience(): Identity[] {
    const there = this.#members.others('up', 'suspect')
    return there.length > 0 ? there : this.#members.others('down')
  }

  /** Tells news without waiting for the round; a few in a row go together. Repeats, since one telling misses some by chance. */
  #soon(delayMs: number = RHYTHM.urgentMs, repeats = 2): void {
    if (this.#urgent || !this.#running) return
    this.#urgent = this.#options.clock.after(delayMs, () => {
      this.#urgent = null
      this.#flush(pick(this.#options.random, this.#audience(), RHYTHM.fanout))
      if (repeats > 0) this.#soon(RHYTHM.urgentAgainMs, repeats - 1)
    })
  }

  #round(): void {
    const peers = pick(this.#options.random, this.#audience(), RHYTHM.fanout)
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
    if (!this.#running) return
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
    if (!packet || packet.sender === this.#self || !this.#ownsSession(opened.session, packet.sender)) {
      this.counters.refusedStale++
      return
    }
    const known = this.table.get(packet.sender)
    if (known && packet.incarnation < known.row.incarnation) {
      this.counters.refusedStale++
      // Old packets played again, or a node set back to an earlier state: tell it what it said since, and it will go beyond that.
      if (this.#isTime(this.#comparedMs, packet.sender)) this.#sendRows(packet.sender, [packet.sender])
      return
    }
    this.counters.packetsOpened++
    this.counters.messagesUnreadable += packet.unreadable
    this.#members.heard(packet.sender)
    for (const message of packet.messages) this.#handle(packet.sender, message)
  }

  /** A session speaks for one node. */
  #ownsSession(session: Session, sender: Identity): boolean {
    session.owner ??= sender
    return session.owner === sender
  }

  #handle(from: Identity, message: Message): void {
    switch (message.type) {
      case 'probe':
        return this.#options.onProbe(from, message.payload)
      case 'ping':
        return this.#talk(from, [encodeMessage({ type: 'ack', nonce: message.nonce })])
      case 'ack': {
        const answered = this.#asked.get(message.nonce)
        return answered?.(from)
      }
      case 'ping-req':
        return this.#pingFor(from, message.subject, message.nonce)
      case 'rumour':
        return this.#heardRumour(from, message)
      case 'summary':
        if (Buffer.compare(message.hash, this.table.hash()) !== 0) this.#sendVersions(from)
        return
      case 'versions':
        return this.#compareVersions(from, message)
      case 'want':
        return this.#sendRows(from, message.identities)
      case 'row':
        return this.applyRow(message)
      case 'row-part': {
        const known = this.table.get(message.identity)
        if (known && compareVersions(message, known.row) < 0) return
        const signed = this.#parts.add(message)
        if (signed) this.applyRow(signed)
        return
      }
      case 'pulse':
        return this.#applyPulse(message)
    }
  }

  // ── Comparing tables ──

  /** At most once in `RHYTHM.compareMs` for each node that has an address; it counts as done. */
  #isTime(times: Map<Identity, number>, peer: Identity): boolean {
    const now = this.#options.clock.monoMs()
    const last = times.get(peer)
    if (!this.#addresses.has(peer) || (last !== undefined && now - last < RHYTHM.compareMs)) return false
    times.set(peer, now)
    return true
  }

  #sendVersions(to: Identity): void {
    if (!this.#isTime(this.#comparedMs, to)) return
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
    this.#sendRows(from, newer)
    if (wanted.length > 0) this.#talk(from, [encodeMessage({ type: 'want', identities: wanted })])
  }

  #sendRows(to: Identity, identities: readonly Identity[]): void {
    const address = this.#addresses.get(to)
    if (!address) return
    let needsStream = false
    for (const identity of new Set(identities)) {
      const entry = this.table.get(identity)
      const messages = entry && rowMessages(identity, entry.row, entry.signed, MAX_MESSAGE_BYTES)
      if (messages === undefined) continue
      // What is held back now is found again by the next comparison.
      if (messages === null) needsStream = true
      else if (this.#mayAnswer(entry?.signed.bytes.length)) this.#talk(to, messages)
    }
    if (needsStream && this.#isTime(this.#metMs, to)) void this.meet(address)
  }

  // ── Is it alive? ──

  #heardRumour(from: Identity, rumour: Extract<Message, { type: 'rumour' }>): void {
    this.counters.rumours++
    const { subject, accuser, incarnation, beat } = rumour
    const verify = this.table.verifier(accuser)
    const entry = this.table.get(subject)
    if (!entry || !verify || incarnation !== entry.row.incarnation) return
    const isCurrent = beatOf(entry) < beat + REFUTING_BEATS
    if (subject === this.#self) {
      // Nobody can know a beat of this node that it has not made yet.
      if (!isCurrent || beat > this.#beat || !rumourIsSigned(rumour, verify)) return
      this.#beat = Math.max(this.#beat, beat + REFUTING_BEATS - 1)
      const refutation = this.#publishPulse()
      this.#talk(from, [refutation])
      return this.#soon()
    }
    if (!isCurrent) return
    if (!this.#members.wouldHear(subject, accuser)) {
      // Who hears the accused carries the word to it: it can refute for those that do not hear it.
      if (this.#members.isHeard(subject) && this.#isTime(this.#warnedMs, subject)) this.#talk(subject, [encodeMessage(rumour)])
      return
    }
    if (!rumourIsSigned(rumour, verify)) return
    this.#members.rumour(subject, accuser, beatOf(entry))
    this.#tell(`rumour:${subject}:${accuser}`, [encodeMessage(rumour)])
    this.#soon()
  }

  #tellRumour(subject: Identity): void {
    const entry = this.table.get(subject)
    if (!entry) return
    const rumour = signRumour(subject, entry.row.incarnation, beatOf(entry), this.#options.keys)
    this.#tell(`rumour:${subject}:${this.#self}`, [encodeMessage({ type: 'rumour', ...rumour })])
    this.#soon()
  }

  /** Asks `subject` through each of `via` (itself, for a direct ping), `tries` times; without an answer this node accuses it. */
  #ask(subject: Identity, via: readonly Identity[], tries: number): void {
    if (this.#checking.has(subject)) return
    this.#checking.add(subject)
    const { clock, random } = this.#options
    const nonce = random.int(0xffff_ffff)
    let cancel = (): void => {}
    const done = (): void => {
      cancel()
      this.#asked.delete(nonce)
      this.#checking.delete(subject)
    }
    const wait = (delayMs: number, then: () => void): void => {
      const dueMs = clock.monoMs() + delayMs
      cancel = clock.after(delayMs, () => {
        if (clock.monoMs() - dueMs > RHYTHM.graceMs) cancel = clock.after(RHYTHM.graceMs, then)
        else then()
      })
    }
    const attempt = (left: number): void => {
      for (const peer of via) {
        this.#talk(peer, [encodeMessage(peer === subject ? { type: 'ping', nonce } : { type: 'ping-req', nonce, subject })])
      }
      wait(RHYTHM.askMs * (via[0] === subject ? 1 : 1.5), () => {
        if (left > 1) return attempt(left - 1)
        done()
        const entry = this.table.get(subject)
        if (this.#running && entry) this.#members.accuse(subject, beatOf(entry))
      })
    }
    this.#asked.set(nonce, (by) => {
      done()
      if (by !== subject) this.#wayTo.set(subject, by)
      if (this.#members.alive(subject)) this.#soon()
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
    try {
      const seeds = (await this.#options.seeds()).filter((seed) => !this.#isSelf(seed))
      await Promise.all(pick(this.#options.random, seeds, SEEDS_AT_ONCE).map((seed) => this.meet(seed)))
    } catch {
      // Names that cannot be resolved now may be later.
    } finally {
      this.#callingSeeds = false
    }
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
