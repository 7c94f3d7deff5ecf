import type { LinkClaim } from '../../src/grid/index.ts'
import { RHYTHM } from '../../src/grid/index.ts'
import { every } from '../../src/platform/index.ts'
import { signRow } from '../../src/grid/row.ts'
import { hashOf, hostOf, keysAt, targetClaim, virtualNode, type VirtualNode } from '../support/virtual-grid.ts'
import { VirtualWorld } from '../support/virtual-network.ts'

const LINKS = 15
const NODES_PER_SITE = 20
/** From the start until what everybody tells of the start is told. */
const SETTLE_MS = 10_000
const SETTLE_MS_PER_NODE = 30
const STEADY_MS = 60_000
const PROBE_MS = 1_000
const START_MS = 1_000

export const SCALE = {
  /** Gossip rounds until all know that a row changed. */
  rounds: 12,
  /** What a node sends in steady state, without probes. */
  steadyBitsPerSecond: 32_000,
  /** Until a node that knows one address has every row. */
  coldMs: 60_000,
} as const

export type ScaleResult = {
  readonly nodes: number
  readonly changeKnownMs: number | null
  readonly meanBitsPerSecond: number
  readonly worstBitsPerSecond: number
  readonly coldWholeMs: number | null
  readonly failures: readonly string[]
}

/** So many nodes in sites of 20, who all know each other's rows from before: how fast news travels, and what silence costs. */
export async function scale(count: number, say: (line: string) => void, steadyMs = STEADY_MS): Promise<ScaleResult> {
  const world = new VirtualWorld(count)
  const nodes = Array.from({ length: count }, (_, index) => virtualNode(world, index, { probes: false, seeds: seedsOf(index, count) }))
  for (const [index, node] of nodes.entries()) {
    const links = linksOf(nodes, index)
    node.grid.setLinks(links, [])
    node.grid.setFigures(links.map((_, at) => [0, 500 + 100 * at]))
  }
  // The rows as their owners will sign them when they start, a moment from now: this is what a node keeps on its disk.
  const rows = nodes.map((node, index) => signRow({ ...node.grid.row, version: node.grid.row.version + 1 }, keysAt(index)))
  for (const [index, node] of nodes.entries()) {
    for (const [owner, row] of rows.entries()) if (owner !== index) node.grid.applyRow(row)
    node.host.clock.after(node.host.random.int(START_MS), () => node.start())
  }
  const probes = new Map<VirtualNode, number>()
  for (const [index, node] of nodes.entries())
    every(node.host.clock, PROBE_MS, () => probes.set(node, (probes.get(node) ?? 0) + probe(world, nodes, index)))
  await world.run(SETTLE_MS + count * SETTLE_MS_PER_NODE)
  say(`${count} nodes know each other`)

  const gossip = (node: VirtualNode): number => world.sentBytes(node.host.host) - (probes.get(node) ?? 0)
  const before = nodes.map(gossip)
  await world.run(steadyMs)
  const bits = nodes.map((node, at) => ((gossip(node) - (before[at] as number)) * 8_000) / steadyMs)
  say(`${steadyMs / 1_000} s of quiet have passed`)

  const changed = nodes[Math.floor(count / 3)] as VirtualNode
  changed.grid.setLinks(
    linksOf(nodes, 0).map((link) => ({ ...link, state: 'down' as const })),
    [],
  )
  const { version } = changed.grid.row
  const hasIt = (node: VirtualNode): boolean => (node.grid.table.get(changed.identity)?.row.version ?? 0) >= version
  const changeKnownMs = await world.runUntil(() => nodes.every(hasIt), 2 * SCALE.rounds * RHYTHM.roundMs, 50)

  const cold = virtualNode(world, count, { probes: false, seeds: [hostOf(0)] })
  cold.start()
  const isWhole = (): boolean => cold.grid.table.size === count + 1 && hashOf(cold) === hashOf(nodes[1] as VirtualNode)
  const coldWholeMs = await world.runUntil(isWhole, 2 * SCALE.coldMs, 50)

  const meanBitsPerSecond = Math.round(bits.reduce((sum, one) => sum + one, 0) / count)
  const worstBitsPerSecond = Math.round(Math.max(...bits))
  const failures = [
    changeKnownMs === null || changeKnownMs > SCALE.rounds * RHYTHM.roundMs ? 'a change was not known to all in time' : null,
    worstBitsPerSecond > SCALE.steadyBitsPerSecond ? 'a node sends too much when nothing happens' : null,
    coldWholeMs === null || coldWholeMs > SCALE.coldMs ? 'a cold node was not whole in time' : null,
    nodes.some((node) => node.events.some((event) => event.type === 'member' && event.to === 'down')) ? 'a node was called down' : null,
  ].filter((failure) => failure !== null)
  return { nodes: count, changeKnownMs, meanBitsPerSecond, worstBitsPerSecond, coldWholeMs, failures }
}

export function tell(result: ScaleResult): string {
  const seconds = (ms: number | null): string => (ms === null ? 'never' : `${(ms / 1_000).toFixed(2)} s`)
  return [
    `${result.nodes} nodes in ${Math.ceil(result.nodes / NODES_PER_SITE)} sites`,
    `a change is known to all after ${seconds(result.changeKnownMs)} (${((result.changeKnownMs ?? Infinity) / RHYTHM.roundMs).toFixed(1)} rounds)`,
    `a node sends ${(result.meanBitsPerSecond / 1_000).toFixed(1)} kb/s when nothing happens, at most ${(result.worstBitsPerSecond / 1_000).toFixed(1)}`,
    `a cold node is whole after ${seconds(result.coldWholeMs)}`,
    ...(result.failures.length > 0 ? result.failures : ['Every promise held.']),
    '',
  ].join('\n')
}

/** Probes two others, by hand: enough to be heard by somebody each second, which is what membership needs of probes. Answers the bytes. */
function probe(world: VirtualWorld, nodes: readonly VirtualNode[], index: number): number {
  const node = nodes[index] as VirtualNode
  const before = world.sentBytes(node.host.host)
  for (const step of [1, 20]) node.grid.sendProbe((nodes[(index + step) % nodes.length] as VirtualNode).identity, new Uint8Array(1))
  return world.sentBytes(node.host.host) - before
}

/** Links to the rest of its site's neighbourhood, and a target. */
function linksOf(nodes: readonly VirtualNode[], index: number): LinkClaim[] {
  const links = Array.from({ length: LINKS - 1 }, (_, at): LinkClaim => {
    const to = nodes[(index + 1 + at * at) % nodes.length] as VirtualNode
    return { ...targetClaim('x'), toType: 'node', to: to.identity, kind: 'udp', address: null, site: null, detail: null }
  })
  return [...links, targetClaim(`service-${index}`)]
}

function seedsOf(index: number, count: number): string[] {
  return [hostOf((index + 1) % count), hostOf((index + 7) % count)]
}
