import { LIMITS, type Identity } from '../contract/index.ts'
import { pick, type Clock, type Randomness } from '../platform/index.ts'
import type { NodeKeys } from './keys.ts'
import { MEMBERSHIP, type Members } from './members.ts'
import { RHYTHM } from './rhythm.ts'
import { isOverLine } from './row.ts'
import { REFUTING_BEATS, rumourIsSigned, signRumour } from './rumour.ts'
import { beatOf, type RowTable } from './table.ts'
import type { Talk } from './talk.ts'
import { encodeMessage, type Message } from './wire.ts'

export type AskingOptions = {
  readonly clock: Clock
  readonly random: Randomness
  readonly keys: NodeKeys
  readonly table: RowTable
  readonly talk: Talk
  readonly members: Members
  /** Goes beyond a beat of this node's own that somebody accuses, and answers the new pulse. Null for a beat that it never made. */
  refute(beat: number): Uint8Array | null
}

/** Whether a node is alive: asked directly and by go-betweens, as SWIM does, and told on as signed rumours. */
export class Asking {
  readonly #options: AskingOptions
  /** Questions on their way: what to do when the ack comes. */
  readonly #asked = new Map<number, (by: Identity) => void>()
  /** Who last got an answer from a node that gave none here: asked first the next time. */
  readonly #wayTo = new Map<Identity, Identity>()
  readonly #checking = new Set<Identity>()
  readonly #warnedMs = new Map<Identity, number>()
  #stopped = false

  constructor(options: AskingOptions) {
    this.#options = options
  }

  stop(): void {
    this.#stopped = true
  }

  forget(identity: Identity): void {
    this.#warnedMs.delete(identity)
    this.#wayTo.delete(identity)
  }

  /** It left probes unanswered: ask go-betweens. */
  unanswered(subject: Identity): void {
    if (this.#options.members.isWorthAsking(subject)) this.#ask(subject, this.#goBetweens(subject, 3), 1)
  }

  /** Somebody else accuses it: ask it, and go-betweens. In a large grid not everyone does, or a dead node would be asked a thousand times. */
  suspected(subject: Identity): void {
    const { random, table } = this.#options
    if (table.size > MEMBERSHIP.witnesses && random.int(table.size) >= MEMBERSHIP.witnesses) return
    this.#ask(subject, [subject, ...this.#goBetweens(subject, 2)], 2)
  }

  ack(from: Identity, nonce: number): void {
    this.#asked.get(nonce)?.(from)
  }

  /** "Ping that one for me." */
  pingFor(asker: Identity, subject: Identity, nonce: number): void {
    const { clock, random, talk } = this.#options
    // Each costs memory for a moment; a flood of them must not.
    if (this.#asked.size >= LIMITS.rumours || !talk.canReach(subject)) return
    const own = random.int(0xffff_ffff)
    const cancel = clock.after(RHYTHM.askMs, () => this.#asked.delete(own))
    this.#asked.set(own, () => {
      cancel()
      this.#asked.delete(own)
      talk.send(asker, { type: 'ack', nonce })
    })
    talk.send(subject, { type: 'ping', nonce: own })
  }

  /** Tells the others that this node accuses it. */
  accuse(subject: Identity): void {
    const { table, talk, keys } = this.#options
    const entry = table.get(subject)
    if (!entry) return
    const rumour = signRumour(subject, entry.row.incarnation, beatOf(entry), keys)
    talk.tell(`rumour:${subject}:${keys.identity}`, [encodeMessage({ type: 'rumour', ...rumour })])
    talk.soon()
  }

  rumour(from: Identity, rumour: Extract<Message, { type: 'rumour' }>): void {
    const { table, talk, keys, clock } = this.#options
    const members = this.#options.members
    const { subject, accuser, incarnation, beat } = rumour
    const verify = table.verifier(accuser)
    const entry = table.get(subject)
    if (!entry || !verify || incarnation !== entry.row.incarnation) return
    // What is not current has been refuted.
    if (beatOf(entry) >= beat + REFUTING_BEATS) return
    if (subject === keys.identity) {
      const refutation = rumourIsSigned(rumour, verify) ? this.#options.refute(beat) : null
      if (!refutation) return
      talk.sendEncoded(from, [refutation])
      return talk.soon()
    }
    if (!members.wouldHear(subject, accuser)) {
      // Who hears the accused carries the word to it: it can refute for those that do not hear it.
      const warnedMs = this.#warnedMs.get(subject)
      const isTime = warnedMs === undefined || clock.monoMs() - warnedMs >= RHYTHM.compareMs
      if (!members.isHeard(subject) || !isTime || !talk.canReach(subject)) return
      this.#warnedMs.set(subject, clock.monoMs())
      return talk.send(subject, rumour)
    }
    if (!rumourIsSigned(rumour, verify)) return
    members.rumour(subject, accuser, beatOf(entry))
    talk.tell(`rumour:${subject}:${accuser}`, [encodeMessage(rumour)])
    talk.soon()
  }

  #goBetweens(subject: Identity, count: number): Identity[] {
    const { members, talk, table, random } = this.#options
    const others = members.others('up').filter((other) => other !== subject && talk.canReach(other))
    const way = this.#wayTo.get(subject)
    // A node that can only call out says itself who would know.
    const holders = table
      .get(subject)
      ?.row.links.filter(isOverLine)
      .map(({ to }) => to)
    const known = others.filter((other) => other === way || holders?.includes(other)).slice(0, count)
    const rest = others.filter((other) => !known.includes(other))
    return [...known, ...pick(random, rest, count - known.length)]
  }

  /** Asks `subject` through each of `via` (itself, for a direct ping), `tries` times; without an answer this node accuses it. */
  #ask(subject: Identity, via: readonly Identity[], tries: number): void {
    if (this.#checking.has(subject)) return
    this.#checking.add(subject)
    const { clock, random, talk, table } = this.#options
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
      for (const peer of via) talk.send(peer, peer === subject ? { type: 'ping', nonce } : { type: 'ping-req', nonce, subject })
      wait(RHYTHM.askMs * (via[0] === subject ? 1 : 1.5), () => {
        if (left > 1) return attempt(left - 1)
        done()
        const entry = table.get(subject)
        if (!this.#stopped && entry) this.#options.members.accuse(subject, beatOf(entry))
      })
    }
    this.#asked.set(nonce, (by) => {
      done()
      if (by !== subject) this.#wayTo.set(subject, by)
      if (this.#options.members.alive(subject)) talk.soon()
    })
    attempt(tries)
  }
}
