import type { Identity } from '../contract/index.ts'
import { LIMITS } from '../contract/index.ts'
import type { Clock } from '../platform/index.ts'
import { beats, openBox, readKeyChange, removes, type KeyChange, type Removal } from './key-change.ts'
import { gridName, handoverSecret, keyName, type KeyName, type NodeKeys } from './keys.ts'
import type { Signed } from './row.ts'

/** The time-line of a change, on each node from when it took the new key. */
export const KEY_CHANGE = {
  /** Until then the old key still seals: the others have to hear of the new one first. */
  switchMs: 2_000,
  /** Then the old key is forgotten. */
  retireMs: LIMITS.oldKeyMs,
} as const

/** Keys held at once: changes that follow on each other within `retireMs`. */
const HELD_MAX = 4
/** Names of old keys that are remembered: a key a day for years. */
const REPLACED_MAX = 1_000

export type GridKey = { readonly name: KeyName; readonly key: Uint8Array }
type HeldKey = GridKey & { sealsFromMs: number; untilMs: number }

/** What a node keeps of its keys from one start to the next. */
export type RingState = {
  readonly key: Uint8Array
  /** Wall clock; null for a key that no change brought here. */
  readonly takenMs: number | null
  /** Keys before it, while a change is under way. */
  readonly previous: readonly Uint8Array[]
  /** The changes that led to the key, oldest first: handed on to who missed them. */
  readonly changes: readonly Signed[]
  /** Handover secrets of the keys that these changes replaced, where this node held them. */
  readonly secrets: readonly (readonly [KeyName, Uint8Array])[]
  /** Every key that this node held in this grid, so that a file which still names one of them is understood. */
  readonly replaced: readonly KeyName[]
  /** Who took this node out of the grid, and when. */
  readonly outcast: { readonly by: string; readonly atMs: number } | null
}

/** What a change means here. With a `state` it takes effect once that is on the disk, by `become`. */
export type Step =
  | {
      readonly step: 'take' | 'learn' | 'outcast'
      readonly state: RingState
      readonly change: KeyChange
      readonly lost: readonly KeyChange[]
    }
  /** Known already, or another change of that key goes before it. */
  | { readonly step: 'nothing' }
  | { readonly step: 'refuse' }

type Link = { readonly signed: Signed; readonly change: KeyChange }

/** A grid's first key, or one that came without its history. */
export const ringStateOf = (key: Uint8Array): RingState => ({
  key,
  takenMs: null,
  previous: [],
  changes: [],
  secrets: [],
  replaced: [],
  outcast: null,
})

/** Is this the key of that ring, or one that it replaced? */
export function isOfRing(key: Uint8Array, { key: current, replaced }: RingState): boolean {
  const name = keyName(key)
  return name === keyName(current) || replaced.includes(name)
}

/** The grid's key as it changes: which keys are accepted, which one seals, and what is handed to nodes that were away. */
export class KeyRing {
  readonly #clock: Clock
  readonly #keys: NodeKeys
  #state: RingState
  #chain: readonly Link[]
  /** Oldest first; the last is the current one. */
  #held: HeldKey[]

