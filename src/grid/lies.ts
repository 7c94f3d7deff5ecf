import { LIMITS, type Identity, type Lie } from '../contract/index.ts'
import type { Clock } from '../platform/index.ts'

/** A node that was caught is shown as such for so long after the last time. */
const REMEMBERED_MS = 3_600_000

/** What nodes were caught at, by this node itself or by proof that another sent. */
export class Lies {
  readonly #clock: Clock
  readonly #onLie: (identity: Identity, lie: Lie) => void
  readonly #caughtMs = new Map<Identity, Map<Lie, number>>()

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

  of(identity: Identity): Lie[] {
    const nowMs = this.#clock.monoMs()
    return [...(this.#caughtMs.get(identity) ?? [])].flatMap(([lie, atMs]) => (nowMs - atMs < REMEMBERED_MS ? [lie] : []))
  }

  forget(identity: Identity): void {
    this.#caughtMs.delete(identity)
  }
}
