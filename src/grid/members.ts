import type { Identity, NodeState } from '../contract/index.ts'
import type { Clock } from '../platform/index.ts'
import { REFUTING_BEATS } from './rumour.ts'

/**
 * Who is alive: SWIM (Das, Gupta, Motivala 2002) with the suspicion of Lifeguard (Dadgar, Phillips, Currey 2018), changed in these ways.
 * Its direct ping is the udp probe that runs between nodes anyway. What refutes a rumour is not a new incarnation but a newer signed beat,
 * so nobody can speak for another. And whatever arrives from a node directly is proof of life, so a node that hears
 * nothing, but sends, is not called dead: that its packets arrive is a fact, that ours do not is the business of links.
 */
export const MEMBERSHIP = {
  /** Who was heard this lately is not suspected, whatever others say: one probe interval and a little. */
  heardLatelyMs: 1_300,
  /** With one accuser a suspicion waits for the longest time, with `confirmations` more for the shortest. */
  suspicionMinMs: 400,
  suspicionMaxMs: 5_000,
  confirmations: 3,
  /** Who hears a rumour looks for itself; in a grid of more nodes about so many do, chosen by chance. */
  witnesses: 16,
  /** A node that heard nobody for so long blames itself, not the others. */
  isolatedAfterMs: 2_500,
  /** After as long alone it shows the others as down, but accuses nobody. */
  isolatedDownMs: 5_000,
  tickMs: 100,
  /** How often all are looked through for those that have been silent for too long. */
  silenceCheckMs: 500,
  /** A tick later than this shows that this process was held up. What arrived meanwhile still lies in the socket. */
  stallMs: 150,
} as const

type Member = {
  state: NodeState
  sinceWallMs: number
  /** Monotonic time of the last authentic datagram from it directly; null when there was none. */
  heardMs: number | null
  /** The same, without what came over a line. */
  datagramMs: number | null
  /** Monotonic time of the last proof of life by any way. */
  aliveMs: number
  /** `beat`: the last that was known of it when the suspicion began. */
  suspicion: { sinceMs: number; beat: number; accusers: Set<Identity> } | null
}

/** `heardAgoMs`: since its last datagram arrived here directly. */
export type MemberView = { readonly state: NodeState; readonly sinceMs: number; readonly heardAgoMs: number | null }
export type MemberChange = { readonly identity: Identity; readonly from: NodeState | null; readonly to: NodeState }

export type MembersOptions = {
  readonly self: Identity
  readonly clock: Clock
  /** Without any proof of life for so long a node is down, even if nobody here probes it. */
  silentMs(): number
  onChange(change: MemberChange): void
  /** This node accuses it now, and the others should know. */
  onAccusation(subject: Identity): void
  /** Someone else accuses it: find out by asking it. */
  onSuspicion(subject: Identity): void
}

export class Members {
  readonly #options: MembersOptions
  readonly #members = new Map<Identity, Member>()
  /** Answers of `others`, until somebody comes, goes or turns. */
  readonly #lists = new Map<string, readonly Identity[]>()
  readonly #suspects = new Set<Identity>()
  /** When the first other member came: nobody can have been heard before. */
  #companySinceMs: number | null = null
  #lastHeardMs: number | null = null
  #lastTickMs: number | null = null
  #silenceCheckedMs = 0

  constructor(options: MembersOptions) {
    this.#options = options
  }

  get(identity: Identity): MemberView | undefined {
    const member = this.#members.get(identity)
    if (!member) return undefined
    const now = this.#options.clock.monoMs()
    return { state: member.state, sinceMs: member.sinceWallMs, heardAgoMs: member.datagramMs === null ? null : now - member.datagramMs }
  }

