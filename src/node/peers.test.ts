import { describe, expect, it } from 'vitest'
import type { Identity, NodeState } from '../contract/index.ts'
import type { Grid } from '../grid/index.ts'
import { PLAN } from '../sense/index.ts'
import { createManualClock } from '../../test/support/manual-clock.ts'
import { isMember, Peering } from './peers.ts'

const idOf = (number: number): Identity => (number * 2_654_435_761).toString(16).padStart(32, '0') as Identity

/** What Peering asks of a grid, with so many other nodes in it. */
function gridOf(count: number, probeEveryMs = 1_000) {
  const states = new Map<Identity, NodeState>(Array.from({ length: count }, (_, i) => [idOf(i + 1), 'up']))
  const siteOf = (identity: Identity): string => `s${Number(`0x${identity.slice(-4)}`) % 10}`
  const grid = {
    self: idOf(0),
    row: { site: 's0', address: '10.0.0.2:8777' },
    callers: () => [],
    peers: () => [...states.keys()],
    member: (identity: Identity) => (states.has(identity) ? { state: states.get(identity) } : undefined),
    table: {
      get: (identity: Identity) => (states.has(identity) ? { row: { site: siteOf(identity), address: '10.0.0.1:8777' } } : undefined),
      get size() {
        return states.size + 1
      },
    },
  } as unknown as Grid
  const clock = createManualClock()
  const plans: { readonly peers: readonly Identity[]; readonly everyMs: number }[] = []
  const peering = new Peering({ clock, probeEveryMs, grid: () => grid, onPeers: (peers, everyMs) => plans.push({ peers, everyMs }) })
  return { clock, grid, peering, plans, states }
}

describe('whom a node probes', () => {
  it('is everyone in a small grid, soon, and told again only when it changed', async () => {
    const { clock, peering, plans, states } = gridOf(3)
    peering.update()
    peering.update()
    await clock.advance(100)
    states.set(idOf(9), 'up')
    peering.update()
    expect(plans.map(({ peers }) => peers.length)).toEqual([3, 4])
    expect(plans[0]?.everyMs).toBe(1_000)
  })

  it('is some in a large grid, and planned again once a second however much changes', async () => {
    const { clock, peering, plans, states } = gridOf(PLAN.fullMeshNodes)
    peering.update()
    expect(plans).toHaveLength(1)
    expect(plans[0]?.peers.length).toBeLessThan(60)
    for (const peer of plans[0]?.peers.slice(0, 20) ?? []) {
      states.set(peer, 'down')
      peering.update()
    }
    expect(plans).toHaveLength(1)
    await clock.advance(1_000)
    expect(plans).toHaveLength(2)
    states.clear()
    await clock.advance(1_000)
    peering.update()
    expect(plans.at(-1)?.peers).toEqual([])
  })

  it('is probed less often where the budget would not hold', () => {
    const { peering, plans } = gridOf(150, 100)
    peering.update()
    expect(plans[0]?.everyMs).toBe(750)
  })

  it('stays as it was after the end', async () => {
    const { clock, peering, plans, states } = gridOf(PLAN.fullMeshNodes)
    peering.update()
    states.delete(plans[0]!.peers[0]!)
    states.set(idOf(500), 'up')
    peering.update()
    peering.stop()
    await clock.advance(5_000)
    expect(plans).toHaveLength(1)
  })
})

it('a member is who is known and has not left, alive or not', () => {
  const { grid, states } = gridOf(3)
  states.set(idOf(2), 'down')
  states.set(idOf(3), 'left')
  expect([1, 2, 3, 4].map((number) => isMember(grid, idOf(number)))).toEqual([true, true, false, false])
})
