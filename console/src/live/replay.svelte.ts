import type { Graph, Past, TimelineEntry } from '../../../src/contract/index.ts'
import { type Links, indexLinks } from '../model/links.ts'
import { type Range, changesOf, nextChange, previousChange, rangeOf, spanFor } from '../model/past.ts'
import { api, wordsOf } from './api.ts'
import { live } from './live.svelte.ts'
import { router } from './router.svelte.ts'

/** What is known of one moment. */
export type Picture = { readonly at: string; readonly graph: Graph; readonly links: Links; readonly changes: readonly TimelineEntry[] }

/** How long each moment stands while the past is replayed. */
const DWELL_MS = { slow: 2_500, normal: 1_000, fast: 250 } as const
export type Speed = keyof typeof DWELL_MS
export const SPEEDS = Object.keys(DWELL_MS) as readonly Speed[]

const REFRESH_MS = 10_000
/** Changes are told at once by the node, so without one only the end of the range has moved. */
const REFRESH_AT_LEAST_MS = 60_000
const CHANGES_SHOWN = 100
/** Lines of the journal that are looked through for the next stop. */
const MARK_ENTRIES = 500
/** Links of all kept pictures together: some 40 MB, and hundreds of moments of a small grid. */
const KEPT_LINKS = 100_000
const KEPT_PICTURES = 200

/** The past as this page shows it. The address says which moment; live events go on beside it and never touch it. */
class Replay {
  /** The bar is open; it also is whenever a moment is shown. */
  wanted = $state(false)
  /** The night, at first. */
  spanMs = $state(12 * 3_600_000)
  past = $state.raw<Past | null>(null)
  picture = $state.raw<Picture | null>(null)
  /** Why there is no picture of the moment that the address names. */
  problem = $state('')
  /** Why there are no marks. */
  markProblem = $state('')
  playing = $state(false)
  speed = $state<Speed>('normal')
  /** Counts pictures, as `live.shape` does. */
  shape = $state(0)

  readonly at = $derived(router.route.at)
  readonly atMs = $derived(this.at === null ? null : Date.parse(this.at))
  readonly open = $derived(this.wanted || this.at !== null)
  /** The picture is still that of another moment. */
  readonly loading = $derived(this.at !== null && this.problem === '' && this.picture?.at !== this.at)
  readonly range: Range | null = $derived(this.past ? rangeOf(this.past, this.spanMs) : null)
  readonly moments = $derived(this.past?.moments ?? [])
  readonly next = $derived(this.atMs === null ? null : nextChange(this.moments, this.atMs))
  /** Whether there may be one: a mark may stand for several changes. */
  readonly hasPrevious = $derived(this.moments.length > 0 && (this.atMs ?? Infinity) > (this.range?.fromMs ?? Infinity))

  readonly #kept = new Map<string, Picture>()
  #asking: AbortController | null = null
  #run: AbortController | null = null
  /** Where playing went last: whoever goes elsewhere has taken over. */
  #playedTo: string | null = null
  #stepping = false
  #loadedMs = 0
  #loadedSeq = 0

