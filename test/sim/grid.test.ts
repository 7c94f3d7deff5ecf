import { describe, expect, it, vi } from 'vitest'
import { signRow } from '../../src/grid/row.ts'
import { RHYTHM, keysOf } from '../../src/grid/index.ts'
import type * as Keys from '../../src/grid/keys.ts'
import { agree, allShow, allUp, hashOf, targetClaim, turns, virtualNode, virtualNodes } from '../support/virtual-grid.ts'
import { dieOf, GOOD_PATH, randomnessOf, VirtualWorld } from '../support/virtual-network.ts'

vi.mock('../../src/grid/keys.ts', async (original) => {
  const keys = await original<typeof Keys>()
  const { checkedOnce } = await import('../support/checked-once.ts')
  return { ...keys, verifierOf: checkedOnce(keys.verifierOf) }
})

// Each scenario is one seed. With MIDWATCH_SEEDS the timed ones run over so many seeds and print what they measured.
const SEEDS = Number(process.env['MIDWATCH_SEEDS'] ?? 1)

function measured(what: string, tookMs: number[]): void {
  const sorted = tookMs.toSorted((a, b) => a - b)
  const at = (share: number): number => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0)
  if (SEEDS > 1) console.log(`${what}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms, ${sorted.length} seeds`)
}

async function settled(world: VirtualWorld, nodes: ReturnType<typeof virtualNodes>): Promise<void> {
  expect(await world.runUntil(() => allUp(nodes) && agree(nodes), 20_000, 20)).not.toBeNull()
}

describe('sixteen nodes', { timeout: 20_000 * SEEDS }, () => {
  it('agree, hear of a change, and know of a death within the times that they promise', async () => {
    const converged: number[] = []
    const told: number[] = []
    const detected: number[] = []
    const settledAfter: number[] = []
    for (let seed = 1; seed <= SEEDS; seed++) {
      const world = new VirtualWorld(seed)
      world.path = () => ({ ...GOOD_PATH, lossRatio: 0.01 })
      const nodes = virtualNodes(world, 16)
      converged.push((await world.runUntil(() => agree(nodes), 10_000, 20)) ?? Infinity)
      await settled(world, nodes)
      await world.run(2_000)

      const teller = nodes[seed % 16]!
      teller.grid.setAddress('10.9.9.9:8777')
      const { version } = teller.grid.row
      const hasIt = (): boolean => nodes.every((node) => (node.grid.table.get(teller.identity)?.row.version ?? 0) >= version)
      told.push((await world.runUntil(hasIt, 10_000)) ?? Infinity)
      teller.grid.setAddress(`${teller.host.host}:8777`)
      await world.run(4_000 + (world.nowMs % 1_000))

      const dead = nodes[(seed * 7) % 16]!
      const diedMs = world.nowMs
      dead.kill()
      const downMs = await world.runUntil(() => allShow(nodes, dead, 'down'), 20_000)
      const agreedMs = await world.runUntil(() => agree(nodes, 16), 10_000)
      detected.push(downMs ?? Infinity)
      settledAfter.push(agreedMs ?? Infinity)
      await world.run(SEEDS > 1 ? 6_000 : 3_000)
      // Once down it stays so, and nobody else was called so.
      expect(
        nodes
          .flatMap((node) => turns(node, diedMs, nodes))
          .filter((turn) => turn.endsWith('>up') || (turn.endsWith('>down') && !turn.startsWith(dead.name))),
      ).toEqual([])
      expect(allShow(nodes, dead, 'down')).toBe(true)
    }
    measured('one table from a cold start', converged)
    measured('a change is known to all', told)
    measured('a death is known to all', detected)
    measured('one table after that', settledAfter)
    expect(Math.max(...converged)).toBeLessThan(6_000)
    expect(Math.max(...told)).toBeLessThan(2_000)
    expect(Math.max(...detected)).toBeLessThan(SEEDS > 1 ? 4_000 : 3_000)
    expect(Math.max(...settledAfter)).toBeLessThan(2_000)
  })

  it('cut in halves, settle on their own sides, and on one table within 5 s of the cut being mended', async () => {
    const world = new VirtualWorld(42)
    const nodes = virtualNodes(world, 16)
    await settled(world, nodes)
    const left = new Set(nodes.slice(0, 8).map((node) => node.host.host))
    world.path = (from, to) => ({ ...GOOD_PATH, isCut: left.has(from) !== left.has(to) })
    await world.run(8_000)
    for (const [near, far] of [
      [nodes.slice(0, 8), nodes.slice(8)],
      [nodes.slice(8), nodes.slice(0, 8)],
    ] as const) {
      expect(near.every((node) => far.every((other) => node.grid.member(other.identity)?.state === 'down'))).toBe(true)
      expect(near.every((node) => near.every((other) => node === other || node.grid.member(other.identity)?.state === 'up'))).toBe(true)
      expect(new Set(near.map(hashOf)).size).toBe(1)
    }
    expect(hashOf(nodes[0]!)).not.toBe(hashOf(nodes[15]!))

    world.path = () => GOOD_PATH
    const healed = await world.runUntil(() => agree(nodes) && nodes.every((node) => allShow(nodes, node, 'up')) && allUp(nodes), 5_000, 20)
    expect(healed).not.toBeNull()
  })
})

