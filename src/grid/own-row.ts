import type { Degraded } from '../contract/index.ts'
import { createAllowance, type Allowance } from './allowance.ts'
import type { Clock } from '../platform/index.ts'
import type { NodeKeys } from './keys.ts'
import type { GridOptions } from './ports.ts'
import { RHYTHM } from './rhythm.ts'
import { signPulse, signRow, type LinkClaim, type Row, type Signed } from './row.ts'
import { REFUTING_BEATS } from './rumour.ts'
import { signSketches, type Figure } from './sketch.ts'
import type { RowTable } from './table.ts'

/** The allowance of new versions grows by one in so long. */
const TOKEN_MS = 1_000

export type OwnRowOptions = Pick<GridOptions, 'keys' | 'card' | 'incarnation' | 'reserveIncarnation'> & {
  readonly clock: Clock
  readonly table: RowTable
  /** Between two new versions when links turn without end. */
  rowMs(): number
  /** A row went into the table and is to be told. */
  onRow(): void
  onPulse(pulse: Signed): void
  onDegraded(reasons: readonly Degraded[]): void
}

/** What this node says: its row, its heartbeat and its figures, at versions that only rise. */
export class OwnRow {
  readonly #options: OwnRowOptions
  readonly #keys: NodeKeys
  #row: Row
  /** As last published, to tell it from one that somebody else made. */
  #published: Signed | null = null
  #beat = 0
  #figures: readonly Figure[] = []
  #sketched = 0
  #outlivedMs: number | null = null
  #outliveMs: number = RHYTHM.outliveMs
  readonly #mayPublish: Allowance
  #waiting = false
  #state: 'silent' | 'speaking' | 'stopped' = 'silent'

  constructor(options: OwnRowOptions) {
    this.#options = options
    this.#keys = options.keys
    this.#mayPublish = createAllowance(options.clock, RHYTHM.rowsAtOnce, RHYTHM.rowsAtOnce * TOKEN_MS)
    this.#row = {
      identity: options.keys.identity,
      publicKey: options.keys.publicKey,
      incarnation: options.incarnation,
      version: 0,
      ...options.card,
      left: false,
      degraded: [],
      links: [],
    }
  }

  get row(): Row {
    return this.#row
  }

  start(): void {
    this.#state = 'speaking'
    this.publish()
    this.pulse()
  }

  stop(): void {
    this.#state = 'stopped'
  }

  setLinks(links: readonly LinkClaim[], degraded: readonly Degraded[]): void {
    if (this.#row.left || (isSame(links, this.#row.links) && degraded.join() === this.#row.degraded.join())) return
    if (degraded.join() !== this.#row.degraded.join()) this.#options.onDegraded(degraded)
    this.#row = { ...this.#row, links, degraded }
    this.#publishIfSpeaking()
  }

  setFigures(figures: readonly Figure[]): void {
    this.#figures = figures
  }

  setAddress(address: string | null): void {
    if (address === this.#row.address || this.#row.left) return
    this.#row = { ...this.#row, address }
    this.#publishIfSpeaking()
  }

  leave(): void {
    this.#row = { ...this.#row, left: true, links: [] }
    this.publish()
  }

  /** At once as a rule. When states turn without end the newest is told now and then: each version costs every node of the grid something. */
  #publishIfSpeaking(): void {
    if (this.#state !== 'speaking' || this.#waiting) return
    const rowMs = this.#options.rowMs()
    const cost = Math.min(RHYTHM.rowsAtOnce, rowMs / TOKEN_MS)
    if (this.#mayPublish(cost)) return this.publish()
    this.#waiting = true
    this.#options.clock.after(rowMs, () => {
      this.#waiting = false
      if (this.#state !== 'speaking' || this.#row.left) return
      this.#mayPublish(cost)
      this.publish()
    })
  }

  publish(): void {
    this.#row = { ...this.#row, version: this.#row.version + 1 }
    this.#published = signRow(this.#row, this.#keys)
    this.#options.table.apply(this.#published, this.#options.clock.monoMs())
    this.#options.onRow()
  }

  /** The next heartbeat. It carries no figures: those go in sketches, less often. */
  pulse(): Signed {
    const { identity, incarnation, version } = this.#row
    const signed = signPulse({ identity, incarnation, beat: ++this.#beat, version, figures: [] }, this.#keys)
    this.#options.table.applyPulse(signed, this.#options.clock.monoMs())
    this.#options.onPulse(signed)
    return signed
  }

  /** The figures as they are now, signed; none before there are any. */
  sketches(): Signed[] {
    return signSketches(this.#row, ++this.#sketched, this.#figures, this.#keys)
  }

  /** Goes beyond a beat that somebody accuses. Null for a beat that this node never made. */
  refute(beat: number): Signed | null {
    if (beat > this.#beat) return null
    this.#beat += REFUTING_BEATS - 1
    return this.pulse()
  }

  /**
   * Goes beyond what the table holds of this node itself. Ever more slowly when that goes on: two nodes with one identity (a copied disk)
   * would drive each other up as fast as the network carries.
   */
  outlive(): void {
    const { clock, table } = this.#options
    const nowMs = clock.monoMs()
    const waitMs = this.#outlivedMs === null ? 0 : this.#outlivedMs + this.#outliveMs - nowMs
    if (waitMs > 0) {
      clock.after(waitMs, () => this.#state === 'stopped' || this.outlive())
      return
    }
    const held = table.get(this.#row.identity)
    if (!held || held.signed === this.#published) return
    const isAgain = this.#outlivedMs !== null && nowMs - this.#outlivedMs < 4 * this.#outliveMs
    this.#outliveMs = isAgain ? Math.min(2 * this.#outliveMs, RHYTHM.outliveMostMs) : RHYTHM.outliveMs
    this.#outlivedMs = nowMs
    const incarnation = held.row.incarnation + 1
    this.#options.reserveIncarnation(incarnation)
    this.#row = { ...this.#row, incarnation, version: 0 }
    this.#beat = 0
    if (this.#state !== 'speaking') return
    this.publish()
    this.pulse()
  }
}

/** Asked several times a second with mostly the very same claims, so those are not looked into. */
function isSame(links: readonly LinkClaim[], before: readonly LinkClaim[]): boolean {
  return (
    links.length === before.length && links.every((link, at) => link === before[at] || JSON.stringify(link) === JSON.stringify(before[at]))
  )
}
