import { LIMITS, MidwatchError, type Identity } from '../contract/index.ts'
import { pick, type Address, type Clock, type Randomness } from '../platform/index.ts'
import { createAllowance, type Allowance } from './allowance.ts'
import { makeKeyChange, type KeyChange, type Removal } from './key-change.ts'
import type { KeyName, NodeKeys } from './keys.ts'
import type { KeyCall } from './meetings.ts'
import type { GridOptions } from './ports.ts'
import { KEY_CHANGE, type KeyRing } from './ring.ts'
import type { Signed } from './row.ts'
import type { RowTable } from './table.ts'
import type { Talk } from './talk.ts'
import { encodeMessage, type Message } from './wire.ts'

const KEY_RHYTHM = {
  /** One peer, by chance, is told which key there is: who missed it all calls, and a newcomer learns what led to it. */
  reminderMs: 5_000,
  /** Who still seals with the old key so long after the switch has not heard. */
  lateMs: 500,
  /** Between one round of calls that failed and the next, and as much again by chance: a large grid calls the maker all at once. */
  againMs: 300,
  /** At most so often a datagram that no key opens leads to a call: anybody can send one. */
  tryMs: 1_000,
  /** So long `CHANGES_WEIGHED` last: to read one of a large grid takes some ms, and a removed node may send them. */
  weighMs: 10_000,
} as const
/** Those who told of a key unknown here, to be called one after the other. */
const TELLERS_MAX = 8
const CALLS_MAX = 20
const CHANGES_WEIGHED = 4 * LIMITS.keyChanges
/** Changes that may follow on each other before the first is over. */
const CHANGES_AT_ONCE = 2
/** A newcomer hears of the change that made its key from about so many. */
const TELL_NEWCOMER = 3

type Unwanted = Pick<Removal, 'identity' | 'id'>

export type RekeyingOptions = Pick<GridOptions, 'saveRing' | 'onEvent'> & {
  readonly clock: Clock
  readonly random: Randomness
  readonly keys: NodeKeys
  readonly ring: KeyRing
  readonly table: RowTable
  readonly talk: Talk
  /** This node's label. */
  readonly label: string
  /** All others that have not left. */
  others(): readonly Identity[]
  /** Can nobody call this node? */
  callsOut(): boolean
  /** Is it down, or does this node hear nobody? */
  isLost(identity: Identity): boolean
  callKeys(address: Address): Promise<KeyCall>
  forget(identity: Identity): void
}

/** Changes of the grid's key: makes them, tells them, takes them, and keeps out who was removed. One at a time, on the disk before it takes effect. */
export class Rekeying {
  readonly #options: RekeyingOptions
  readonly #mayRemind: Allowance
  readonly #mayTry: Allowance
  readonly #mayWeigh: Allowance
  /** Who was heard under the current key. */
  readonly #heard = new Set<Identity>()
  readonly #tellers = new Set<Identity>()
  #takenMs = -Infinity
  #turn: Promise<unknown> = Promise.resolve()
  #cancelRetiring = (): void => {}
  #cancelReminder = (): void => {}
  #calling = false
  #stopped = false

  constructor(options: RekeyingOptions) {
    this.#options = options
    this.#mayRemind = createAllowance(options.clock, LIMITS.membersPerDatagram, 1_000)
    this.#mayTry = createAllowance(options.clock, 1, KEY_RHYTHM.tryMs)
    this.#mayWeigh = createAllowance(options.clock, CHANGES_WEIGHED, KEY_RHYTHM.weighMs)
    options.table.ban(options.ring.removed.map(({ identity }) => identity))
  }

  start(): void {
    const { ring } = this.#options
    // A change that was under way when this node stopped: perhaps nobody has heard of it.
    if (ring.isUnderWay) this.#announce()
    else if (ring.state.previous.length > 0) void this.#retire()
    this.#remindOne()
  }

  stop(): void {
    this.#stopped = true
    this.#cancelRetiring()
    this.#cancelReminder()
  }

  /** Changes the key; nodes named in `remove` do not get the new one. Errors: MW_REMOVED, MW_LIMIT, and what the disk says. */
  change(remove: readonly Unwanted[]): Promise<void> {
    const { ring } = this.#options
    if (ring.accepted().length > CHANGES_AT_ONCE) {
      const message = `${CHANGES_AT_ONCE} changes of key are under way; wait ${KEY_CHANGE.retireMs / 1_000} s`
      return Promise.reject(new MidwatchError('MW_LIMIT', message))
    }
    return this.#make(remove)
  }