  constructor(state: RingState, keys: NodeKeys, clock: Clock) {
    this.#clock = clock
    this.#keys = keys
    this.#state = state
    this.#chain = linksOf(state.changes)
    const agoMs = state.takenMs === null ? Infinity : clock.wallMs() - state.takenMs
    // A change that was under way at a stop goes on; with a clock that was set back it is taken for over.
    const isUnderWay = agoMs >= 0 && agoMs < KEY_CHANGE.retireMs
    const nowMs = clock.monoMs()
    this.#held = [
      ...(isUnderWay ? state.previous : []).map((key) => held(key, nowMs, nowMs + KEY_CHANGE.retireMs - agoMs)),
      held(state.key, isUnderWay ? nowMs + Math.max(0, KEY_CHANGE.switchMs - agoMs) : nowMs),
    ]
  }

  get state(): RingState {
    return this.#state
  }

  /** Public name of the grid: that of its first key. */
  get grid(): string {
    return this.last?.grid ?? gridName(this.#state.key)
  }

  get generation(): number {
    return this.last?.generation ?? 1
  }

  get current(): GridKey {
    return this.#held.at(-1) as HeldKey
  }

  /** The change that made the current key; null for the first one. */
  get last(): KeyChange | null {
    return this.#chain.at(-1)?.change ?? null
  }

  get removed(): readonly Removal[] {
    return this.last?.removed ?? []
  }

  get outcast(): RingState['outcast'] {
    return this.#state.outcast
  }

  isRemoved(identity: Identity): boolean {
    return this.last !== null && removes(this.last, identity)
  }

  get isUnderWay(): boolean {
    return this.accepted().length > 1
  }

  /** The key that seals now. */
  sealing(): GridKey {
    const nowMs = this.#clock.monoMs()
    return this.accepted().findLast((key) => key.sealsFromMs <= nowMs) ?? (this.#held[0] as HeldKey)
  }

  /** The keys that open now, oldest first. */
  accepted(): readonly HeldKey[] {
    const nowMs = this.#clock.monoMs()
    if (this.#held.some((key) => key.untilMs <= nowMs)) this.#held = this.#held.filter((key) => key.untilMs > nowMs)
    return this.#held
  }

  /** What a caller that holds the key of this name proves itself by; null for a key unknown here. */
  secretOf(name: KeyName): Uint8Array | null {
    const key = this.accepted().find((each) => each.name === name)?.key
    return key ? handoverSecret(key) : (this.#state.secrets.find(([each]) => each === name)?.[1] ?? null)
  }

  /** Names to call others by, newest first: who is on another branch still knows the key where it began. */
  names(): KeyName[] {
    return [...new Set([this.current.name, ...this.#chain.map(({ change }) => change.from).toReversed()])].filter((name) =>
      this.secretOf(name),
    )
  }

  /** The changes since a key, and with `origin` the one that made it. */
  changesSince(name: KeyName, origin: boolean): Signed[] {
    const at = this.#chain.findIndex(({ change }) => change.from === name || (origin && change.to === name))
    return at < 0 ? [] : this.#chain.slice(at).map(({ signed }) => signed)
  }

  /** Is this the name of a key that was replaced here? */
  hasReplaced(name: KeyName): boolean {
    return this.#chain.some(({ change }) => change.from === name)
  }

  /** Says what a change from elsewhere means here. `knows`: is its maker on the map? */
  weigh(signed: Signed, knows: (maker: Identity) => boolean): Step {
    const change = readKeyChange(signed)
    if (!change || this.outcast) return { step: 'refuse' }
    if (this.#chain.some((link) => link.change.to === change.to)) return { step: 'nothing' }
    if (change.to === this.current.name)
      return { step: 'learn', change, lost: [], state: { ...this.#state, changes: [signed], secrets: [] } }
    const fork = this.#chain.findIndex((link) => link.change.from === change.from)
    const rival = this.#chain[fork]?.change
    const generation = rival?.generation ?? this.generation + 1
    const secret = rival || change.from === this.current.name ? this.secretOf(change.from) : null
    if (!secret || change.grid !== this.grid || change.generation !== generation || !change.isProven(secret)) return { step: 'refuse' }
    // Whoever holds the current key is of this grid. The key of a fork is an older one, which a removed node holds too.
    const isRemoved = this.isRemoved(change.maker)
    if (rival ? (isRemoved ? !this.isUnderWay : !knows(change.maker)) : isRemoved) return { step: 'refuse' }
    if (rival && !beats(change, rival)) return { step: 'nothing' }
    const lost = rival ? this.#chain.slice(fork).map((link) => link.change) : []
    if (removes(change, this.#keys.identity) || !change.boxes.has(this.#keys.identity)) {
      const outcast = { by: change.by, atMs: this.#clock.wallMs() }
      return { step: 'outcast', change, lost, state: { ...this.#state, previous: [], outcast } }
    }
    const key = openBox(change, this.#keys, secret)
    if (!key) return { step: 'refuse' }
    return { step: 'take', change, lost, state: this.#after(signed, change, key, rival ? fork : this.#chain.length) }
  }

  #after(signed: Signed, change: KeyChange, key: Uint8Array, fork: number): RingState {
    const chain = [...this.#chain.slice(0, fork), { signed, change }].slice(-LIMITS.keyChanges)
    const secrets = chain.flatMap((link): (readonly [KeyName, Uint8Array])[] => {
      const secret = this.secretOf(link.change.from)
      return secret ? [[link.change.from, secret]] : []
    })
    return {
      key,
      takenMs: this.#clock.wallMs(),
      previous: this.accepted()
        .slice(1 - HELD_MAX)
        .map((each) => each.key),
      changes: chain.map((link) => link.signed),
      secrets,
      replaced: [...this.#state.replaced, this.current.name].slice(-REPLACED_MAX),
      outcast: null,
    }
  }

  /** Takes a state that is on the disk now. */
  become(state: RingState): void {
    const nowMs = this.#clock.monoMs()
    const isNewKey = keyName(state.key) !== this.current.name
    const replaced = this.current.name
    this.#state = state
    this.#chain = linksOf(state.changes)
    if (!isNewKey) return
    const isFollower = this.last?.from === replaced
    this.#held = this.accepted()
      .slice(1 - HELD_MAX)
      .map((each) => ({
        ...each,
        untilMs: Math.min(each.untilMs, nowMs + KEY_CHANGE.retireMs),
        // The key of a change that lost must not begin to seal: most nodes never get it.
        sealsFromMs: isFollower || each.sealsFromMs <= nowMs ? each.sealsFromMs : Infinity,
      }))
    this.#held.push(held(state.key, nowMs + KEY_CHANGE.switchMs))
  }

  /** The state without the keys that have had their time. */
  retired(): RingState {
    return {
      ...this.#state,
      previous: this.accepted()
        .slice(0, -1)
        .map((each) => each.key),
    }
  }
}

function held(key: Uint8Array, sealsFromMs: number, untilMs = Infinity): HeldKey {
  return { name: keyName(key), key, sealsFromMs, untilMs }
}

function linksOf(changes: readonly Signed[]): Link[] {
  return changes.flatMap((signed) => {
    const change = readKeyChange(signed)
    return change ? [{ signed, change }] : []
  })
}
