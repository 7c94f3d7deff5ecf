import { LIMITS, type Identity, type Lie } from '../contract/index.ts'
import { pick, type Clock, type Randomness } from '../platform/index.ts'

/** A node that was caught is shown as such for so long after the last time. */
const REMEMBERED_MS = 3_600_000

/** Proofs kept at a time. Whoever has more liars than that knows enough. */
const PROOFS = 16

/** What nodes were caught at, by this node itself or by proof that another sent. */
export class Lies {
  readonly #clock: Clock
  readonly #onLie: (identity: Identity, lie: Lie) => void
  readonly #caughtMs = new Map<Identity, Map<Lie, number>>()
  /** Two rows of one version each, as messages. */
  readonly #proofs = new Map<Identity, readonly Uint8Array[]>()

  constructor(clock: Clock, onLie: (identity: Identity, lie: Lie) => void) {
    this.#clock = clock
    this.#onLie = onLie
  }

  /** Answers whether that was news. */
  caught(identity: Identity, lie: Lie): boolean {
    const isNews = !this.of(identity).includes(lie)
    const known = this.#caughtMs.get(identity) ?? new Map<Lie, number>()
    known.set(lie, this.#clock.monoMs())
    this.#caughtMs.set(identity, known)
    if (this.#caughtMs.size > LIMITS.nodes) this.#caughtMs.delete(this.#caughtMs.keys().next().value as Identity)
    if (isNews) this.#onLie(identity, lie)
    return isNews
  }

  /** Keeps what shows it to everyone, also to those who were away when it was told. */
  prove(identity: Identity, messages: readonly Uint8Array[]): void {
    this.#proofs.delete(identity)
    this.#proofs.set(identity, messages)
    if (this.#proofs.size > PROOFS) this.#proofs.delete(this.#proofs.keys().next().value as Identity)
  }

  /** One of the proofs, or null when there is none. */
  someProof(random: Randomness): readonly Uint8Array[] | null {
    const [identity] = pick(random, [...this.#proofs.keys()], 1)
    if (identity === undefined) return null
    if (this.of(identity).length > 0) return this.#proofs.get(identity) ?? null
    this.#proofs.delete(identity)
    return null
  }

  of(identity: Identity): Lie[] {
    const nowMs = this.#clock.monoMs()
    return [...(this.#caughtMs.get(identity) ?? [])].flatMap(([lie, atMs]) => (nowMs - atMs < REMEMBERED_MS ? [lie] : []))
  }

  forget(identity: Identity): void {
    this.#caughtMs.delete(identity)
    this.#proofs.delete(identity)
  }
}
