import type { Identity } from '../contract/index.ts'
import type { Address } from '../platform/index.ts'
import type { Asking } from './asking.ts'
import type { Comparing } from './comparing.ts'
import type { KeyName } from './keys.ts'
import type { Members } from './members.ts'
import type { Merging } from './merging.ts'
import type { GridCounters, GridOptions } from './ports.ts'
import type { Rekeying } from './rekeying.ts'
import { createOpener, type Opener, type Session } from './seal.ts'
import type { RowTable, Strangers } from './table.ts'
import type { Talk } from './talk.ts'
import { decodePacket, type Message, type Packet } from './wire.ts'

export type ListeningOptions = Pick<GridOptions, 'clock' | 'ring' | 'onProbe'> & {
  readonly self: Identity
  readonly table: RowTable
  readonly counters: GridCounters
  readonly members: Members
  readonly talk: Talk
  readonly rekeying: Rekeying
  readonly comparing: Comparing
  readonly asking: Asking
  readonly merging: Merging
}

/** Opens what comes in, refuses and counts what must not come in, and hands each message to whom it is for. */
export class Listening {
  /** Where the last one came from that was refused, by the counter that it went to. */
  readonly refusedFrom: Partial<Record<keyof GridCounters, string>> = {}
  readonly #options: ListeningOptions
  readonly #opener: Opener
  #hearsDatagrams = false

  constructor(options: ListeningOptions) {
    this.#options = options
    this.#opener = createOpener(options.ring, options.clock)
  }

  /** Has any datagram of another node reached this one? */
  get hearsDatagrams(): boolean {
    return this.#hearsDatagrams
  }

  datagram(bytes: Uint8Array, source: Address): void {
    const opened = this.#opener.open(bytes)
    if (!opened.ok) {
      if (opened.why === 'not-authentic') this.#options.rekeying.unreadable(source.host)
      return this.#refuse(REFUSALS[opened.why], source)
    }
    const packet = decodePacket(opened.plain)
    if (!packet || !ownsSession(opened.session, packet.sender)) return this.#refuse('refusedStale', source)
    this.#take(packet, opened.session.gridKey, source)
  }

  /** A packet over the line of a node that proved who it is. `key`: the one that the line was sealed with. */
  overLine(from: Identity, bytes: Uint8Array, key: KeyName): void {
    const packet = decodePacket(bytes)
    if (packet?.sender !== from) return this.#refuse('refusedStale', null)
    this.#take(packet, key, null)
  }

  #refuse(kind: keyof GridCounters, source: Address | null): void {
    this.#options.counters[kind]++
    this.refusedFrom[kind] = source?.host ?? 'a line'
  }

  /** `source` is null for what came over a line. */
  #take(packet: Packet & { unreadable: number }, key: KeyName, source: Address | null): void {
    const { ring, self, table, counters, members, talk, rekeying, comparing } = this.#options
    const { sender } = packet
    if (sender === self || ring.isRemoved(sender) || ring.outcast !== null) return this.#refuse('refusedStale', source)
    const known = table.get(sender)
    if (known && packet.incarnation < known.row.incarnation) {
      this.#refuse('refusedStale', source)
      // Old packets played again, or a node set back to an earlier state: told what it said since, it will go beyond that.
      comparing.remind(sender)
      return
    }
    counters.packetsOpened++
    counters.messagesUnreadable += packet.unreadable
    members.heard(sender, source ? 'datagram' : 'line')
    if (source) this.#hearsDatagrams = true
    if (source && known) talk.heardFrom(known.row, source)
    rekeying.heard(sender, key)
    // Nobody comes in by a key that was replaced: a removed node holds it too, and could make up any name.
    const strangers = key === ring.current.name ? 'welcome' : 'refused'
    for (const message of packet.messages) this.#handle(sender, message, source, strangers)
  }

  #handle(from: Identity, message: Message, source: Address | null, strangers: Strangers): void {
    const { talk, asking, comparing, merging, rekeying, counters } = this.#options
    switch (message.type) {
      case 'probe':
        // Over a line it would say nothing of the way that datagrams take.
        return source === null ? undefined : this.#options.onProbe(from, message.payload)
      case 'ping':
        return talk.send(from, { type: 'ack', nonce: message.nonce })
      case 'ack':
        return asking.ack(from, message.nonce)
      case 'ping-req':
        return asking.pingFor(from, message.subject, message.nonce)
      case 'rumour':
        counters.rumours++
        return asking.rumour(from, message)
      case 'summary':
        return comparing.summary(from, message.hash)
      case 'digest':
        return comparing.digest(from, message.ranges)
      case 'versions':
        return comparing.versions(from, message)
      case 'want':
        return comparing.sendRows(from, message.identities)
      case 'row':
      case 'row-part':
        return merging.rowFrom({ identity: from, address: source }, message, strangers)
      case 'pulse':
        return merging.pulse(message)
      case 'sketch':
        return merging.sketch(message)
      case 'key':
        return rekeying.told(from, message)
    }
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
