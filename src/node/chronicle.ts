import {
  LIMITS,
  type GraphLink,
  type GraphNode,
  type Identity,
  type JournalEntry,
  type JournalEvent,
  type Timeline,
  type TimelineEntry,
} from '../contract/index.ts'
import type { LinkClaim } from '../grid/index.ts'
import type { Clock } from '../platform/index.ts'
import type { Store } from '../store/index.ts'
import { timelineText } from '../tell/index.ts'

/** Entries are read back from the store so soon after they were written, a few together. */
const TELL_MS = 60
const TELL_MAX = 200

const told = (entry: JournalEntry): TimelineEntry => ({ seq: entry.seq, at: entry.at, ...timelineText(entry), event: entry.event })

/** Writes what happens into the journal, and tells who listens once it has its place there. */
export class Chronicle {
  readonly #store: Store
  readonly #clock: Clock
  readonly #listeners = new Set<(entry: TimelineEntry) => void>()
  /** The label that each node is shown under which did not get its own. */
  readonly #conflicts = new Map<Identity, string>()
  #pending: (() => void) | null = null
  #toldSeq: number | null = null

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  append(event: JournalEvent): void {
    this.#store.append(event)
    if (this.#listeners.size > 0) this.#pending ??= this.#clock.after(TELL_MS, () => void this.#tell())
  }

  /** Resolves when the event is on the disk: for what must be written down before it takes effect. */
  async appendForGood(event: JournalEvent): Promise<void> {
    this.append(event)
    await this.#store.flush()
  }

  /** Writes the turns between two versions of a node's row. */
  appendTurns(before: readonly LinkClaim[], after: readonly LinkClaim[], fromNode: string, nameOf: (link: LinkClaim) => string): void {
    const known = new Map(before.map((link) => [`${link.toType}:${link.to}`, link]))
    for (const link of after) {
      const old = known.get(`${link.toType}:${link.to}`)
      const from: GraphLink['state'] = old?.state ?? 'unknown'
      if (from === link.state && (old?.dead ?? null) === link.dead) continue
      const { toType, kind, dead, detail } = link
      this.append({ type: 'link.changed', fromNode, toName: nameOf(link), toType, kind, from, to: link.state, dead, detail })
    }
  }

  /** Two nodes want one label: written once for each that had to take another. */
  appendConflicts(nodes: readonly Pick<GraphNode, 'identity' | 'id' | 'wantedId'>[]): void {
    for (const { identity, wantedId, id } of nodes) {
      if (wantedId === null) this.#conflicts.delete(identity)
      else if (this.#conflicts.get(identity) !== id) {
        this.#conflicts.set(identity, id)
        this.append({ type: 'id.conflict', identity, wanted: wantedId, shown: id })
      }
    }
  }

  async timeline(query: { limit: number; before?: number; untilMs?: number }): Promise<Timeline> {
    const entries = await this.#store.journal(query)
    return { entries: entries.map(told) }
  }

  /** A link's changes of state since then, oldest first; of very many the newest. */
  async turns({ from, to, toType }: GraphLink, fromMs: number): Promise<TimelineEntry[]> {
    const entries = await this.#store.turns(from, to, fromMs, LIMITS.historyTurns)
    return entries
      .filter(({ event }) => event.type === 'link.changed' && event.toType === toType)
      .map(told)
      .toReversed()
  }

  listen(listener: (entry: TimelineEntry) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  stop(): void {
    this.#pending?.()
  }

  async #tell(): Promise<void> {
    this.#pending = null
    const { entries } = await this.timeline({ limit: TELL_MAX })
    const fresh = entries.filter((entry) => entry.seq > (this.#toldSeq ?? entry.seq - 1)).toReversed()
    // The first time there is no telling what the listeners have seen: only the newest entry is surely new.
    const news = this.#toldSeq === null ? fresh.slice(-1) : fresh
    this.#toldSeq = entries[0]?.seq ?? this.#toldSeq
    for (const entry of news) for (const listener of this.#listeners) listener(entry)
  }
}
