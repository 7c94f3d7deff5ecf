import { describe, expect, it, vi } from 'vitest'
import { LINK_DETAILS } from '../../src/contract/index.ts'
import { isOverLine } from '../../src/grid/row.ts'
import type * as Keys from '../../src/grid/keys.ts'
import { agree, allShow, hashOf, turns, virtualNode, type VirtualNode } from '../support/virtual-grid.ts'
import { GOOD_PATH, VirtualWorld } from '../support/virtual-network.ts'

vi.mock('../../src/grid/keys.ts', async (original) => {
  const keys = await original<typeof Keys>()
  const { checkedOnce } = await import('../support/checked-once.ts')
  return { ...keys, verifierOf: checkedOnce(keys.verifierOf) }
})

/** So many nodes, the last of them behind routers that translate addresses. */
function gridBehindNat(seed: number, count: number, hidden: number, passesUdp: boolean) {
  const world = new VirtualWorld(seed)
  const nodes = Array.from({ length: count }, (_, index) => {
    const callsOut = index >= count - hidden
    const node = virtualNode(world, index, { callsOut })
    if (callsOut) world.nat.hide(node.host.host, `192.0.2.${index}`, passesUdp)
    node.host.clock.after(node.host.random.int(1_000), () => node.start())
    return node
  })
  return { world, nodes, open: nodes.slice(0, count - hidden), behind: nodes.slice(count - hidden) }
}

const linkOf = (observer: VirtualNode, from: VirtualNode, to: VirtualNode) =>
  observer.grid.table.get(from.identity)?.row.links.find((link) => link.to === to.identity)

/** Everyone says that nodes behind routers cannot be probed, and that all others are up. */
function isToldRight(nodes: readonly VirtualNode[], behind: readonly VirtualNode[], fromBehind: 'up' | 'unknown'): boolean {
  return nodes.every((observer) =>
    nodes.every((from) =>
      nodes.every((to) => {
        if (from === to) return true
        const link = linkOf(observer, from, to)
        if (behind.includes(to)) return link?.state === 'unknown' && link.detail === LINK_DETAILS.callsOut
        if (!behind.includes(from)) return link?.state === 'up' && link.detail === null
        return fromBehind === 'up' ? link?.state === 'up' : link?.state === 'unknown' && !!link.detail?.startsWith(LINK_DETAILS.noDatagrams)
      }),
    ),
  )
}

async function settle(grid: ReturnType<typeof gridBehindNat>, fromBehind: 'up' | 'unknown'): Promise<number | null> {
  const { world, nodes, behind } = grid
  return world.runUntil(
    () => agree(nodes) && isToldRight(nodes, behind, fromBehind) && nodes.every((node) => allShow(nodes, node, 'up')),
    20_000,
    50,
  )
}

function holdersOf(hidden: VirtualNode, nodes: readonly VirtualNode[]): VirtualNode[] {
  return nodes.filter((node) => node !== hidden && node.grid.hasLine(hidden.identity))
}

