import { describe, expect, it, vi } from 'vitest'
import type * as Keys from '../../src/grid/keys.ts'
import { agree, virtualNodes } from '../support/virtual-grid.ts'
import { GOOD_PATH, VirtualWorld } from '../support/virtual-network.ts'

vi.mock('../../src/grid/keys.ts', async (original) => {
  const keys = await original<typeof Keys>()
  const { checkedOnce } = await import('../support/checked-once.ts')
  return { ...keys, verifierOf: checkedOnce(keys.verifierOf) }
})

describe('what it costs', { timeout: 30_000 }, () => {
  it('to keep a hundred nodes in agreement stays bounded, and every row fresh', async () => {
    const world = new VirtualWorld(50)
    const nodes = virtualNodes(world, 100, { probes: false })
    expect(await world.runUntil(() => agree(nodes), 20_000, 100)).not.toBeNull()
    await world.run(2_000)
    const before = world.sent.bytes
    await world.run(5_000)
    const bytesPerNodeSecond = (world.sent.bytes - before) / nodes.length / 5
    const ages = nodes.flatMap((node) => [...node.grid.table.entries()].map((entry) => node.host.clock.monoMs() - entry.heardMs))
    if (process.env['MIDWATCH_SEEDS'])
      console.log(`100 nodes: ${Math.round(bytesPerNodeSecond)} bytes a second and node, oldest row ${Math.round(Math.max(...ages))} ms`)
    expect(bytesPerNodeSecond).toBeLessThan(20_000)
    expect(Math.max(...ages)).toBeLessThan(nodes[0]!.grid.pace.staleAfterMs)
  })

  it('one run can be repeated: the same seed gives the same events at the same times', async () => {
    const run = async (seed: number): Promise<string> => {
      const world = new VirtualWorld(seed)
      world.path = () => ({ ...GOOD_PATH, lossRatio: 0.05 })
      const nodes = virtualNodes(world, 4)
      await world.run(5_000)
      return JSON.stringify([world.sent, nodes.map((node) => node.events)])
    }
    const [once, again, other] = [await run(60), await run(60), await run(61)]
    expect(again).toBe(once)
    expect(other).not.toBe(once)
  })
})