describe('membership', { timeout: 20_000 }, () => {
  it('does not flap about a node that sends but hears nothing, whose row stays fresh', async () => {
    const world = new VirtualWorld(7)
    const nodes = virtualNodes(world, 5)
    await settled(world, nodes)
    const deaf = nodes[2]!
    world.path = (_, to) => ({ ...GOOD_PATH, lossRatio: 0.005, isCut: to === deaf.host.host })
    const sinceMs = world.nowMs
    let oldestMs = 0
    for (let second = 0; second < 120; second++) {
      await world.run(1_000)
      for (const node of nodes) {
        const heardMs = node.grid.table.get(deaf.identity)?.heardMs
        if (node !== deaf && heardMs !== undefined) oldestMs = Math.max(oldestMs, node.host.clock.monoMs() - heardMs)
      }
    }
    const others = nodes.filter((node) => node !== deaf)
    expect(others.flatMap((node) => turns(node, sinceMs, nodes)).filter((turn) => turn.endsWith('>down'))).toEqual([])
    expect(allShow(nodes, deaf, 'up')).toBe(true)
    expect(oldestMs).toBeLessThan(others[0]!.grid.pace.staleAfterMs)
    // Both directions are named: the others say that it is not reached, and it says that it hears nobody.
    for (const node of others) expect(node.links.verdict('node', deaf.identity)).toMatchObject({ state: 'one-way', dead: 'out' })
    for (const node of others) expect(node.grid.table.get(deaf.identity)?.row.degraded).toEqual(['hears-nobody'])
  })

  it('keeps a node up that can reach only one other: the rest hear its beats through that one', async () => {
    const world = new VirtualWorld(8)
    const nodes = virtualNodes(world, 6)
    await settled(world, nodes)
    const [lonely, friend] = [nodes[4]!.host.host, nodes[1]!.host.host]
    world.path = (from, to) => ({
      ...GOOD_PATH,
      isCut: (from === lonely && to !== friend) || (to === lonely && from !== friend),
    })
    await world.run(5_000)
    const sinceMs = world.nowMs
    await world.run(60_000)
    expect(nodes.flatMap((node) => turns(node, sinceMs, nodes)).filter((turn) => turn.endsWith('>down'))).toEqual([])
    expect(allShow(nodes, nodes[4]!, 'up')).toBe(true)
    expect(agree(nodes)).toBe(true)
  })

  it('shows a single other node as down when it dies, and up again when it is back', async () => {
    const world = new VirtualWorld(9)
    const nodes = virtualNodes(world, 2)
    await settled(world, nodes)
    nodes[1]!.kill()
    expect(await world.runUntil(() => allShow(nodes, nodes[1]!, 'down'), 5_000)).toBeLessThan(4_000)
    nodes[1] = virtualNode(world, 1, { incarnation: 2 })
    nodes[1].start()
    expect(await world.runUntil(() => allShow(nodes, nodes[1]!, 'up') && agree(nodes), 3_000)).not.toBeNull()
  })
})