  /** Brings the picture to the moment of the address. One request at a time, then the newest wish: the picture follows a drag. */
  async follow(at: string | null): Promise<void> {
    if (at === null) {
      this.pause()
      this.#asking?.abort()
      this.picture = null
      this.problem = ''
      return
    }
    if (at !== this.#playedTo) this.pause()
    if (live.nowMs - Date.parse(at) > this.spanMs) this.spanMs = spanFor(Date.parse(at), live.nowMs)
    const kept = this.#kept.get(at)
    if (kept) return this.#show(kept)
    if (this.#asking) return
    this.problem = ''
    this.#asking = new AbortController()
    const { signal } = this.#asking
    try {
      const picture = await this.#load(at, signal)
      if (router.route.at !== null) this.#show(picture)
    } catch (error) {
      if (!signal.aborted && router.route.at === at) {
        this.picture = null
        this.problem = wordsOf(error)
      }
    } finally {
      this.#asking = null
    }
    const newest = router.route.at
    if (newest !== null && (newest !== at || signal.aborted)) await this.follow(newest)
  }

  /** Shows a moment; null is now. The Back button leads from the past to now, not through each moment. */
  seek(atMs: number | null): void {
    this.pause()
    const at = atMs === null ? null : new Date(atMs).toISOString()
    if ((at === null) !== (this.at === null)) router.go({ at })
    else router.replace({ at })
  }

  /** To the change after or before. One step at a time, however fast the key is pressed. */
  async step(direction: 1 | -1): Promise<void> {
    if (!this.open || this.#stepping) return
    this.#stepping = true
    try {
      const atMs = direction > 0 ? await this.#after(this.atMs ?? Infinity) : await this.#before(this.atMs ?? live.nowMs)
      if (this.open && atMs !== null) this.seek(atMs)
    } finally {
      this.#stepping = false
    }
  }

  /** A mark of the slider may stand for minutes; the journal says when exactly each of its changes was. */
  async #after(atMs: number): Promise<number | null> {
    const mark = this.moments.find(({ at }) => Date.parse(at) > atMs)
    if (!mark) return null
    const coarse = nextChange([mark], atMs)
    if (mark.changes === 1) return coarse
    return api.timeline({ limit: Math.min(mark.changes, MARK_ENTRIES), until: mark.at }).then(
      ({ entries }) => nextChange(changesOf(entries), atMs) ?? coarse,
      () => coarse,
    )
  }

  async #before(atMs: number): Promise<number | null> {
    const coarse = previousChange(this.moments, atMs)
    return api.timeline({ limit: MARK_ENTRIES, until: new Date(atMs).toISOString() }).then(
      ({ entries }) => previousChange(changesOf(entries), atMs) ?? coarse,
      () => coarse,
    )
  }

  toggle(): void {
    if (this.open) this.close()
    else this.wanted = true
  }

  close(): void {
    this.wanted = false
    if (this.at !== null) this.seek(null)
  }

  /** From change to change, however long nothing happened between them. */
  async play(): Promise<void> {
    if (this.range === null) return
    const run = new AbortController()
    this.#run = run
    this.playing = true
    let atMs = this.atMs
    if (atMs === null || nextChange(this.moments, atMs) === null) atMs = this.range.fromMs - 1
    let next = await this.#after(atMs)
    while (next !== null && !run.signal.aborted) {
      const at = new Date(next).toISOString()
      // First the picture, then the time above it, so that the two never differ.
      await this.#load(at, run.signal).catch(() => null)
      if (run.signal.aborted) break
      this.#playedTo = at
      if (this.at === null) router.go({ at })
      else router.replace({ at })
      ;[next] = await Promise.all([this.#prefetch(next, run.signal), rest(DWELL_MS[this.speed], run.signal)])
    }
    if (this.#run === run) this.pause()
  }

  /** When to go on after `atMs`, with the picture of it on its way. */
  async #prefetch(atMs: number, signal: AbortSignal): Promise<number | null> {
    const next = await this.#after(atMs)
    if (next !== null) void this.#load(new Date(next).toISOString(), signal).catch(() => null)
    return next
  }

  pause(): void {
    this.#run?.abort()
    this.#run = null
    this.playing = false
  }

  /** Loads the marks of the slider, and again now and then, until the answer is called. */
  watch(): () => void {
    void this.#loadMarks()
    const timer = setInterval(() => {
      const seq = live.changes[0]?.seq ?? 0
      if (seq !== this.#loadedSeq || Date.now() - this.#loadedMs > REFRESH_AT_LEAST_MS) void this.#loadMarks()
    }, REFRESH_MS)
    return () => clearInterval(timer)
  }

  async #loadMarks(): Promise<void> {
    const asked = this.spanMs
    this.#loadedSeq = live.changes[0]?.seq ?? 0
    this.#loadedMs = Date.now()
    try {
      const fromMs = Math.max(live.nowMs - asked, Date.parse(this.past?.from ?? '') || 0)
      let past = await api.past(fromMs, live.nowMs)
      const keptMs = Date.parse(past.from ?? '')
      // The marks are as fine as the asked time is short, so nothing is asked of before anything was kept.
      if (keptMs > fromMs) past = await api.past(keptMs, live.nowMs)
      if (asked === this.spanMs) [this.past, this.markProblem] = [past, '']
    } catch (error) {
      this.markProblem = wordsOf(error)
    }
  }

  #show(picture: Picture): void {
    if (this.picture === picture && this.problem === '') return
    this.picture = picture
    this.problem = ''
    this.shape++
  }

  async #load(at: string, signal: AbortSignal): Promise<Picture> {
    const kept = this.#kept.get(at)
    if (kept) {
      // What is used again goes to the young end.
      this.#kept.delete(at)
      this.#kept.set(at, kept)
      return kept
    }
    const [graph, { entries }] = await Promise.all([
      api.graphAt(at, signal),
      // Without it there still is a picture.
      api.timeline({ limit: CHANGES_SHOWN, until: at }, signal).catch(() => ({ entries: [] as TimelineEntry[] })),
    ])
    const picture = { at, graph, links: indexLinks(graph.links), changes: entries }
    this.#kept.set(at, picture)
    let links = 0
    for (const each of this.#kept.values()) links += each.links.size
    for (const [oldest, each] of this.#kept) {
      if (oldest === at || (links <= KEPT_LINKS && this.#kept.size <= KEPT_PICTURES)) break
      this.#kept.delete(oldest)
      links -= each.links.size
    }
    return picture
  }
}

function rest(spanMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, spanMs)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

export const replay = new Replay()