  #make(remove: readonly Unwanted[]): Promise<void> {
    return this.#inTurn(async () => {
      const { ring, table, keys, clock, random, label } = this.#options
      if (ring.outcast) throw new MidwatchError('MW_REMOVED', `this node was removed from the grid on ${ring.outcast.by}`)
      const atMs = clock.wallMs()
      const fresh = remove.filter(({ identity }) => !ring.isRemoved(identity)).map((each) => ({ ...each, by: label, atMs }))
      const out = new Set(fresh.map(({ identity }) => identity))
      const members = [...table.entries()].filter(({ row }) => !row.left && !out.has(row.identity) && row.identity !== keys.identity)
      const order = {
        grid: ring.grid,
        generation: ring.generation + 1,
        by: label,
        atMs,
        removed: [...ring.removed, ...fresh],
        oldKey: ring.current.key,
        newKey: random.bytes(32),
        members: [keys.publicKey, ...members.map(({ row }) => row.publicKey)],
      }
      await this.#take(await makeKeyChange(order, keys, clock))
    })
  }

  /** Takes changes that came from elsewhere, as far as they hold. Answers whether there is a new key. What the disk does not take is not taken. */
  take(changes: readonly Signed[]): Promise<boolean> {
    const take = async (): Promise<boolean> => {
      let isNew = false
      for (const signed of changes) if (this.#mayWeigh()) isNew = (await this.#take(signed)) || isNew
      return isNew
    }
    return this.#inTurn(take).catch(() => false)
  }

  /** Nodes that have not been heard under this key. */
  waiting(): Identity[] {
    if (this.#options.ring.last === null) return []
    return this.#options.others().filter((identity) => !this.#heard.has(identity))
  }

  /** An authentic datagram came, sealed with that key. */
  heard(from: Identity, key: KeyName): void {
    const { ring, clock } = this.#options
    if (key === ring.current.name) this.#heard.add(from)
    else if (clock.monoMs() - this.#takenMs > KEY_CHANGE.switchMs + KEY_RHYTHM.lateMs) this.#remind(from)
  }

  /** Somebody told which key it has. */
  told(from: Identity, { generation, name }: Extract<Message, { type: 'key' }>): void {
    const { ring, talk, callsOut } = this.#options
    const lacksOrigin = name === ring.current.name && ring.last === null && generation > 1
    if (name === ring.current.name && !lacksOrigin) return
    const isBehind = ring.hasReplaced(name)
    // Of two nodes the one that can be called is: the other one hears which key there is here, and calls.
    if (isBehind ? !callsOut() : !talk.addressOf(from)) return this.#remind(from)
    if (this.#tellers.size < TELLERS_MAX) this.#tellers.add(from)
    void this.#call()
  }

  /** A datagram that no key opens came from that host. Where a node that is not heard was last, it may be that one, with another key. */
  unreadable(host: string): void {
    const { others, talk, isLost, callKeys } = this.#options
    if (!this.#mayTry()) return
    const lost = others().find((identity) => talk.addressOf(identity)?.host === host && isLost(identity))
    const address = lost && talk.addressOf(lost)
    if (address) void callKeys(address)
  }

  /** A node came, or started anew. */
  started(identity: Identity): void {
    const { ring, random, talk, table } = this.#options
    if (ring.last !== null && random.int(table.size) < TELL_NEWCOMER) talk.send(identity, this.#message())
  }

  // ── Taking ──

  async #take(signed: Signed): Promise<boolean> {
    const { ring, table, saveRing, onEvent } = this.#options
    const step = ring.weigh(signed, (maker) => table.get(maker) !== undefined)
    if (this.#stopped || step.step === 'nothing' || step.step === 'refuse') return false
    await saveRing(step.state)
    const before = new Set(ring.removed.map(({ identity }) => identity))
    ring.become(step.state)
    if (step.step === 'outcast') {
      this.#leaveAll(step.change)
      return false
    }
    table.ban(ring.removed.map(({ identity }) => identity))
    for (const removal of ring.removed) {
      if (!before.has(removal.identity) && step.step === 'take') onEvent({ type: 'removed', removal })
      this.#forget(removal.identity)
    }
    if (step.step === 'learn') {
      onEvent({ type: 'row', identity: this.#options.keys.identity })
      return false
    }
    this.#taken(step.change)
    this.#makeAgain(step.lost)
    return true
  }

  #taken(change: KeyChange): void {
    const { ring, table, keys, clock, onEvent } = this.#options
    this.#takenMs = clock.monoMs()
    this.#heard.clear()
    // Who did not get the new key is no member: one that came in by the old key just before, under another name, say.
    for (const { row } of table.entries()) {
      if (!row.left && row.identity !== keys.identity && !change.boxes.has(row.identity)) this.#forget(row.identity)
    }
    onEvent({ type: 'key', generation: ring.generation, key: ring.current.name, by: change.by })
    this.#announce()
  }

  /** The removals of a change of ours that lost are made again on top of the one that won. */
  #makeAgain(lost: readonly KeyChange[]): void {
    const { ring, keys } = this.#options
    const mine = lost.filter(({ maker }) => maker === keys.identity).flatMap(({ removed }) => removed)
    const again = mine.filter(({ identity }) => !ring.isRemoved(identity) && identity !== keys.identity)
    // Nobody waits for it: where the disk fails, the owner sees that the node is still there.
    if (again.length > 0) void this.#make(again).catch(() => {})
  }

  #leaveAll(change: KeyChange): void {
    const { table, talk, keys, onEvent } = this.#options
    talk.stop()
    for (const { row } of table.entries()) if (row.identity !== keys.identity) this.#forget(row.identity)
    onEvent({ type: 'outcast', by: change.by })
  }

  #forget(identity: Identity): void {
    if (this.#options.table.get(identity)) this.#options.forget(identity)
  }

  // ── Telling and asking ──

  #message(): Extract<Message, { type: 'key' }> {
    const { ring } = this.#options
    return { type: 'key', generation: ring.generation, name: ring.current.name }
  }

  #announce(): void {
    const { talk, others, clock } = this.#options
    for (const identity of others()) talk.sendByAnyKey(identity, this.#message())
    talk.tell('key', [encodeMessage(this.#message())])
    talk.soon()
    this.#cancelRetiring()
    this.#cancelRetiring = clock.after(KEY_CHANGE.retireMs + 1, () => void this.#retire())
  }

  /** Forgets the old key on the disk too. Where that fails the next start does it. */
  #retire(): Promise<void> {
    return this.#inTurn(async () => {
      const { ring, saveRing } = this.#options
      const state = ring.retired()
      if (this.#stopped || state.previous.length === ring.state.previous.length) return
      await saveRing(state)
      ring.become(state)
    }).catch(() => {})
  }

  #remind(identity: Identity): void {
    if (this.#mayRemind()) this.#options.talk.sendByAnyKey(identity, this.#message())
  }

  #remindOne(): void {
    const { clock, random, ring, talk, others } = this.#options
    const [peer] = ring.last === null || ring.outcast ? [] : pick(random, others(), 1)
    if (peer) talk.send(peer, this.#message())
    this.#cancelReminder = clock.after(KEY_RHYTHM.reminderMs * (0.9 + random.int(200) / 1_000), () => this.#remindOne())
  }

  /** Calls those who told of another key, until one of them hands it over. */
  async #call(): Promise<void> {
    if (this.#calling) return
    this.#calling = true
    const { talk, callKeys, clock, random } = this.#options
    for (let calls = 0; calls < CALLS_MAX && this.#tellers.size > 0 && !this.#stopped; calls++) {
      const tellers = [...this.#tellers]
      const teller = tellers[calls % tellers.length] as Identity
      const address = talk.addressOf(teller)
      const call = address ? await callKeys(address) : 'same'
      if (call === 'taken') this.#tellers.clear()
      else if (call === 'same') this.#tellers.delete(teller)
      else if (calls % tellers.length === tellers.length - 1) {
        const pauseMs = KEY_RHYTHM.againMs + random.int(KEY_RHYTHM.againMs)
        await new Promise<void>((resolve) => void clock.after(pauseMs, resolve))
      }
    }
    this.#tellers.clear()
    this.#calling = false
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work)
    this.#turn = mine.catch(() => {})
    return mine
  }
}
