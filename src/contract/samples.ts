import { z } from 'zod'
import type { ProbeKind } from './states.ts'

/** What one probe measured. Produced by sense, judged by judge/links, kept by store. */
export type Sample = {
  /** Link key: see `linkKey`. */
  readonly link: string
  readonly kind: ProbeKind
  /** Wall clock, ms since 1970. */
  readonly atMs: number
  readonly ok: boolean
  /** Round trip or time to a full answer; null when there was none. */
  readonly rttMs: number | null
  /** Why it failed, or a warning on a success. Bounded, stable between equal outcomes (no times, no counters). */
  readonly detail: string | null
}

/** One bucket of a link's history. `rttMsP50` is null when every probe was lost. */
export const SamplePoint = z.object({
  atMs: z.number().int().describe('start of the bucket'),
  sent: z.number().int(),
  lost: z.number().int(),
  rttMsMin: z.number().nullable(),
  rttMsP50: z.number().nullable(),
  rttMsMax: z.number().nullable(),
})
export type SamplePoint = z.infer<typeof SamplePoint>

/** Key of a directed link in store and sense: observer's identity, then `node:IDENTITY` or `target:NAME`. */
export function linkKey(from: string, toType: 'node' | 'target', to: string): string {
  return `${from}>${toType}:${to}`
}
