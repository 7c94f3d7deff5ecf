import { LIMITS, type Identity } from '../contract/index.ts'
import type { Address, Clock } from '../platform/index.ts'
import { createAllowance, type Allowance } from './allowance.ts'
import { compare } from './exchange.ts'
import { rowMessages } from './parts.ts'
import { RHYTHM } from './rhythm.ts'
import type { RowTable } from './table.ts'
import type { Talk } from './talk.ts'
import { DIGEST_BYTES, DIGEST_RANGES, type Message } from './wire.ts'

/** Above so many rows a digest takes the place of all versions: four datagrams of those. */
const DIGEST_ABOVE = 4 * LIMITS.membersPerDatagram
/** Of the ranges that differ; the next comparison finds the rest. */
const RANGES_AT_ONCE = 16

const LOWEST = '0'.repeat(32) as Identity
const HIGHEST = 'f'.repeat(32) as Identity

/** Finds and mends what two nodes' tables differ in: summary, then (of large tables) digest, then versions, then rows. What is held back is found again by the next comparison. */
export class Comparing {
  readonly #table: RowTable
  readonly #talk: Talk
  readonly #clock: Clock
  readonly #meet: (address: Address) => void
  readonly #mayAnswer: Allowance
  /** When versions were last compared with a node, and when it was last met. */
  readonly #comparedMs = new Map<Identity, number>()
  readonly #metMs = new Map<Identity, number>()
  readonly #digestedMs = new Map<Identity, number>()

  constructor(table: RowTable, talk: Talk, clock: Clock, meet: (address: Address) => void) {
    this.#table = table
    this.#talk = talk
    this.#clock = clock
    this.#meet = meet
    this.#mayAnswer = createAllowance(clock, LIMITS.answerBytesPerSecond, 1_000)
  }

  forget(identity: Identity): void {
    this.#comparedMs.delete(identity)
    this.#metMs.delete(identity)
    this.#digestedMs.delete(identity)
  }

  /** Somebody told the hash of its table. Where it differs, it gets our versions. */
  summary(from: Identity, hash: Uint8Array): void {
    if (Buffer.compare(hash, this.#table.hash()) === 0 || !this.#isTime(this.#comparedMs, from)) return
    if (this.#table.size > DIGEST_ABOVE) this.#talk.send(from, { type: 'digest', ranges: this.#table.digest() })
    else this.#sendVersions(from, LOWEST, HIGHEST)
  }

  /** Somebody told the digest of its table: it gets our versions of the ranges that differ, a bounded number at a time. */
  digest(from: Identity, theirs: Uint8Array): void {
    if (!this.#isTime(this.#digestedMs, from)) return
    const own = this.#table.digest()
    const hashOf = (digest: Uint8Array, at: number): Uint8Array => digest.subarray(at * DIGEST_BYTES, (at + 1) * DIGEST_BYTES)
    const ranges = Array.from({ length: DIGEST_RANGES }, (_, at) => at)
    const differ = ranges.filter((at) => Buffer.compare(hashOf(own, at), hashOf(theirs, at)) !== 0)
    for (const at of differ.slice(0, RANGES_AT_ONCE)) {
      const [low, high] = [at << 2, (at << 2) | 3].map((byte) => byte.toString(16).padStart(2, '0')) as [string, string]
      this.#sendVersions(from, low.padEnd(32, '0') as Identity, high.padEnd(32, 'f') as Identity)
    }
  }

  #sendVersions(to: Identity, from: Identity, until: Identity): void {
    const entries = this.#table.versions(from, until)
    const { membersPerDatagram } = LIMITS
    for (let at = 0; at === 0 || at < entries.length; at += membersPerDatagram) {
      const slice = entries.slice(at, at + membersPerDatagram)
      // The slices together cover all identities there could be, so that what is missing in one is missing here.
      const first = at === 0 ? from : (slice[0]?.identity as Identity)
      const next = entries[at + membersPerDatagram]?.identity
      const last = next === undefined ? until : before(next)
      this.#talk.send(to, { type: 'versions', first, last, entries: slice })
    }
  }

  /** Somebody told its versions: it gets what is newer here, and is asked for what is newer there. */
  versions(from: Identity, message: Extract<Message, { type: 'versions' }>): void {
    const { newer, wanted } = compare(this.#table, message.entries, message)
    this.sendRows(from, newer)
    if (wanted.length > 0) this.#talk.send(from, { type: 'want', identities: wanted })
  }

  /** Somebody speaks as it did in an earlier life: it gets what it said since. */
  remind(identity: Identity): void {
    if (this.#isTime(this.#comparedMs, identity)) this.sendRows(identity, [identity])
  }

  sendRows(to: Identity, identities: readonly Identity[]): void {
    if (!this.#talk.canReach(to)) return
    let needsStream = false
    for (const identity of new Set(identities)) {
      const entry = this.#table.get(identity)
      const messages = entry && rowMessages(identity, entry.row, entry.signed, this.#talk.mostBytes(to))
      if (messages === undefined) continue
      if (messages === null) needsStream = true
      else if (this.#mayAnswer(entry?.signed.bytes.length)) this.#talk.sendEncoded(to, messages)
    }
    const address = this.#talk.addressOf(to)
    if (needsStream && address && this.#isTime(this.#metMs, to)) this.#meet(address)
  }

  /** At most once in `RHYTHM.compareMs` for each node that can be reached; it counts as done. */
  #isTime(times: Map<Identity, number>, peer: Identity): boolean {
    const now = this.#clock.monoMs()
    const last = times.get(peer)
    if (!this.#talk.canReach(peer) || (last !== undefined && now - last < RHYTHM.compareMs)) return false
    times.set(peer, now)
    return true
  }
}

/** The identity just before another one in order. */
function before(identity: Identity): Identity {
  const previous = BigInt(`0x${identity}`) - 1n
  return previous.toString(16).padStart(32, '0') as Identity
}