describe.each([
  ['where no UDP passes', false, 'unknown'],
  ['where UDP passes out', true, 'up'],
] as const)('nodes that can only call out, %s', { timeout: 60_000 }, (_, passesUdp, fromBehind) => {
  it('take part: one table, and links toward them cannot be probed', async () => {
    const grid = gridBehindNat(1, 8, 3, passesUdp)
    expect(await settle(grid, fromBehind)).not.toBeNull()
    const sinceMs = grid.world.nowMs
    await grid.world.run(60_000)
    expect(isToldRight(grid.nodes, grid.behind, fromBehind)).toBe(true)
    expect(new Set(grid.nodes.map(hashOf)).size).toBe(1)
    for (const node of grid.nodes) expect(turns(node, sinceMs, grid.nodes)).toEqual([])
    for (const hidden of grid.behind) {
      expect(holdersOf(hidden, grid.open)).toHaveLength(2)
      expect(grid.open[0]!.grid.table.get(hidden.identity)!.row.links.filter(isOverLine)).toHaveLength(2)
    }
  })

  it('hear and are heard at once', async () => {
    const grid = gridBehindNat(2, 8, 3, passesUdp)
    await settle(grid, fromBehind)
    for (const teller of [grid.behind[0]!, grid.open[1]!]) {
      teller.setTargets(3, 'down')
      const { version } = teller.grid.row
      const hasIt = (): boolean => grid.nodes.every((node) => (node.grid.table.get(teller.identity)?.row.version ?? 0) >= version)
      expect(await grid.world.runUntil(hasIt, 5_000)).toBeLessThan(1_500)
    }
  })

  it('move their line when its holder dies, and nobody takes them for dead', async () => {
    const grid = gridBehindNat(3, 8, 3, passesUdp)
    await settle(grid, fromBehind)
    const [hidden] = grid.behind
    const [holder] = holdersOf(hidden!, grid.open)
    const sinceMs = grid.world.nowMs
    holder!.kill()
    expect(await grid.world.runUntil(() => allShow(grid.nodes, holder!, 'down'), 10_000)).not.toBeNull()
    expect(
      await grid.world.runUntil(
        () =>
          holdersOf(
            hidden!,
            grid.open.filter((node) => node !== holder),
          ).length === 2,
        10_000,
      ),
    ).not.toBeNull()
    await grid.world.run(15_000)
    const others = grid.nodes.filter((node) => node !== holder)
    expect(others.flatMap((node) => turns(node, sinceMs, grid.nodes)).filter((turn) => !turn.startsWith(holder!.name))).toEqual([])
    expect(agree(others, grid.nodes.length)).toBe(true)
  })

  it('that lose one way lose nothing: a cut to one holder is no death', async () => {
    const grid = gridBehindNat(4, 8, 3, passesUdp)
    await settle(grid, fromBehind)
    const [hidden] = grid.behind
    const [holder] = holdersOf(hidden!, grid.open)
    const sinceMs = grid.world.nowMs
    const ends = new Set([hidden!.host.host, holder!.host.host])
    grid.world.path = (from, to) => ({ ...GOOD_PATH, isCut: ends.has(from) && ends.has(to) })
    await grid.world.run(20_000)
    expect(grid.nodes.flatMap((node) => turns(node, sinceMs, grid.nodes)).filter((turn) => turn.endsWith('>down'))).toEqual([])
    expect(holdersOf(hidden!, grid.open)).toHaveLength(2)
  })

  it('take a change of key, and their lines with them', async () => {
    const grid = gridBehindNat(6, 8, 3, passesUdp)
    await settle(grid, fromBehind)
    const sinceMs = grid.world.nowMs
    void grid.open[1]!.grid.changeKey()
    const tookMs = await grid.world.runUntil(() => grid.nodes.every((node) => node.grid.ring.generation === 2), 30_000)
    expect(tookMs).toBeLessThan(10_000)
    await grid.world.run(30_000)
    expect(grid.nodes.flatMap((node) => turns(node, sinceMs, grid.nodes)).filter((turn) => turn.endsWith('>down'))).toEqual([])
    expect(await settle(grid, fromBehind)).not.toBeNull()
    for (const hidden of grid.behind) expect(holdersOf(hidden, grid.open)).toHaveLength(2)
  })

  it('hear no more once they are removed', async () => {
    const grid = gridBehindNat(7, 8, 3, passesUdp)
    await settle(grid, fromBehind)
    const [removed, ...stay] = grid.behind
    void grid.open[1]!.grid.changeKey([{ identity: removed!.identity, id: 'n5' }])
    const rest = [...grid.open, ...stay]
    const isOut = (): boolean =>
      rest.every(
        (node) => node.grid.ring.generation === 2 && !node.grid.hasLine(removed!.identity) && !node.grid.table.get(removed!.identity),
      )
    expect(await grid.world.runUntil(isOut, 15_000)).not.toBeNull()
    await grid.world.run(20_000)
    expect(isOut()).toBe(true)
  })

  it('die, and all know it in seconds; and come back', async () => {
    const grid = gridBehindNat(5, 8, 3, passesUdp)
    await settle(grid, fromBehind)
    const [hidden] = grid.behind
    const sinceMs = grid.world.nowMs
    grid.world.path = (from, to) => ({ ...GOOD_PATH, isCut: [from, to].includes(hidden!.host.host) })
    const known = await grid.world.runUntil(() => allShow(grid.open, hidden!, 'down'), 15_000)
    expect(known).toBeLessThan(6_000)
    await grid.world.run(20_000)
    const others = grid.nodes.filter((node) => node !== hidden)
    expect(others.flatMap((node) => turns(node, sinceMs, grid.nodes)).filter((turn) => !turn.startsWith(hidden!.name))).toEqual([])
    grid.world.path = () => GOOD_PATH
    const back = await settle(grid, fromBehind)
    expect(back).toBeLessThan(10_000)
  })
})
