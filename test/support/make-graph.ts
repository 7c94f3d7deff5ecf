import type { Graph, GraphLink, GraphNode, GraphTarget, Identity } from '../../src/contract/index.ts'

export type Shape = {
  readonly nodes: number
  readonly sites: number
  readonly targets: number
  readonly peers: number
  readonly simulated?: boolean
}

const SITE_NAMES = [
  'east',
  'north',
  'west',
  'south',
  'harbour',
  'hill',
  'lake',
  'mill',
  'oak',
  'pine',
  'quay',
  'ridge',
  'shore',
  'tower',
  'vale',
  'wood',
  'yard',
  'zenith',
  'arch',
  'bay',
]

/** A healthy graph of any size, the same for the same shape. Each node looks at `peers` others and, of the targets, each third. */
export function makeGraph(shape: Shape, at = new Date()): Graph {
  const since = new Date(at.getTime() - 3_600_000).toISOString()
  const width = String(shape.nodes).length
  const nodes = Array.from({ length: shape.nodes }, (_, i): GraphNode => {
    const site = siteName(i % shape.sites)
    return {
      id: shape.nodes <= 26 ? String.fromCharCode(97 + i) : `node-${String(i + 1).padStart(width, '0')}`,
      identity: i.toString(16).padStart(32, '0') as Identity,
      site,
      state: 'up',
      since,
      address: `10.0.${i >> 8}.${i & 255}:8777`,
      program: '0.1.0',
      incarnation: 1,
      rowVersion: 100 + i,
      rowAgeMs: 300,
      degraded: [],
      wantedId: null,
      callsOut: false,
      lies: [],
      self: i === 0,
    }
  })
  const names = ['shop', 'db', 'mail', 'resolver', 'gateway']
  const targets = Array.from({ length: shape.targets }, (_, i): GraphTarget => ({
    id: names[i] ?? `service-${i + 1}`,
    kind: (['http', 'tcp', 'tls', 'dns', 'icmp'] as const)[i % 5] ?? 'tcp',
    address: i % 5 === 0 ? 'https://shop.example/health' : `10.1.0.${i + 1}:5432`,
    site: i % 3 === 2 ? null : siteName(i % shape.sites),
  }))
  const links: GraphLink[] = []
  nodes.forEach((node, i) => {
    for (let step = 1; step <= Math.min(shape.peers, nodes.length - 1); step++) {
      // Strides that are coprime to most counts spread peers over sites.
      const to = nodes[(i + step * (shape.peers >= nodes.length - 1 ? 1 : 7)) % nodes.length] as GraphNode
      if (to !== node) links.push(makeLink(node.id, to.id, 'node', 'udp', since, 0.4 + ((i * 31 + step * 17) % 90) / 10))
    }
    targets.forEach((target, t) => {
      if (shape.nodes <= 10 || (i + t) % 3 === 0) links.push(makeLink(node.id, target.id, 'target', target.kind, since, 5 + ((i + t) % 40)))
    })
  })
  const unique = [...new Map(links.map((link) => [`${link.from} ${link.toType}:${link.to}`, link])).values()]
  return {
    hash: '0123456789abcdef0123456789abcdef',
    at: at.toISOString(),
    grid: 'lantern-27',
    self: nodes[0]?.id ?? 'a',
    simulated: shape.simulated ?? false,
    nodes,
    targets,
    links: unique,
  }
}

export function makeLink(
  from: string,
  to: string,
  toType: 'node' | 'target',
  kind: GraphLink['kind'],
  since: string,
  rttMs: number,
): GraphLink {
  return { from, to, toType, kind, state: 'up', says: 'up', dead: null, since, lossRatio: 0, rttMsP50: rttMs, detail: null }
}

function siteName(index: number): string {
  return SITE_NAMES[index] ?? `site-${index + 1}`
}