  /** Members in these states, this node left out, in a fixed order. */
  others(...states: NodeState[]): readonly Identity[] {
    const key = states.join()
    let found = this.#lists.get(key)
    if (!found) {
      found = [...this.#members].flatMap(([identity, member]) => (states.includes(member.state) ? [identity] : [])).sort()
      this.#lists.set(key, found)
    }
    return found
  }

  /** Its row is new: of a node `changed` while it runs, `started` (the first row of a start, or the first that came here), or said goodbye (`left`). */
  learned(identity: Identity, news: 'started' | 'changed' | 'left'): void {
    if (identity === this.#options.self) return
    const member = this.#members.get(identity)
    const nowMs = this.#options.clock.monoMs()
    if (!member) {
      // Nobody can have been heard before there was anybody.
      if (this.#others() < 2) this.#companySinceMs = nowMs
      const state = news === 'left' ? 'left' : 'up'
      this.#members.set(identity, {
        state,
        sinceWallMs: this.#options.clock.wallMs(),
        heardMs: null,
        datagramMs: null,
        aliveMs: nowMs,
        suspicion: null,
      })
      this.#lists.clear()
      this.#options.onChange({ identity, from: null, to: state })
    } else if (news === 'left') this.#turn(identity, member, 'left')
    else if (news === 'started') {
      member.aliveMs = nowMs
      member.suspicion = null
      this.#turn(identity, member, 'up')
    } else this.#spoke(identity, member, 0)
  }

  /** An authentic datagram came from it directly, or a packet over its line. */
  heard(identity: Identity, way: 'datagram' | 'line' = 'datagram'): void {
    const now = this.#options.clock.monoMs()
    this.#lastHeardMs = now
    const member = this.#members.get(identity)
    if (!member) return
    member.heardMs = now
    if (way === 'datagram') member.datagramMs = now
    this.alive(identity)
  }

  /** Proof that it is alive now: heard directly, or a go-between's word that it answered. Answers whether that ended a suspicion. */
  alive(identity: Identity): boolean {
    const member = this.#members.get(identity)
    return member !== undefined && this.#spoke(identity, member, Infinity)
  }

  /** A newer beat came by whatever way. It may be older than a suspicion, so only one that is newer by enough ends that. */
  beat(identity: Identity, beat: number): boolean {
    const member = this.#members.get(identity)
    return member !== undefined && this.#spoke(identity, member, beat)
  }

  #spoke(identity: Identity, member: Member, beat: number): boolean {
    if (member.state === 'left') return false
    member.aliveMs = this.#options.clock.monoMs()
    const wasSuspected = member.suspicion !== null
    if (member.suspicion && beat < member.suspicion.beat + REFUTING_BEATS) return false
    member.suspicion = null
    this.#turn(identity, member, 'up')
    return wasSuspected
  }

  forget(identity: Identity): void {
    this.#members.delete(identity)
    this.#suspects.delete(identity)
    this.#lists.clear()
  }

