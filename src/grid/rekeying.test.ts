import { describe, expect, it } from 'vitest'
import { agree, allUp, GRID_KEY, hostOf, turns, virtualNode, virtualNodes, type VirtualNode } from '../../test/support/virtual-grid.ts'
import { GOOD_PATH, VirtualWorld } from '../../test/support/virtual-network.ts'
import { KEY_CHANGE } from './ring.ts'

const nth = (nodes: readonly VirtualNode[], index: number): VirtualNode => nodes[index] as VirtualNode
const keyOf = (node: VirtualNode): string => node.grid.ring.current.name
const keys = (nodes: readonly VirtualNode[]): Set<string> => new Set(nodes.filter((node) => node.isRunning).map(keyOf))
const generations = (nodes: readonly VirtualNode[]): Set<number> =>
  new Set(nodes.filter((node) => node.isRunning).map((node) => node.grid.ring.generation))
const opened = (node: VirtualNode): number => node.grid.counters.packetsOpened
const badTurns = (node: VirtualNode, sinceMs: number): string[] =>
  node.events.flatMap((event) => (event.type === 'member' && event.atMs >= sinceMs ? [`${event.identity} ${event.from}>${event.to}`] : []))
const removal = (node: VirtualNode) => ({ identity: node.identity, id: node.name })

async function settled(world: VirtualWorld, count: number, options = {}): Promise<VirtualNode[]> {
  const nodes = virtualNodes(world, count, options)
  expect(await world.runUntil(() => agree(nodes) && allUp(nodes), 30_000)).not.toBeNull()
  return nodes
}

