import type { GraphLink, Trouble } from '../contract/index.ts'
import { sentence, sinceText } from './words.ts'

/** One trouble in words, with the links that it explains. A lower rank is worse. */
export type Finding = Readonly<Omit<Trouble, 'links'>> & {
  readonly rank: number
  /** The whole of it, with the time. */
  readonly text: string
  readonly links: readonly GraphLink[]
}

export function finding(at: string, of: Omit<Finding, 'text'>): Finding {
  const text = sentence(of.what, sinceText(of.since, at))
  return { ...of, text: of.more === '' ? text : `${text} ${of.more}` }
}

export function asTrouble({ what, since, more, state, links, about }: Finding): Trouble {
  return { what, since, more, state, links: links.length, about }
}

/** Ranks in one place, so that the order of a headline can be read off. */
export const RANK = {
  outcast: 0,
  nodeDown: 1,
  dead: 2,
  targetDown: 3,
  lying: 4,
  partial: 5,
  lossy: 6,
  slow: 7,
  silent: 8,
  sharedLabel: 9,
} as const

/** The earliest known beginning. */
export function earliest(things: readonly { readonly since: string | null }[]): string | null {
  let first: string | null = null
  for (const { since } of things) if (since !== null && (first === null || since < first)) first = since
  return first
}