  /** Should this node ask around about a member that did not answer it? Not when it was heard, or when nobody is. */
  isWorthAsking(identity: Identity): boolean {
    const member = this.#members.get(identity)
    if (!member || (member.state !== 'up' && member.state !== 'suspect') || this.#heardLately(member) || this.isIsolated()) return false
    return (member.suspicion?.accusers.size ?? 0) <= MEMBERSHIP.confirmations
  }

  /** Neither it nor its go-betweens answered. `beat`: the last that is known of it here. */
  accuse(identity: Identity, beat: number): void {
    if (!this.isWorthAsking(identity)) return
    const member = this.#members.get(identity) as Member
    if (member.suspicion?.accusers.has(this.#options.self)) return
    this.#suspect(identity, member, this.#options.self, beat)
    this.#options.onAccusation(identity)
    this.#judge(identity, member)
  }

  /** Was it heard directly just now? */
  isHeard(identity: Identity): boolean {
    const member = this.#members.get(identity)
    return member !== undefined && this.#heardLately(member)
  }

  /** Would that accusation be news here? */
  wouldHear(subject: Identity, accuser: Identity): boolean {
    const member = this.#members.get(subject)
    if (!member || (member.state !== 'up' && member.state !== 'suspect') || this.#heardLately(member)) return false
    const accusers = member.suspicion?.accusers
    // More than can shorten the wait tell nothing new, and in a large grid there would be hundreds.
    return !accusers || (!accusers.has(accuser) && accusers.size <= MEMBERSHIP.confirmations)
  }

  /** Another node accuses it. `beat`: the last that is known of it here. Answers whether that was news. */
  rumour(subject: Identity, accuser: Identity, beat: number): boolean {
    if (!this.wouldHear(subject, accuser)) return false
    const member = this.#members.get(subject) as Member
    const isFirst = member.suspicion === null
    this.#suspect(subject, member, accuser, beat)
    if (isFirst || this.#others() <= MEMBERSHIP.witnesses) this.#options.onSuspicion(subject)
    this.#judge(subject, member)
    return true
  }

  /** Time passes: suspicions ripen. To be called every `tickMs`. */
  tick(): void {
    const now = this.#options.clock.monoMs()
    const lateMs = this.#lastTickMs === null ? 0 : now - this.#lastTickMs - MEMBERSHIP.tickMs
    this.#lastTickMs = now
    if (lateMs > MEMBERSHIP.stallMs) return this.#forgive(lateMs)
    const isolated = this.isIsolated()
    if (now - this.#silenceCheckedMs >= MEMBERSHIP.silenceCheckMs)
      this.#endSilent(isolated ? MEMBERSHIP.isolatedDownMs : this.#options.silentMs())
    if (!isolated) for (const identity of this.#suspects) this.#judge(identity, this.#members.get(identity) as Member)
  }

  #endSilent(patienceMs: number): void {
    const now = this.#options.clock.monoMs()
    this.#silenceCheckedMs = now
    for (const [identity, member] of this.#members) {
      const isThere = member.state === 'up' || member.state === 'suspect'
      if (isThere && now - member.aliveMs > patienceMs) this.#turn(identity, member, 'down')
    }
  }

  /**
   * Nothing from anybody for a while, though there is somebody: most likely the fault is here. With a single other node nobody can tell,
   * and that one is down as far as anyone can say.
   */
  isIsolated(): boolean {
    return this.heardNobodyForMs() > MEMBERSHIP.isolatedAfterMs && this.#others() >= 2
  }

  heardNobodyForMs(): number {
    if (this.#companySinceMs === null) return 0
    return this.#options.clock.monoMs() - Math.max(this.#lastHeardMs ?? 0, this.#companySinceMs)
  }

  #others(): number {
    let others = 0
    for (const member of this.#members.values()) if (member.state !== 'left') others++
    return others
  }

  /** The time that this process was held up counts against nobody. */
  #forgive(lateMs: number): void {
    const nowMs = this.#options.clock.monoMs()
    const later = (atMs: number): number => Math.min(nowMs, atMs + lateMs)
    if (this.#lastHeardMs !== null) this.#lastHeardMs = later(this.#lastHeardMs)
    for (const member of this.#members.values()) {
      member.aliveMs = later(member.aliveMs)
      if (member.heardMs !== null) member.heardMs = later(member.heardMs)
      if (member.datagramMs !== null) member.datagramMs = later(member.datagramMs)
      if (member.suspicion) member.suspicion.sinceMs = later(member.suspicion.sinceMs)
    }
  }

  #heardLately(member: Member): boolean {
    return member.heardMs !== null && this.#options.clock.monoMs() - member.heardMs < MEMBERSHIP.heardLatelyMs
  }

  #suspect(identity: Identity, member: Member, accuser: Identity, beat: number): void {
    member.suspicion ??= { sinceMs: this.#options.clock.monoMs(), beat, accusers: new Set() }
    member.suspicion.accusers.add(accuser)
    if (member.state === 'up') this.#turn(identity, member, 'suspect')
  }

  #judge(identity: Identity, member: Member): void {
    if (member.state !== 'suspect' || !member.suspicion) return
    const witnesses = this.others('up', 'suspect').length - 1
    const ageMs = this.#options.clock.monoMs() - member.suspicion.sinceMs
    if (ageMs < suspicionMs(member.suspicion.accusers.size, Math.min(MEMBERSHIP.confirmations, witnesses))) return
    this.#turn(identity, member, 'down')
  }

  #turn(identity: Identity, member: Member, to: NodeState): void {
    const from = member.state
    if (from === to) return
    member.state = to
    this.#lists.clear()
    if (to === 'suspect') this.#suspects.add(identity)
    else this.#suspects.delete(identity)
    member.sinceWallMs = this.#options.clock.wallMs()
    if (to !== 'suspect' && to !== 'down') member.suspicion = null
    this.#options.onChange({ identity, from, to })
  }
}

/**
 * How long a suspicion waits for a refutation, by Lifeguard's formula: from the longest time, with one accuser, down to the shortest, when
 * all the confirmations that can be expected are in. With no witness to wait for it is twice the shortest.
 */
export function suspicionMs(accusers: number, expectedConfirmations: number): number {
  const { suspicionMinMs: min, suspicionMaxMs: max } = MEMBERSHIP
  if (expectedConfirmations < 1) return 2 * min
  const share = Math.log(accusers) / Math.log(expectedConfirmations + 1)
  return Math.max(min, max - (max - min) * share)
}