describe('a change of key', () => {
  it('reaches everyone under probes and loss without one turn of a link or a member', async () => {
    const world = new VirtualWorld(11)
    world.path = () => ({ ...GOOD_PATH, lossRatio: 0.01 })
    const nodes = await settled(world, 8)
    await world.run(5_000)
    const versions = nodes.map((node) => node.grid.row.version)
    const sinceMs = world.nowMs
    await nth(nodes, 3).grid.changeKey()
    const tookMs = await world.runUntil(() => keys(nodes).size === 1 && generations(nodes).has(2), 5_000)
    expect(tookMs).toBeLessThan(1_500)
    await world.run(KEY_CHANGE.retireMs + 5_000)
    expect(nodes.map((node) => node.grid.row.version)).toEqual(versions)
    expect(nodes.flatMap((node) => badTurns(node, sinceMs))).toEqual([])
    expect(nodes.every((node) => node.grid.waitingForKey().length === 0)).toBe(true)
    expect(nodes.every((node) => !node.grid.ring.isUnderWay && node.written.ring.previous.length === 0)).toBe(true)
    expect(new Set(nodes.map((node) => node.grid.ring.grid)).size).toBe(1)
  })

  it('takes a node out: it opens nothing after the switch, and comes in under no other name by the key that it holds', async () => {
    const world = new VirtualWorld(12)
    const nodes = await settled(world, 6)
    const [boss, out] = [nth(nodes, 1), nth(nodes, 4)]
    const others = nodes.filter((node) => node !== out)
    // It hears of nothing, as one would see to that wants to go on reading.
    const sinceMs = world.nowMs
    await boss.grid.changeKey([removal(out)])
    // Under another identity it speaks with the old key from the first moment on.
    const spy = virtualNode(world, 40, { seeds: [hostOf(0), hostOf(1), hostOf(2)] })
    spy.start()
    await world.run(KEY_CHANGE.switchMs + 1_500)
    const [outOpened, spyOpened] = [opened(out), opened(spy)]
    await world.run(20_000)
    expect([opened(out), opened(spy)]).toEqual([outOpened, spyOpened])
    for (const node of others) {
      expect(node.grid.table.get(out.identity), node.name).toBeUndefined()
      expect(node.grid.table.get(spy.identity), node.name).toBeUndefined()
      expect(node.events.filter((event) => event.type === 'removed')).toHaveLength(1)
    }
    expect(agree(others, 5)).toBe(true)
    expect(out.grid.ring.outcast).toMatchObject({ by: 'n1' })
    expect(out.events.filter((event) => event.type === 'outcast')).toHaveLength(1)
    expect(out.grid.table.size).toBe(1)
    expect(others.flatMap((node) => turns(node, sinceMs, nodes))).toEqual([])
    // With the key that it was given by nobody it gets nothing either.
    spy.kill()
    out.kill()
    const again = virtualNode(world, 41, { seeds: [hostOf(0), hostOf(1)], gridKey: GRID_KEY })
    again.start()
    await world.run(10_000)
    expect(again.grid.table.size).toBe(1)
    expect(others.every((node) => node.grid.table.get(again.identity) === undefined)).toBe(true)
  })

  it('of two made at once all take one', async () => {
    const world = new VirtualWorld(13)
    const nodes = await settled(world, 6)
    await Promise.all([nth(nodes, 0).grid.changeKey(), nth(nodes, 5).grid.changeKey()])
    expect(await world.runUntil(() => keys(nodes).size === 1, 10_000)).not.toBeNull()
    await world.run(KEY_CHANGE.retireMs + 2_000)
    expect(keys(nodes).size).toBe(1)
    expect(generations(nodes)).toEqual(new Set([2]))
    expect(agree(nodes) && allUp(nodes)).toBe(true)
  })

  it('of one that removes and one that does not the first goes before', async () => {
    const world = new VirtualWorld(14)
    const nodes = await settled(world, 6)
    const out = nth(nodes, 3)
    await Promise.all([nth(nodes, 0).grid.changeKey(), nth(nodes, 5).grid.changeKey([removal(out)])])
    const others = nodes.filter((node) => node !== out)
    expect(
      await world.runUntil(() => keys(others).size === 1 && others.every((node) => node.grid.ring.isRemoved(out.identity)), 10_000),
    ).not.toBeNull()
    await world.run(KEY_CHANGE.retireMs + 2_000)
    expect(keys(others).size).toBe(1)
    expect(agree(others, 5) && out.grid.ring.outcast !== null).toBe(true)
  })

  it('two removals at once both hold in the end', async () => {
    const world = new VirtualWorld(15)
    const nodes = await settled(world, 7)
    const [one, other] = [nth(nodes, 2), nth(nodes, 4)]
    await Promise.all([nth(nodes, 0).grid.changeKey([removal(one)]), nth(nodes, 5).grid.changeKey([removal(other)])])
    const rest = nodes.filter((node) => node !== one && node !== other)
    const bothOut = (node: VirtualNode): boolean => node.grid.ring.isRemoved(one.identity) && node.grid.ring.isRemoved(other.identity)
    expect(await world.runUntil(() => keys(rest).size === 1 && rest.every(bothOut), 10_000)).not.toBeNull()
    await world.run(KEY_CHANGE.retireMs + 5_000)
    expect(agree(rest, 5)).toBe(true)
    expect(generations(rest)).toEqual(new Set([3]))
  })

  it('a node that was down for it comes back with it, whichever way it missed it', async () => {
    const world = new VirtualWorld(16)
    const nodes = await settled(world, 5)
    const away = nth(nodes, 4)
    away.kill()
    await world.run(10_000)
    await nth(nodes, 1).grid.changeKey()
    await world.run(KEY_CHANGE.retireMs + 5_000)
    await nth(nodes, 2).grid.changeKey()
    await world.run(KEY_CHANGE.retireMs + 5_000)
    const back = virtualNode(world, 4, { incarnation: 2, ring: away.written.ring })
    back.start()
    nodes[4] = back
    expect(await world.runUntil(() => agree(nodes) && allUp(nodes), 20_000)).not.toBeNull()
    expect(back.grid.ring.generation).toBe(3)
  })

  it('a node that was cut off for it, and has no seeds, comes back by itself', async () => {
    const world = new VirtualWorld(17)
    const nodes = await settled(world, 5)
    const cut = nth(nodes, 0)
    const isCut = (host: string): boolean => host === cut.host.host
    world.path = (from, to) => ({ ...GOOD_PATH, isCut: isCut(from) !== isCut(to) })
    await world.run(8_000)
    await nth(nodes, 1).grid.changeKey()
    await world.run(KEY_CHANGE.retireMs + 5_000)
    world.path = () => GOOD_PATH
    expect(await world.runUntil(() => keys(nodes).size === 1 && agree(nodes) && allUp(nodes), 20_000)).not.toBeNull()
  })

  it('made in both halves of a grid that was cut in two, it is one again after the heal', async () => {
    const world = new VirtualWorld(18)
    const nodes = await settled(world, 6)
    const left = new Set(nodes.slice(0, 3).map((node) => node.host.host))
    world.path = (from, to) => ({ ...GOOD_PATH, isCut: left.has(from) !== left.has(to) })
    await world.run(10_000)
    await nth(nodes, 0).grid.changeKey()
    await nth(nodes, 5).grid.changeKey()
    await world.run(KEY_CHANGE.retireMs + 5_000)
    await nth(nodes, 4).grid.changeKey()
    await world.run(KEY_CHANGE.retireMs + 5_000)
    expect(keys(nodes).size).toBe(2)
    world.path = () => GOOD_PATH
    const healedMs = await world.runUntil(() => keys(nodes).size === 1 && agree(nodes) && allUp(nodes), 90_000)
    expect(healedMs).not.toBeNull()
  })

  it('is told after the next start when its maker was killed between writing it down and telling it', async () => {
    for (const downMs of [3_000, 60_000]) {
      const world = new VirtualWorld(19)
      const nodes = await settled(world, 5)
      const maker = nth(nodes, 2)
      world.path = (from) => ({ ...GOOD_PATH, isCut: from === maker.host.host })
      await maker.grid.changeKey()
      maker.kill()
      world.path = () => GOOD_PATH
      await world.run(downMs)
      expect(keys(nodes).size).toBe(1)
      const back = virtualNode(world, 2, { incarnation: 2, ring: maker.written.ring })
      nodes[2] = back
      back.start()
      expect(
        await world.runUntil(() => generations(nodes).has(2) && keys(nodes).size === 1 && agree(nodes) && allUp(nodes), 30_000),
      ).not.toBeNull()
    }
  })

  it('is known to a newcomer with all that came before it', async () => {
    const world = new VirtualWorld(20)
    const nodes = await settled(world, 5)
    const out = nth(nodes, 4)
    await nth(nodes, 1).grid.changeKey([removal(out)])
    await world.run(KEY_CHANGE.retireMs + 5_000)
    const newcomer = virtualNode(world, 9, { gridKey: nth(nodes, 1).grid.ring.current.key })
    newcomer.start()
    const rest = [...nodes.slice(0, 4), newcomer]
    expect(await world.runUntil(() => agree(rest, 5) && newcomer.grid.ring.generation === 2, 10_000)).not.toBeNull()
    expect(newcomer.grid.ring.grid).toBe(nth(nodes, 0).grid.ring.grid)
    expect(newcomer.grid.ring.isRemoved(out.identity)).toBe(true)
  })

  it('reaches a node that can only call out, and comes from one', async () => {
    const world = new VirtualWorld(21)
    const nodes = Array.from({ length: 5 }, (_, index) => virtualNode(world, index, { callsOut: index === 4 }))
    const behind = nth(nodes, 4)
    world.nat.hide(behind.host.host, '192.0.2.4', false)
    for (const node of nodes) node.start()
    expect(await world.runUntil(() => agree(nodes), 20_000)).not.toBeNull()
    await world.run(5_000)
    for (const [generation, maker] of [nth(nodes, 1), behind].entries()) {
      const sinceMs = world.nowMs
      await maker.grid.changeKey()
      expect(await world.runUntil(() => keys(nodes).size === 1 && generations(nodes).has(generation + 2), 5_000)).not.toBeNull()
      await world.run(KEY_CHANGE.retireMs + 10_000)
      expect(nodes.flatMap((node) => badTurns(node, sinceMs))).toEqual([])
      expect(agree(nodes)).toBe(true)
    }
  })
})
