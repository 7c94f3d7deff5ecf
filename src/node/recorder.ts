import type { Identity } from '../contract/index.ts'
import type { Grid } from '../grid/index.ts'
import { every, type Clock } from '../platform/index.ts'
import { changeOf, type KeptNode, type RunCard, type Store } from '../store/index.ts'
import { cardOf } from './facts.ts'

export type RecorderOptions = {
  readonly clock: Clock
  readonly store: Pick<Store, 'keepFact'>
  grid(): Grid
  gridName(): string
}

/** A row and what membership makes of it are two events, one after the other. */
const TOGETHER_MS = 20
/** A node that changes all the time is written down no more often. */
const APART_MS = 1_000
/** A node is written down whole again after so many changes, so that few have to be read, or so long, so that what is old can go. */
const WHOLE_AGAIN = { changes: 64, afterMs: 6 * 3_600_000 }
/** After a kill nobody says when this node ended; it was there this long before at most. */
const ALIVE_MS = 10_000
/** What one node may have written of it, in characters: a liar that turns all its links each second must not push out everyone's past. */
const ALLOWANCE = { burst: 262_144, perMs: 1 }
/** Links looked at before others of the main thread's work get their turn. */
const LINKS_AT_ONCE = 4_000

/** A time at which something became different, and the graph's hash then. `kept`: a record of that time is written. */
type Moment = { readonly atMs: number; hash: string; kept: boolean }
type Kept = { node: KeptNode; wholeMs: number; changes: number; nextMs: number; paidMs: number }

/**
 * Writes down what this node knows of every node, each time that it changes, for the past to be judged again. One stretch of doing so without
 * a break is a run. A run ends with this node, with its grid, and where the wall clock goes back or the store could not take everything.
 */
export class Recorder {
  readonly #options: RecorderOptions
  readonly #kept = new Map<Identity, Kept>()
  /** Nodes to write down, with the time at which they last changed. */
  readonly #changed = new Map<Identity, Moment>()
  #moment: Moment = { atMs: 0, hash: '', kept: true }
  #grid: Grid | null = null
  #runMs = 0
  #running = false
  #cancelFlush: (() => void) | null = null
  #cancelAlive = (): void => {}

  constructor(options: RecorderOptions) {
    this.#options = options
  }

  start(): void {
    this.#running = true
    this.begin()
    this.#cancelAlive = every(this.#options.clock, ALIVE_MS, () => this.catchUp())
  }

  stop(): void {
    if (!this.#running) return
    this.#write(Infinity)
    this.#alive()
    this.#running = false
    this.#cancelAlive()
    this.#cancelFlush?.()
  }

  /** A node came, went, or became different. */
  noticed(identity: Identity): void {
    if (!this.#running || this.#isOver()) return
    this.#changed.set(identity, this.#now())
    this.#flushIn(TOGETHER_MS)
  }

  /** Begins a new run: everything is written down whole. */
  begin(): void {
    if (!this.#running) return
    const { clock, grid } = this.#options
    this.#grid = grid()
    this.#runMs = Math.max(clock.wallMs(), this.#runMs === clock.wallMs() ? this.#runMs + 1 : 0)
    this.#moment = { atMs: this.#runMs, hash: hashOf(this.#grid), kept: false }
    this.#kept.clear()
    this.#changed.clear()
    if (!this.#alive()) return this.#lose()
    for (const identity of this.#grid.table.identities()) this.#changed.set(identity, this.#moment)
    this.#flushIn(0)
  }

  /** What can be written now is, and that this node is still there. */
  catchUp(): void {
    if (!this.#running || this.#isOver()) return
    this.#write(LINKS_AT_ONCE)
    if (!this.#alive()) this.#lose()
  }

  /** True where this run could not go on, and another was begun. */
  #isOver(): boolean {
    const isBack = this.#options.clock.wallMs() < this.#moment.atMs - APART_MS
    if (this.#grid === this.#options.grid() && !isBack) return false
    this.begin()
    return true
  }

  #now(): Moment {
    const atMs = Math.max(this.#options.clock.wallMs(), this.#moment.atMs + (this.#moment.kept ? 1 : 0))
    const hash = hashOf(this.#options.grid())
    if (atMs === this.#moment.atMs) this.#moment.hash = hash
    else this.#moment = { atMs, hash, kept: false }
    return this.#moment
  }

  #flushIn(delayMs: number): void {
    this.#cancelFlush ??= this.#options.clock.after(delayMs, () => {
      this.#cancelFlush = null
      this.#write(LINKS_AT_ONCE)
    })
  }

  #write(linksAtMost: number): void {
    const nowMs = this.#options.clock.monoMs()
    let links = linksAtMost
    let soonestMs = Infinity
    for (const [identity, moment] of this.#changed) {
      const waitMs = linksAtMost === Infinity ? 0 : (this.#kept.get(identity)?.nextMs ?? 0) - nowMs
      if (waitMs > 0 || links <= 0) {
        soonestMs = Math.min(soonestMs, Math.max(waitMs, TOGETHER_MS))
        continue
      }
      this.#changed.delete(identity)
      const entry = this.#options.grid().table.get(identity)
      const node = entry ? { ...cardOf(this.#options.grid(), entry.row), links: entry.row.links } : null
      links -= 1 + (node?.links.length ?? 0)
      if (!this.#keep(identity, node, moment)) return this.#lose()
    }
    if (soonestMs < Infinity) this.#flushIn(soonestMs)
  }

  /** False when the store refused it. */
  #keep(identity: Identity, node: KeptNode | null, moment: Moment): boolean {
    const kept = this.#kept.get(identity)
    const { atMs, hash } = moment
    const record = { runMs: this.#runMs, identity, atMs, hash }
    if (!node) {
      this.#kept.delete(identity)
      moment.kept = true
      return !kept || this.#options.store.keepFact({ kind: 'gone', ...record, json: '' })
    }
    const change = kept ? changeOf(kept.node, node) : null
    if (kept && !change) return true
    const isWhole = !kept || kept.changes >= WHOLE_AGAIN.changes || atMs - kept.wholeMs >= WHOLE_AGAIN.afterMs
    const json = JSON.stringify(isWhole ? node : change)
    moment.kept = true
    const nowMs = this.#options.clock.monoMs()
    const paidMs = Math.max(nowMs, kept?.paidMs ?? 0) + json.length / ALLOWANCE.perMs
    this.#kept.set(identity, {
      node,
      wholeMs: isWhole ? atMs : kept.wholeMs,
      changes: isWhole ? 0 : kept.changes + 1,
      nextMs: Math.max(nowMs + APART_MS, paidMs - ALLOWANCE.burst / ALLOWANCE.perMs),
      paidMs,
    })
    return this.#options.store.keepFact({ kind: isWhole ? 'whole' : 'change', ...record, json })
  }

  #alive(): boolean {
    const card: RunCard = { self: this.#options.grid().self, grid: this.#options.gridName() }
    const atMs = Math.max(this.#options.clock.wallMs(), this.#moment.atMs)
    return this.#options.store.keepFact({ kind: 'run', runMs: this.#runMs, atMs, json: JSON.stringify(card) })
  }

  /** What is missing would make all that follows wrong: this run ends, and the next look begins another. */
  #lose(): void {
    this.#changed.clear()
    this.#grid = null
  }
}

const hashOf = (grid: Grid): string => Buffer.from(grid.table.hash()).toString('hex')
