import { LIMITS, linkKey, MidwatchError, type Graph, type Past } from '../contract/index.ts'
import { mergeGraph, type NodeFacts } from '../judge/index.ts'
import type { Clock } from '../platform/index.ts'
import type { Store } from '../store/index.ts'
import type { Recorder } from './recorder.ts'

export type PastOptions = {
  readonly clock: Clock
  readonly store: Pick<Store, 'factsAt' | 'moments'>
  readonly recorder: Pick<Recorder, 'catchUp'>
  readonly simulated: boolean
}

/** Clocks of a person's machine and of this node differ a little: that is not the future. */
const AHEAD_MS = 5_000

const noPast = (why: string): MidwatchError => new MidwatchError('MW_NO_PAST', why)
const isoOf = (ms: number): string => new Date(ms).toISOString()

/** The graph as it was at a time: the facts of that time, judged again. Errors: MW_NO_PAST. */
export async function graphAt(atMs: number, { clock, store, recorder, simulated }: PastOptions): Promise<Graph> {
  const nowMs = clock.wallMs()
  if (atMs > nowMs + AHEAD_MS) throw noPast(`${isoOf(atMs)} has not come yet: it is ${isoOf(nowMs)}.`)
  recorder.catchUp()
  const found = await store.factsAt(Math.min(atMs, nowMs))
  const reach = found.type === 'facts' || found.oldestMs === null ? '' : ` The past reaches back to ${isoOf(found.oldestMs)}.`
  if (found.type === 'none') throw noPast(reach ? `Nothing is kept of ${isoOf(atMs)}.${reach}` : 'Nothing is kept yet.')
  if (found.type === 'gap') {
    const end = found.toMs === null ? 'on' : `to ${isoOf(found.toMs)}`
    throw noPast(`This node was not running from ${isoOf(found.fromMs)} ${end}.${reach}`)
  }
  const figures = new Map(found.figures.map((figure) => [figure.link, figure]))
  const nodes = found.nodes.map((node): NodeFacts => ({
    ...node,
    rowAgeMs: 0,
    links: node.links.map((link) => {
      const figure = figures.get(linkKey(node.identity, link.toType, link.to))
      return { ...link, lossRatio: figure?.lossRatio ?? null, rttMsP50: figure?.rttMsP50 ?? null }
    }),
  }))
  return {
    hash: found.hash ?? '0'.repeat(32),
    at: isoOf(atMs),
    grid: found.card.grid,
    simulated,
    ...mergeGraph({ self: found.card.self, staleAfterMs: Infinity, nodes }),
  }
}

/** How far back the graph can be shown, and when in the asked range it changed. */
export async function pastBetween(fromMs: number | null, toMs: number | null, { clock, store }: PastOptions): Promise<Past> {
  const nowMs = clock.wallMs()
  const { oldestMs, moments } = await store.moments(fromMs, toMs ?? nowMs + 1, LIMITS.pastMoments)
  return {
    from: oldestMs === null ? null : isoOf(oldestMs),
    to: isoOf(nowMs),
    moments: moments.map(({ atMs, changes, bad }) => ({ at: isoOf(atMs), changes, bad })),
  }
}
