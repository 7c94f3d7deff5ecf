import type { Identity } from '../contract/index.ts'
import { pick, type Address } from '../platform/index.ts'
import type { Lies } from './lies.ts'
import type { Members } from './members.ts'
import type { OwnRow } from './own-row.ts'
import { PartsInbox, rowMessages } from './parts.ts'
import type { GridCounters, GridOptions } from './ports.ts'
import { MAX_MESSAGE_BYTES, RHYTHM, type Pace } from './rhythm.ts'
import type { Row, Signed } from './row.ts'
import { REFUTING_BEATS } from './rumour.ts'
import { FIGURES_PER_SKETCH } from './sketch.ts'
import { beatOf, compareVersions, type Entry, type RowOutcome, type RowTable, type Strangers } from './table.ts'
import type { Talk } from './talk.ts'
import { encodeMessage, type Message } from './wire.ts'

/** Rows up to so many datagrams are told as they are; of longer ones only the version, and who lacks it asks. */
const TELL_DATAGRAMS = 2
/** In a larger grid of any row only the version is told: each node then gets the row once, not log2(n) times. */
const TELL_ROWS_UP_TO_NODES = 200

export type MergingOptions = Pick<GridOptions, 'clock' | 'random' | 'onEvent'> & {
  readonly self: Identity
  readonly table: RowTable
  readonly own: OwnRow
  readonly talk: Talk
  readonly members: Members
  readonly lies: Lies
  readonly counters: GridCounters
  pace(): Pace
  /** Does this node speak yet? */
  isRunning(): boolean
  audience(): readonly Identity[]
}

/** Who sent something, and from where: null for a line, whose other end has proven who it is. */
export type Sender = { readonly identity: Identity; readonly address: Address | null }

/** What others say, and what this node says: merged into the table, noticed, and told on to everyone. */
export class Merging {
  readonly #options: MergingOptions
  readonly #parts = new PartsInbox()
  /** Where a node was before its last start, and until when: to notice one that is in two places. */
  readonly #movedFrom = new Map<Identity, { readonly address: string | null; readonly atMs: number }>()

  constructor(options: MergingOptions) {
    this.#options = options
  }

  forget(identity: Identity): void {
    this.#movedFrom.delete(identity)
  }

  // ── Rows ──

  /** A row out of a packet, or a part of one. */
  rowFrom(sender: Sender, message: Extract<Message, { type: 'row' | 'row-part' }>, strangers: Strangers): void {
    const signed = message.type === 'row' ? message : this.#wholeOf(sender, message)
    if (!signed || this.row(signed, strangers) !== 'not-signed') return
    // Nobody honest sends a row that its owner did not sign: rows are checked before they are told on. Any member could put another's name on its
    // packets, so only what comes from the node's own address or over its line counts against it.
    const { identity, address } = sender
    const isProven = address === null || this.#options.talk.addressOf(identity)?.host === address.host
    if (isProven) this.#options.lies.caught(identity, 'forged-row')
  }

