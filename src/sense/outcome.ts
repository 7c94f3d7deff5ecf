import { LIMITS } from '../contract/index.ts'

/** What one try told. `ok` null: it could not be tried from here (a tool is missing, a setting cannot be used), which says nothing of the target. */
export type Outcome = {
  readonly ok: boolean | null
  readonly rttMs: number | null
  /** Short and equal between equal outcomes: no times, counters or ports, and never a query, a header or a password. */
  readonly detail: string | null
}

export function answered(rttMs: number): Outcome {
  return { ok: true, rttMs, detail: null }
}

export function failed(detail: string): Outcome {
  return { ok: false, rttMs: null, detail: cleanDetail(detail) }
}

export function cannot(detail: string): Outcome {
  return { ok: null, rttMs: null, detail: cleanDetail(detail) }
}

/** One line, within LIMITS.detailChars, without control characters or those that turn the direction of text: peers write parts of it. */
export function cleanDetail(text: string): string {
  const line = text
    .slice(0, 4 * LIMITS.detailChars)
    .replace(/[\p{C}\s]+/gu, ' ')
    .trim()
  return line.length <= LIMITS.detailChars ? line : `${line.slice(0, LIMITS.detailChars - 1).trimEnd()}…`
}

/** A name that a peer wrote, as part of a detail. */
export function shortName(text: string): string {
  const name = cleanDetail(text)
  return name.length <= 60 ? name : `${name.slice(0, 59)}…`
}
