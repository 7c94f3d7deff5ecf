import type { GraphLink, GraphNode, GraphTarget, Identity } from '../../../src/contract/index.ts'

/** Builders for tests of this folder. */
export const SINCE = '2026-01-01T03:20:00.000Z'

export function node(id: string, site: string, change: Partial<GraphNode> = {}): GraphNode {
  return {
    id,
    identity: '0'.repeat(32) as Identity,
    site,
    state: 'up',
    since: SINCE,
    address: '10.0.0.1:8777',
    program: '0.1.0',
    incarnation: 1,
    rowVersion: 1,
    rowAgeMs: 0,
    degraded: [],
    wantedId: null,
    callsOut: false,
    lies: [],
    self: false,
    ...change,
  }
}

export function target(id: string, site: string | null): GraphTarget {
  return { id, kind: 'http', address: 'https://shop.example/', site }
}

export function link(from: string, to: string, change: Partial<GraphLink> = {}): GraphLink {
  return {
    from,
    to,
    toType: 'node',
    kind: 'udp',
    state: 'up',
    says: 'up',
    dead: null,
    since: SINCE,
    lossRatio: 0,
    rttMsP50: 1,
    detail: null,
    ...change,
  }
}

/** Every node looks at every other. */
export function mesh(nodes: readonly GraphNode[]): GraphLink[] {
  return nodes.flatMap((from) => nodes.filter((to) => to !== from).map((to) => link(from.id, to.id)))
}
