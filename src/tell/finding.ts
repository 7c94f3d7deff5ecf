import type { GraphLink } from '../contract/index.ts'

/** One trouble in words, with the links that it explains. A lower rank is worse. */
export type Finding = {
  readonly rank: number
  readonly text: string
  readonly links: readonly GraphLink[]
}

/** Ranks in one place, so that the order of a headline can be read off. */
export const RANK = { nodeDown: 0, dead: 1, targetDown: 2, partial: 3, lossy: 4, slow: 5, silent: 6 } as const

/** The earliest known beginning. */
export function earliest(things: readonly { readonly since: string | null }[]): string | null {
  let first: string | null = null
  for (const { since } of things) if (since !== null && (first === null || since < first)) first = since
  return first
}
