import type { GraphLink } from '../../../src/contract/index.ts'

/** Names a link within one graph. Labels hold no space. A node and a target may share a label, hence the type. */
export function linkId(link: Pick<GraphLink, 'from' | 'to' | 'toType'>): string {
  return `${link.from} ${link.toType}:${link.to}`
}

export type Links = ReadonlyMap<string, GraphLink>

export function indexLinks(links: readonly GraphLink[]): Links {
  return new Map(links.map((link) => [linkId(link), link]))
}

/** A node comes before a target of the same name, as in `midwatch why`. */
export function findLink(links: Links, from: string, to: string): GraphLink | null {
  return links.get(`${from} node:${to}`) ?? links.get(`${from} target:${to}`) ?? null
}

/** The new index, and whether any link is in another state: what lets the map leave mere figures alone. */
export function applyLinks(links: Links, changed: readonly GraphLink[]): { links: Links; stateChanged: boolean } {
  const next = new Map(links)
  let stateChanged = false
  for (const link of changed) {
    const id = linkId(link)
    const before = next.get(id)
    stateChanged ||= before?.state !== link.state || before.dead !== link.dead
    next.set(id, link)
  }
  return { links: next, stateChanged }
}
