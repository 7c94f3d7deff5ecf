import type { Degraded, Identity } from '../contract/index.ts'
import { formatAddress, pick, type Address, type ByteStream } from '../platform/index.ts'
import { Asking } from './asking.ts'
import { Comparing } from './comparing.ts'
import { Meetings, type Doorkeeper } from './meetings.ts'
import { MEMBERSHIP, Members, type MemberView } from './members.ts'
import { PartsInbox, rowMessages } from './parts.ts'
import { newCounters, type GridCounters, type GridOptions } from './ports.ts'
import { MAX_MESSAGE_BYTES, RHYTHM } from './rhythm.ts'
import { signPulse, signRow, type LinkClaim, type Pulse, type Row, type Signed } from './row.ts'
import { REFUTING_BEATS } from './rumour.ts'
import { createOpener, type Opener, type Session } from './seal.ts'
import { beatOf, compareVersions, RowTable, type Entry } from './table.ts'
import { Talk } from './talk.ts'
import { decodePacket, encodeMessage, type Message } from './wire.ts'

/** Less the signature and the headers around both. */
const MAX_PULSE_BYTES = MAX_MESSAGE_BYTES - 72
/** Seeds called at a time: a grid of thousands remembers thousands. */
const SEEDS_AT_ONCE = 8
/** Rows up to so many datagrams are told as they are; of longer ones only the version, and who lacks it asks. */
const TELL_DATAGRAMS = 2

/**
 * One node's part in the grid: its own row, everyone else's, who is alive, and the talk that keeps all nodes' tables the same.
 * A state machine over clock, randomness and network, so that a simulator can run it unchanged.
 */
export class Grid {
  readonly table = new RowTable()
  readonly counters: GridCounters = newCounters()
  readonly #options: GridOptions
  readonly #self: Identity
  readonly #opener: Opener
  readonly #members: Members
  readonly #talk: Talk
  readonly #comparing: Comparing
  readonly #asking: Asking
  readonly #meetings: Meetings
  readonly #parts = new PartsInbox()
  #row: Row
  /** The row as last published, to tell it from one that somebody else made. */
  #ownRow: Signed | null = null
  #beat = 0
  #figures: Pulse['figures'] = []
  #outlivedMs: number | null = null
  #timers: (() => void)[] = []
  #running = false
  #stopped = false
  #callingSeeds = false

