import type { Rundown, Trouble } from '../../../src/contract/index.ts'
import type { Route } from './route.ts'
import { LOOKS, type Look } from './states.ts'

export type Verdict = { readonly headline: string; readonly look: Look; readonly since: string | null; readonly more: string }

/** The rundown for a page: the worst trouble alone in the headline, so that it is read at a glance; its time apart, in the reader's zone. */
export function verdict(rundown: Rundown): Verdict {
  const [worst, ...others] = rundown.troubles
  if (!worst) {
    const look = rundown.well ? { ...LOOKS.up, mark: '✓' } : LOOKS.stale
    // A line is always there, so that the view below does not jump when something breaks.
    return {
      headline: rundown.headline,
      look,
      since: null,
      more: rundown.well ? 'Every link that has been probed answers as it should.' : '',
    }
  }
  const count = others.length === 0 ? '' : `And ${others.length} more ${others.length === 1 ? 'trouble' : 'troubles'}.`
  return { headline: `${worst.what}.`, look: LOOKS[worst.state], since: worst.since, more: [worst.more, count].filter(Boolean).join(' ') }
}

/** Where a trouble is looked into. */
export function placeOf(trouble: Trouble): Partial<Route> {
  const { about } = trouble
  return about.type === 'sites' ? { view: 'matrix', sites: [about.from, about.to], selection: null } : { selection: about }
}