describe('a start', { timeout: 20_000 }, () => {
  it('with memory is believed at once: its incarnation is higher', async () => {
    const world = new VirtualWorld(10)
    const nodes = virtualNodes(world, 4)
    await settled(world, nodes)
    nodes[3]!.kill()
    await world.run(5_000)
    nodes[3] = virtualNode(world, 3, { incarnation: 2 })
    nodes[3].start()
    expect(await world.runUntil(() => allShow(nodes, nodes[3]!, 'up') && agree(nodes), 2_000)).not.toBeNull()
  })

  it('from a restored snapshot outlives what it said before, and writes that down', async () => {
    const world = new VirtualWorld(11)
    const nodes = virtualNodes(world, 4, { incarnation: 9 })
    await settled(world, nodes)
    nodes[3]!.kill()
    await world.run(5_000)
    nodes[3] = virtualNode(world, 3, { incarnation: 5 })
    nodes[3].start()
    expect(await world.runUntil(() => allShow(nodes, nodes[3]!, 'up') && agree(nodes), 3_000)).not.toBeNull()
    expect(nodes[3].grid.row.incarnation).toBe(10)
    expect(nodes[3].written.incarnation).toBe(10)
    expect(nodes.flatMap((node) => node.events).filter((event) => event.type === 'lied')).toEqual([])
  })

  it('from a restored snapshot that knows no seed learns from the others, who refuse its old packets', async () => {
    const world = new VirtualWorld(12)
    const nodes = virtualNodes(world, 4, { incarnation: 9 })
    await settled(world, nodes)
    nodes[3]!.kill()
    await world.run(1_000)
    nodes[3] = virtualNode(world, 3, { incarnation: 5, seeds: [] })
    nodes[3].start()
    expect(await world.runUntil(() => allShow(nodes, nodes[3]!, 'up') && agree(nodes), 8_000)).not.toBeNull()
  })

  it('without memory, and cut off from its seeds, is called by one that remembers it', async () => {
    const world = new VirtualWorld(14)
    const nodes = virtualNodes(world, 6)
    await settled(world, nodes)
    nodes[1]!.kill()
    const [lost, friend] = [nodes[1]!.host.host, nodes[5]!.host.host]
    world.path = (from, to) => ({ ...GOOD_PATH, isCut: (from === lost && to !== friend) || (to === lost && from !== friend) })
    expect(await world.runUntil(() => allShow(nodes, nodes[1]!, 'down') && agree(nodes), 20_000)).not.toBeNull()
    // Till nothing of this is news any more.
    await world.run(20_000)
    nodes[1] = virtualNode(world, 1)
    nodes[1].start()
    expect(await world.runUntil(() => agree(nodes), 10_000)).not.toBeNull()
  })

  it('of two nodes from one disk raises the incarnation at most once a second', async () => {
    const world = new VirtualWorld(13)
    const nodes = virtualNodes(world, 4, { probes: false })
    await world.runUntil(() => agree(nodes), 5_000)
    const clone = virtualNode(world, 3, { probes: false, at: '10.0.9.9' })
    clone.start()
    await world.run(10_000)
    expect(clone.grid.row.incarnation).toBeGreaterThan(2)
    expect(clone.grid.row.incarnation).toBeLessThan(14)
  })
})