  constructor(options: GridOptions) {
    const { clock, random, network, gridKey, keys } = options
    this.#options = options
    this.#self = keys.identity
    this.#opener = createOpener(gridKey, clock)
    this.#row = {
      identity: this.#self,
      publicKey: keys.publicKey,
      incarnation: options.incarnation,
      version: 0,
      ...options.card,
      left: false,
      degraded: [],
      links: [],
    }
    this.#members = new Members({
      self: this.#self,
      clock,
      onChange: (change) => options.onEvent({ type: 'member', ...change }),
      onAccusation: (subject) => this.#asking.accuse(subject),
      onSuspicion: (subject) => this.#asking.suspected(subject),
    })
    this.#talk = new Talk({
      clock,
      random,
      network,
      gridKey,
      self: this.#self,
      incarnation: () => this.#row.incarnation,
      audience: () => this.#audience(),
      gridSize: () => this.table.size,
    })
    const port = {
      table: this.table,
      applyRow: (signed: Signed) => this.applyRow(signed),
      applyPulse: (signed: Signed) => this.#applyPulse(signed),
    }
    this.#meetings = new Meetings({ clock, network, gridKey, port, counters: this.counters, onSeenAs: (host) => options.onSeenAs(host) })
    this.#comparing = new Comparing(this.table, this.#talk, clock, (address) => void this.meet(address))
    this.#asking = new Asking({
      clock,
      random,
      keys,
      table: this.table,
      talk: this.#talk,
      members: this.#members,
      refute: (beat) => this.#refute(beat),
    })
  }

  get self(): Identity {
    return this.#self
  }

  get row(): Row {
    return this.#row
  }

  /** Begins to speak. Before, a call of `meet` may have taught it a newer incarnation. */
  start(): void {
    this.#running = true
    this.#talk.start()
    this.#options.network.onDatagram((bytes) => this.#receive(bytes))
    this.#publishRow()
    this.#publishPulse()
    this.#repeat(MEMBERSHIP.tickMs, () => this.#members.tick())
    this.#repeat(RHYTHM.roundMs, () => this.#talk.round({ type: 'summary', hash: this.table.hash() }))
    this.#repeat(RHYTHM.pulseMs, () => this.#publishPulse())
    this.#repeat(RHYTHM.reunionMs, () => this.#reunion())
    this.#repeat(RHYTHM.seedMs, () => void this.#callSeeds())
    this.#repeat(RHYTHM.exchangeMs, () => this.#exchangeWithOne())
  }

  stop(): void {
    this.#running = false
    this.#stopped = true
    this.#talk.stop()
    this.#asking.stop()
    this.#meetings.stop()
    for (const cancel of this.#timers) cancel()
    this.#timers = []
  }

  /** Says goodbye: the last row tells that it left. Give the datagrams a moment before closing the network. */
  leave(): void {
    this.#row = { ...this.#row, left: true, links: [] }
    this.#publishRow()
    this.#talk.now(this.#audience())
  }

  /** Exchanges everything with whoever answers at an address. Also how a node joins. */
  meet(address: Address): Promise<boolean> {
    return this.#meetings.meet(address)
  }

  /** A caller on the grid's TCP port. `doorkeeper` handles callers with an invitation. */
  accept(stream: ByteStream, doorkeeper: Doorkeeper): Promise<void> {
    return this.#meetings.accept(stream, doorkeeper)
  }

  // ── What this node says ──

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

  #publishRow(): void {
    this.#row = { ...this.#row, version: this.#row.version + 1 }
    const signed = signRow(this.#row, this.#options.keys)
    this.#ownRow = signed
    this.table.apply(signed, this.#options.clock.monoMs())
    const entry = this.table.get(this.#self)
    if (entry) this.#tellRow(entry)
    this.#options.onEvent({ type: 'row', identity: this.#self })
    this.#talk.soon()
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
    this.#talk.tell(`pulse:${this.#self}`, [message])
    return message
  }

  #refute(beat: number): Uint8Array | null {
    // Nobody can know a beat of this node that it has not made yet.
    if (beat > this.#beat) return null
    this.#beat = Math.max(this.#beat, beat + REFUTING_BEATS - 1)
    return this.#publishPulse()
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

  // ── Who is there ──

  member(identity: Identity): MemberView | undefined {
    return this.#members.get(identity)
  }

  /** Nodes to be probed: all that are known and have not left. */
  peers(): Identity[] {
    return this.#members.others('up', 'suspect', 'down').filter((identity) => this.#talk.addressOf(identity))
  }

  get isIsolated(): boolean {
    return this.#members.isIsolated()
  }

  /** Sends one probe packet. */
  sendProbe(to: Identity, payload: Uint8Array): void {
    this.#talk.sendProbe(to, payload)
  }

  /** A peer left probes unanswered: others are asked. */
  unanswered(identity: Identity): void {
    this.#asking.unanswered(identity)
  }

  /** Whom to tell. A node that hears nobody may still be heard, so it goes on speaking to those that it shows as down. */
  #audience(): Identity[] {
    const there = this.#members.others('up', 'suspect')
    return there.length > 0 ? there : this.#members.others('down')
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
    if (!packet || packet.sender === this.#self || !ownsSession(opened.session, packet.sender)) {
      this.counters.refusedStale++
      return
    }
    const known = this.table.get(packet.sender)
    if (known && packet.incarnation < known.row.incarnation) {
      this.counters.refusedStale++
      // Old packets played again, or a node set back to an earlier state: told what it said since, it will go beyond that.
      this.#comparing.remind(packet.sender)
      return
    }
    this.counters.packetsOpened++
    this.counters.messagesUnreadable += packet.unreadable
    this.#members.heard(packet.sender)
    for (const message of packet.messages) this.#handle(packet.sender, message)
  }

  #handle(from: Identity, message: Message): void {
    switch (message.type) {
      case 'probe':
        return this.#options.onProbe(from, message.payload)
      case 'ping':
        return this.#talk.send(from, { type: 'ack', nonce: message.nonce })
      case 'ack':
        return this.#asking.ack(from, message.nonce)
      case 'ping-req':
        return this.#asking.pingFor(from, message.subject, message.nonce)
      case 'rumour':
        this.counters.rumours++
        return this.#asking.rumour(from, message)
      case 'summary':
        return this.#comparing.summary(from, message.hash)
      case 'versions':
        return this.#comparing.versions(from, message)
      case 'want':
        return this.#comparing.sendRows(from, message.identities)
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

  /** Merges a row that comes from elsewhere: a peer, or this node's own disk. */
  applyRow(signed: Signed): void {
    if (this.#stopped) return
    const result = this.table.apply(signed, this.#options.clock.monoMs())
    if (result.outcome === 'refused') this.counters.rowsRefused++
    if (result.outcome === 'forked') {
      const { identity, incarnation, version } = result.entry.row
      if (result.isFirst) this.#options.onEvent({ type: 'forked', identity, incarnation, version })
      if (result.replaced) this.#learned(result.entry, result.entry.row)
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
    this.#talk.locate(row)
    const isStart = !before || before.left || row.incarnation > before.incarnation
    this.#members.learned(row.identity, row.left ? 'left' : isStart ? 'started' : 'changed')
    this.#tellRow(entry)
    this.#options.onEvent({ type: 'row', identity: row.identity })
    this.#talk.soon()
  }

  #tellRow(entry: Entry): void {
    const { identity } = entry.row
    const whole = rowMessages(identity, entry.row, entry.signed, MAX_MESSAGE_BYTES)
    const version: Message = { type: 'versions', first: identity, last: identity, entries: [this.table.version(entry)] }
    this.#talk.tell(`row:${identity}`, whole && whole.length <= TELL_DATAGRAMS ? whole : [encodeMessage(version)])
  }

  #applyPulse(signed: Signed): void {
    const news = this.table.applyPulse(signed, this.#options.clock.monoMs())
    if (!news || news.entry.row.identity === this.#self) return
    this.counters.pulsesNew++
    const { identity } = news.entry.row
    const beat = beatOf(news.entry)
    this.#members.beat(identity, beat)
    this.#talk.tell(`pulse:${identity}`, [encodeMessage({ type: 'pulse', ...signed })])
    // A skipped beat refutes a rumour, which will not wait.
    if (beat >= news.beatBefore + REFUTING_BEATS) this.#talk.soon()
    this.#options.onEvent({ type: 'pulse', identity })
  }

  // ── Now and then ──

  #exchangeWithOne(): void {
    const [peer] = pick(this.#options.random, this.#members.others('up'), 1)
    const address = peer && this.#talk.addressOf(peer)
    if (address) void this.meet(address)
  }

  /** Says to a node that is down what there is to know; if it lives it will answer. */
  #reunion(): void {
    this.#forgetLeft()
    const [lost] = pick(this.#options.random, this.#members.others('down'), 1)
    if (lost) this.#talk.send(lost, { type: 'summary', hash: this.table.hash() })
  }

  #forgetLeft(): void {
    const now = this.#options.clock.monoMs()
    for (const { row, heardMs } of this.table.entries()) {
      if (!row.left || now - heardMs < RHYTHM.forgetLeftMs) continue
      for (const memory of [this.table, this.#members, this.#talk, this.#comparing, this.#asking]) memory.forget(row.identity)
      this.#options.onEvent({ type: 'row', identity: row.identity })
    }
  }

  async #callSeeds(): Promise<void> {
    const isAlone = this.#members.others('up', 'suspect').length === 0 || this.#members.isIsolated()
    if (!isAlone || this.#callingSeeds) return
    this.#callingSeeds = true
    try {
      const seeds = (await this.#options.seeds()).filter((seed) => formatAddress(seed) !== this.#row.address)
      await Promise.all(pick(this.#options.random, seeds, SEEDS_AT_ONCE).map((seed) => this.meet(seed)))
    } catch {
      // Names that cannot be resolved now may be later.
    } finally {
      this.#callingSeeds = false
    }
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

/** A session speaks for one node. */
function ownsSession(session: Session, sender: Identity): boolean {
  session.owner ??= sender
  return session.owner === sender
}
