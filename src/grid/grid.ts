import type { Degraded, Identity, Lie } from '../contract/index.ts'
import { formatAddress, pick, type Address, type ByteStream } from '../platform/index.ts'
import { Asking } from './asking.ts'
import { Comparing } from './comparing.ts'
import { Lies } from './lies.ts'
import { LINES, Lines, type Holder } from './lines.ts'
import { Listening } from './listening.ts'
import { Meetings, type Doorkeeper } from './meetings.ts'
import { MEMBERSHIP, Members, type MemberView } from './members.ts'
import { OwnRow } from './own-row.ts'
import { Merging } from './merging.ts'
import { newCounters, type GridCounters, type GridOptions } from './ports.ts'
import { paceOf, RHYTHM, type Pace } from './rhythm.ts'
import type { LinkClaim, Row, Signed } from './row.ts'
import { Rekeying } from './rekeying.ts'
import type { KeyRing } from './ring.ts'
import type { Figure } from './sketch.ts'
import { RowTable, type Strangers } from './table.ts'
import { Talk } from './talk.ts'
import { encodeMessage } from './wire.ts'

/** What is seldom said in a large grid must not be said by all at once. */
const WIDE_SPREAD = 0.25
/** Seeds called at a time: a grid of thousands remembers thousands. */
const SEEDS_AT_ONCE = 8

/**
 * One node's part in the grid: its own row, everyone else's, who is alive, and the talk that keeps all nodes' tables the same.
 * A state machine over clock, randomness and network, so that a simulator can run it unchanged.
 */
export class Grid {
  readonly table = new RowTable()
  readonly counters: GridCounters = newCounters()
  readonly #options: GridOptions
  readonly #self: Identity
  readonly #listening: Listening
  readonly #own: OwnRow
  readonly #members: Members
  readonly #lies: Lies
  readonly #talk: Talk
  readonly #comparing: Comparing
  readonly #asking: Asking
  readonly #meetings: Meetings
  readonly #rekeying: Rekeying
  readonly #lines: Lines
  readonly #merging: Merging
  #timers: (() => void)[] = []
  #running = false
  #stopped = false
  #callingSeeds = false