  #wholeOf(sender: Sender, part: Extract<Message, { type: 'row-part' }>): Signed | null {
    const known = this.#options.table.get(part.identity)
    return known && compareVersions(part, known.row) < 0 ? null : this.#parts.add(sender.identity, part)
  }

  /** Merges a row that comes from elsewhere: a peer, or this node's own disk. */
  row(signed: Signed, strangers: Strangers): RowOutcome['outcome'] | 'not-signed' {
    const { table, clock, counters, lies } = this.#options
    const result = table.apply(signed, clock.monoMs(), strangers)
    if (result.outcome === 'refused') {
      counters.rowsRefused++
      if (result.why === 'too-large') lies.caught(result.by, 'too-large')
      return result.why === 'not-signed' ? 'not-signed' : 'refused'
    }
    if (result.outcome === 'new') this.#learned(result.entry, result.before)
    if (result.outcome === 'forked') {
      this.#forked(result.entry, result.other)
      if (result.replaced) this.#learned(result.entry, result.entry.row)
    }
    return result.outcome
  }

  #learned(entry: Entry, before: Row | null): void {
    const { row } = entry
    const { counters, self, own, talk, members, onEvent } = this.#options
    counters.rowsNew++
    if (row.identity === self) {
      // Our own row from a start that this one has no memory of. Go beyond it, or nobody will believe us.
      if (row.incarnation >= own.row.incarnation) own.outlive()
      return
    }
    this.#notePlace(row, before)
    talk.locate(row)
    const isStart = !before || before.left || row.incarnation > before.incarnation
    members.learned(row.identity, row.left ? 'left' : isStart ? 'started' : 'changed')
    // What this node remembers, or hears when it comes in, is news to itself alone.
    if (this.#options.isRunning()) this.#tellRow(entry)
    onEvent({ type: 'row', identity: row.identity })
    talk.soon()
  }

  /** This node's own row is new. */
  tellOwnRow(): void {
    const { table, self, onEvent, talk } = this.#options
    const entry = table.get(self)
    if (entry) this.#tellRow(entry)
    onEvent({ type: 'row', identity: self })
    talk.soon()
  }

  #tellRow(entry: Entry): void {
    const { table, talk } = this.#options
    const { identity } = entry.row
    const whole = rowMessages(identity, entry.row, entry.signed, MAX_MESSAGE_BYTES)
    const isShort = whole && whole.length <= TELL_DATAGRAMS && table.size <= TELL_ROWS_UP_TO_NODES
    const version: Message = { type: 'versions', first: identity, last: identity, entries: [table.version(entry)] }
    talk.tell(`row:${identity}`, isShort ? whole : [encodeMessage(version)])
  }

  // ── Lies ──

  /** Two rows under one version. Both are the proof, so that every node can see for itself. */
  #forked({ row, signed }: Entry, other: Signed): void {
    const { lies, talk } = this.#options
    if (!lies.caught(row.identity, 'two-rows')) return
    const proof = [signed, other].flatMap((each) => rowMessages(row.identity, row, each, MAX_MESSAGE_BYTES) ?? [])
    lies.prove(row.identity, proof)
    talk.tell(`proof:${row.identity}`, proof)
    talk.soon()
  }

  /** Who was cut off when a proof was told holds one of the two rows, the same as everyone: no comparison would ever find what it lacks. */
  proveAgain(): void {
    const { lies, random, talk, audience } = this.#options
    const proof = lies.someProof(random)
    const peers = pick(random, audience(), proof && proof.length > 2 * TELL_DATAGRAMS ? 1 : RHYTHM.fanout)
    if (proof) for (const peer of peers) talk.sendEncoded(peer, proof)
  }

  /** A node that starts anew there and, right after, here again runs twice: its key was copied. */
  #notePlace(row: Row, before: Row | null): void {
    if (!before || row.incarnation === before.incarnation || row.address === before.address) return
    const nowMs = this.#options.clock.monoMs()
    const moved = this.#movedFrom.get(row.identity)
    const isBack = moved?.address === row.address && nowMs - moved.atMs < RHYTHM.twoPlacesMs
    if (isBack) this.#options.lies.caught(row.identity, 'two-rows')
    this.#movedFrom.set(row.identity, { address: before.address, atMs: nowMs })
  }

  // ── Heartbeats and figures ──

  pulse(signed: Signed): void {
    const { table, clock, self, counters, members, talk, onEvent } = this.#options
    const news = table.applyPulse(signed, clock.monoMs())
    if (!news || news.entry.row.identity === self) return
    counters.pulsesNew++
    const { identity } = news.entry.row
    const beat = beatOf(news.entry)
    members.beat(identity, beat)
    this.tellPulse(identity, signed)
    // A skipped beat refutes a rumour, which will not wait.
    if (beat >= news.beatBefore + REFUTING_BEATS) talk.soon()
    // Pulses of 0.1.0 carry figures.
    if (news.entry.pulse?.figures.length) onEvent({ type: 'figures', identity })
  }

  tellPulse(identity: Identity, signed: Signed): void {
    this.#options.talk.tell(`pulse:${identity}`, [encodeMessage({ type: 'pulse', ...signed })], this.#options.pace().pulseTellings)
  }

  sketch(signed: Signed): void {
    const { table, self, counters, onEvent } = this.#options
    const news = table.applySketch(signed)
    if (!news || news.identity === self) return
    counters.sketchesNew++
    this.#tellSketch(news.identity, signed, news.first)
    onEvent({ type: 'figures', identity: news.identity })
  }

  tellOwnFigures(): void {
    this.#options.own.sketches().forEach((signed, at) => this.#tellSketch(this.#options.self, signed, at * FIGURES_PER_SKETCH))
  }

  #tellSketch(identity: Identity, signed: Signed, first: number): void {
    this.#options.talk.tell(
      `sketch:${identity}:${first}`,
      [encodeMessage({ type: 'sketch', ...signed })],
      this.#options.pace().sketchTellings,
    )
  }
}