describe('a row', { timeout: 20_000 }, () => {
  const links = (count: number, state: 'up' | 'down' = 'up') => Array.from({ length: count }, (_, at) => targetClaim(`target-${at}`, state))

  it.each([100, 1_000])('of %i links, longer than a datagram, reaches everybody', async (count) => {
    const world = new VirtualWorld(20)
    const nodes = virtualNodes(world, 6, { probes: false })
    await world.runUntil(() => agree(nodes), 5_000)
    nodes[1]!.grid.setLinks(links(count), [])
    const hasIt = (state: string) => (): boolean =>
      nodes.every((node) => node.grid.table.get(nodes[1]!.identity)?.row.links.filter((link) => link.state === state).length === count)
    expect(await world.runUntil(hasIt('up'), 5_000)).not.toBeNull()
    await world.run(3_000)
    nodes[1]!.grid.setLinks(links(count, 'down'), [])
    expect(await world.runUntil(hasIt('down'), 5_000)).not.toBeNull()
  })

  it('with more links than a heartbeat can carry figures of still has a heartbeat', async () => {
    const world = new VirtualWorld(21)
    const nodes = virtualNodes(world, 3, { probes: false })
    nodes[1]!.grid.setLinks(links(400), [])
    nodes[1]!.grid.setFigures(links(400).map(() => [500, 123_456] as const))
    await world.run(12_000)
    for (const node of nodes) expect(node.grid.table.get(nodes[1]!.identity)?.pulse?.beat).toBeGreaterThan(1)
  })

  it('told twice under one version is noticed once by each, and all keep the same one', async () => {
    const world = new VirtualWorld(22)
    const nodes = virtualNodes(world, 6, { probes: false })
    await world.runUntil(() => agree(nodes), 5_000)
    const liar = keysOf(randomnessOf(dieOf(99)).bytes(32))
    const row = {
      identity: liar.identity,
      publicKey: liar.publicKey,
      incarnation: 1,
      version: 1,
      id: 'liar',
      site: 'x',
      address: null,
      program: '',
      left: false,
      degraded: [],
    }
    nodes[0]!.grid.applyRow(signRow({ ...row, links: [targetClaim('t', 'up')] }, liar))
    nodes[5]!.grid.applyRow(signRow({ ...row, links: [targetClaim('t', 'down')] }, liar))
    await world.run(15_000)
    expect(agree(nodes, 7)).toBe(true)
    for (const node of nodes) expect(node.events.filter((event) => event.type === 'lied')).toHaveLength(1)
    for (const node of nodes) expect(node.grid.lies(liar.identity)).toEqual(['two-rows'])
  })
})

describe('a goodbye', { timeout: 20_000 }, () => {
  it('is known to all at once, is forgotten in time, and stays forgotten', async () => {
    const world = new VirtualWorld(30)
    const nodes = virtualNodes(world, 3, { probes: false })
    await world.runUntil(() => agree(nodes), 5_000)
    const gone = nodes[2]!
    gone.grid.leave()
    expect(await world.runUntil(() => allShow(nodes, gone, 'left'), 2_000)).not.toBeNull()
    gone.kill()
    // It takes no part in the hash, and is not probed.
    expect(nodes[0]!.grid.peers()).not.toContain(gone.identity)
    await world.runUntil(() => agree(nodes), 3_000)
    await world.run(RHYTHM.forgetLeftMs + 120_000)
    expect(nodes.filter((node) => node.isRunning).map((node) => node.grid.table.size)).toEqual([2, 2])
    expect(
      nodes[0]!.events
        .filter((event) => event.type === 'member' && event.identity === gone.identity)
        .map((event) => event.type === 'member' && event.to),
    ).toEqual(['up', 'left'])
  })

  it('is taken back by coming back', async () => {
    const world = new VirtualWorld(31)
    const nodes = virtualNodes(world, 4)
    await settled(world, nodes)
    nodes[2]!.grid.leave()
    await world.run(300)
    nodes[2]!.kill()
    await world.run(3_000)
    nodes[2] = virtualNode(world, 2, { incarnation: 2 })
    nodes[2].start()
    expect(await world.runUntil(() => allShow(nodes, nodes[2]!, 'up') && agree(nodes), 3_000)).not.toBeNull()
  })
})