  constructor(options: GridOptions) {
    const { clock, random, network, ring, keys } = options
    this.#options = options
    this.#self = keys.identity
    this.#own = new OwnRow({
      ...options,
      table: this.table,
      rowMs: () => this.pace.rowMs,
      onRow: () => this.#merging.tellOwnRow(),
      onPulse: (signed) => this.#merging.tellPulse(this.#self, signed),
      onDegraded: (reasons) => options.onEvent({ type: 'degraded', reasons }),
    })
    this.#members = new Members({
      self: this.#self,
      clock,
      silentMs: () => this.pace.silentMs,
      onChange: (change) => {
        if (change.from === null || change.from === 'left') this.#rekeying.started(change.identity)
        options.onEvent({ type: 'member', ...change })
      },
      onAccusation: (subject) => this.#asking.accuse(subject),
      onSuspicion: (subject) => this.#asking.suspected(subject),
    })
    this.#lies = new Lies(clock, (identity, lie) => {
      this.counters.liesCaught++
      options.onEvent({ type: 'lied', identity, lie })
    })
    this.#lines = new Lines({
      clock,
      random,
      keys,
      counters: this.counters,
      callsOut: () => this.row.address === null,
      keyName: () => this.ring.current.name,
      isMember: (identity) => this.table.get(identity)?.row.left === false,
      holders: () => this.#holders(),
      open: (address) => this.#meetings.openLine(address),
      packet: (messages) => this.#talk.packet(messages),
      onPacket: (from, packet, key) => this.#running && this.#listening.overLine(from, packet, key),
      // Newer by two beats, so that who held this node for dead believes it at once.
      onOpened: () => void this.#own.refute(0),
      onMissing: (identity) => this.#asking.unanswered(identity),
    })
    this.#talk = new Talk({
      clock,
      random,
      network,
      ring,
      self: this.#self,
      lines: this.#lines,
      hearsDatagrams: () => this.row.address !== null || this.hearsDatagrams,
      incarnation: () => this.row.incarnation,
      audience: () => this.#audience(),
      gridSize: () => this.table.size,
    })
    this.#merging = new Merging({
      ...options,
      self: this.#self,
      table: this.table,
      own: this.#own,
      talk: this.#talk,
      members: this.#members,
      lies: this.#lies,
      counters: this.counters,
      pace: () => this.pace,
      isRunning: () => this.#running,
      audience: () => this.#audience(),
    })
    const port = {
      table: this.table,
      applyRow: (signed: Signed) => this.applyRow(signed),
      applyPulse: (signed: Signed) => this.#merging.pulse(signed),
    }
    this.#meetings = new Meetings({
      clock,
      network,
      ring,
      port,
      counters: this.counters,
      onSeenAs: (host) => options.onSeenAs(host),
      onChanges: (changes) => this.#rekeying.take(changes),
      onLine: (sealed) => this.#lines.answer(sealed),
    })
    this.#rekeying = new Rekeying({
      ...options,
      table: this.table,
      talk: this.#talk,
      label: options.card.id,
      others: () => this.#members.others('up', 'suspect', 'down'),
      callsOut: () => this.row.address === null,
      isLost: (identity) => this.isIsolated || this.#members.get(identity)?.state === 'down',
      callKeys: (address) => this.#meetings.callKeys(address),
      forget: (identity) => {
        this.#forget(identity)
        // It may come in again with the row that it has, by the new key.
        this.table.pardon(identity)
      },
    })
    this.#comparing = new Comparing(this.table, this.#talk, clock, (address) => void this.meet(address))
    this.#asking = new Asking({
      clock,
      random,
      keys,
      table: this.table,
      talk: this.#talk,
      members: this.#members,
      refute: (beat) => {
        const pulse = this.#own.refute(beat)
        return pulse && encodeMessage({ type: 'pulse', ...pulse })
      },
    })
    this.#listening = new Listening({
      ...options,
      self: this.#self,
      table: this.table,
      counters: this.counters,
      members: this.#members,
      talk: this.#talk,
      rekeying: this.#rekeying,
      comparing: this.#comparing,
      asking: this.#asking,
      merging: this.#merging,
    })
  }

  get self(): Identity {
    return this.#self
  }

  get row(): Row {
    return this.#own.row
  }

  /** How often what is said, at the present size of the grid. */
  get pace(): Pace {
    return paceOf(this.table.size, this.row.links.length)
  }

  /** The grid's keys. */
  get ring(): KeyRing {
    return this.#options.ring
  }

  /** Where the last one came from that was refused, by the counter that it went to. */
  get refusedFrom(): Listening['refusedFrom'] {
    return this.#listening.refusedFrom
  }

  /** Changes the grid's key; those in `remove` do not get the new one. Resolves when this node has taken it. Errors: MW_REMOVED. */
  changeKey(remove: readonly { readonly identity: Identity; readonly id: string }[] = []): Promise<void> {
    return this.#rekeying.change(remove)
  }

  /** Nodes not yet heard under the key. */
  waitingForKey(): Identity[] {
    return this.#rekeying.waiting()
  }

  /** Begins to speak. Before, a call of `meet` may have taught it a newer incarnation. */
  start(): void {
    this.#running = true
    if (!this.ring.outcast) this.#talk.start()
    this.#options.network.onDatagram((bytes, from) => this.#running && this.#listening.datagram(bytes, from))
    this.#own.start()
    this.#rekeying.start()
    const always = (everyMs: number) => (): number => everyMs
    this.#repeat(always(MEMBERSHIP.tickMs), () => this.#members.tick())
    this.#repeat(always(RHYTHM.roundMs), () => this.#talk.round({ type: 'summary', hash: this.table.hash() }))
    this.#repeat(always(LINES.tickMs), () => this.#lines.tick())
    this.#repeat(always(RHYTHM.reunionMs), () => this.#reunion())
    this.#repeat(always(RHYTHM.proveMs), () => this.#merging.proveAgain())
    this.#repeat(always(RHYTHM.seedMs), () => void this.#callSeeds())
    this.#repeat(
      () => this.pace.pulseMs,
      () => this.#own.pulse(),
      WIDE_SPREAD,
    )
    this.#repeat(
      () => this.pace.sketchMs,
      () => this.#merging.tellOwnFigures(),
      WIDE_SPREAD,
    )
    this.#repeat(
      () => this.pace.exchangeMs,
      () => this.#exchangeWithOne(),
      WIDE_SPREAD,
    )
  }

  stop(): void {
    this.#running = false
    this.#stopped = true
    this.#own.stop()
    this.#talk.stop()
    this.#asking.stop()
    this.#meetings.stop()
    this.#rekeying.stop()
    this.#lines.stop()
    for (const cancel of this.#timers) cancel()
    this.#timers = []
  }

  /** Says goodbye: the last row tells that it left. Give the datagrams a moment before closing the network. */
  leave(): void {
    this.#own.leave()
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
    this.#own.setLinks(links, degraded)
  }

  /** Sets the figures that go out next, in the order of the links. */
  setFigures(figures: readonly Figure[]): void {
    this.#own.setFigures(figures)
  }

  /** Null for a node that can only call out. */
  setAddress(address: string | null): void {
    this.#own.setAddress(address)
    if (address === null && this.#running) this.#lines.tick()
  }

  // ── Who is there ──

  member(identity: Identity): MemberView | undefined {
    return this.#members.get(identity)
  }

  /** Nodes to be probed: all that are known and have not left. */
  peers(): Identity[] {
    return this.#members.others('up', 'suspect', 'down').filter((identity) => this.#talk.addressOf(identity))
  }

  /** Nodes that nobody can probe, since they only call out. */
  callers(): Identity[] {
    return this.#members.others('up', 'suspect', 'down').filter((identity) => this.table.get(identity)?.row.address === null)
  }

  /** Is a line open to it, from either side? */
  hasLine(identity: Identity): boolean {
    return this.#lines.has(identity)
  }

  /** Has any datagram of another node reached this one since its start? */
  get hearsDatagrams(): boolean {
    return this.#listening.hearsDatagrams
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
    // Where streams work and no datagram ever came in, an answer that is missing says nothing of the peer.
    const isDeaf = !this.hearsDatagrams && (this.row.address === null || this.counters.exchangesCalled > 0)
    if (!isDeaf) this.#asking.unanswered(identity)
  }

  /** What a node was caught at in the last hour, by this one or by proof. */
  lies(identity: Identity): Lie[] {
    return this.#lies.of(identity)
  }

  /** Whom to tell. A node that hears nobody may still be heard, so it goes on speaking to those that it shows as down. */
  #audience(): readonly Identity[] {
    const reached = (identity: Identity): boolean => this.#talk.canReach(identity)
    const there = this.#members.others('up', 'suspect').filter(reached)
    return there.length > 0 ? there : this.#members.others('down').filter(reached)
  }

  /** Who could hold a line of this node: those that are up, or, if none is, whoever was. */
  #holders(): Holder[] {
    const within = (identities: readonly Identity[]): Holder[] =>
      identities.flatMap((identity) => {
        const address = this.#talk.addressOf(identity)
        return address ? [{ identity, address, site: this.table.get(identity)?.row.site ?? '' }] : []
      })
    const up = within(this.#members.others('up'))
    return up.length > 0 ? up : within(this.#members.others('suspect', 'down'))
  }

  // ── What others say ──

  /** Merges a row that comes from elsewhere: a peer, or this node's own disk. */
  applyRow(signed: Signed, strangers: Strangers = 'welcome'): void {
    if (!this.#stopped && !this.ring.outcast) this.#merging.row(signed, strangers)
  }

  // ── Now and then ──

  #exchangeWithOne(): void {
    const [peer] = pick(this.#options.random, this.#holders(), 1)
    if (peer) void this.meet(peer.address)
  }

  /** Says to a node that is down what there is to know; if it lives it will answer. */
  #reunion(): void {
    this.#forgetLeft()
    const [lost] = pick(this.#options.random, this.#members.others('down'), 1)
    if (!lost) return
    // It may have lost its memory, and not know who calls it nor where from.
    this.#comparing.sendRows(lost, [this.#self])
    this.#talk.send(lost, { type: 'summary', hash: this.table.hash() })
  }

  #forgetLeft(): void {
    const now = this.#options.clock.monoMs()
    for (const { row, heardMs } of this.table.entries()) {
      if (row.left && now - heardMs >= RHYTHM.forgetLeftMs) this.#forget(row.identity)
    }
  }

  #forget(identity: Identity): void {
    for (const memory of [this.table, this.#members, this.#talk, this.#comparing, this.#asking, this.#lines, this.#lies, this.#merging])
      memory.forget(identity)
    this.#options.onEvent({ type: 'row', identity })
  }

  async #callSeeds(): Promise<void> {
    const isAlone = this.#members.others('up', 'suspect').length === 0 || this.#members.isIsolated()
    if (!isAlone || this.#callingSeeds) return
    this.#callingSeeds = true
    try {
      // Those known before as well: after a change of key that this node missed, nobody's datagrams can be read here.
      const known = this.#members.others('down').flatMap((identity) => this.#talk.addressOf(identity) ?? [])
      const seeds = [...(await this.#options.seeds()), ...known].filter((seed) => formatAddress(seed) !== this.row.address)
      await Promise.all(pick(this.#options.random, seeds, SEEDS_AT_ONCE).map((seed) => this.meet(seed)))
    } catch {
      // Names that cannot be resolved now may be later.
    } finally {
      this.#callingSeeds = false
    }
  }

  /** Repeats with a spread either way, so that nodes started together do not stay in step. What is seldom done begins at any time of its period. */
  #repeat(everyMs: () => number, callback: () => void, spread = 0.1): void {
    const { clock, random } = this.#options
    const slot = this.#timers.push(() => {}) - 1
    const next = (delayMs: number): void => {
      this.#timers[slot] = clock.after(delayMs, () => {
        next(spreadMs())
        callback()
      })
    }
    const spreadMs = (): number => everyMs() * (1 - spread + (spread * random.int(2_000)) / 1_000)
    next(spread === WIDE_SPREAD ? (everyMs() * random.int(1_000)) / 1_000 : spreadMs())
  }
}
