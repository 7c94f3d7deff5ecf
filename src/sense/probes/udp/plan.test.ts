import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Identity } from '../../../contract/index.ts'
import { PLAN, planPeers, probeIntervalMs, type PlannedNode } from './plan.ts'

/** A full mesh only of the very small, so that small grids show what large ones do. */
const LIMITS = { ...PLAN, fullMeshNodes: 4 }

const node = (number: number, site: string): PlannedNode => ({
  identity: createHash('sha256').update(`${number}`).digest('hex').slice(0, 32) as Identity,
  site,
  isDown: false,
})

type Plan = ReadonlyMap<Identity, readonly Identity[]>
const planOf = (nodes: readonly PlannedNode[], limits = LIMITS): Plan =>
  new Map(nodes.map(({ identity }) => [identity, planPeers(nodes, identity, limits)]))

/** A grid's life: who joins where, and who leaves, dies or comes back. */
type Step = { readonly what: 'join' | 'leave' | 'die' | 'return'; readonly site: number; readonly who: number }
const life = fc.array(
  fc.record<Step>({
    what: fc.constantFrom('join', 'join', 'join', 'leave', 'die', 'return'),
    site: fc.nat({ max: 5 }),
    who: fc.nat({ max: 999 }),
  }),
  { minLength: 10, maxLength: 60 },
)

function after(nodes: readonly PlannedNode[], { what, site, who }: Step, number: number): PlannedNode[] {
  if (what === 'join') return [...nodes, node(number, `s${site}`)]
  const at = nodes.length === 0 ? -1 : who % nodes.length
  if (what === 'leave') return nodes.filter((_, i) => i !== at)
  return nodes.map((one, i) => (i === at ? { ...one, isDown: what === 'die' } : one))
}

/** Node pairs without a common node that the plan has between two sites: two are all that is asked. */
function disjointPairs(nodes: readonly PlannedNode[], plan: Plan, s: string, t: string): number {
  const there = new Set(nodes.filter(({ site, isDown }) => site === t && !isDown).map(({ identity }) => identity))
  const pairs = nodes
    .filter(({ site, isDown }) => site === s && !isDown)
    .flatMap(({ identity }) => (plan.get(identity) ?? []).filter((to) => there.has(to)).map((to) => [identity, to] as const))
  const hasTwo = pairs.some(([a, b]) => pairs.some(([c, d]) => a !== c && b !== d))
  return hasTwo ? 2 : Math.min(1, pairs.length)
}

describe('the plan of who probes whom', () => {
  it('is everyone in a small grid', () => {
    const nodes = Array.from({ length: PLAN.fullMeshNodes }, (_, i) => node(i, `s${i % 7}`))
    const self = nodes[3]!.identity
    const others = nodes.map(({ identity }) => identity).filter((identity) => identity !== self)
    expect(planPeers(nodes, self)).toEqual(others.sort())
    expect(planPeers([...nodes, node(999, 's1')], self).length).toBeLessThan(40)
  })

  it('covers each pair of sites, is the same from both ends, and watches each node, whoever joins, leaves, dies or comes back', () => {
    fc.assert(
      fc.property(life, (steps) => {
        let nodes: PlannedNode[] = []
        for (const [number, step] of steps.entries()) nodes = after(nodes, step, number)
        const plan = planOf(nodes)
        for (const [from, peers] of plan) {
          expect(peers).not.toContain(from)
          for (const to of peers) expect(plan.get(to)).toContain(from)
        }
        const up = nodes.filter(({ isDown }) => !isDown)
        for (const { identity } of nodes) {
          const watchers = plan.get(identity)!.filter((peer) => up.some((other) => other.identity === peer))
          const possible = up.filter((other) => other.identity !== identity).length
          expect(watchers.length).toBeGreaterThanOrEqual(Math.min(LIMITS.watchers, possible))
        }
        const sizes = new Map<string, number>()
        for (const { site } of up) sizes.set(site, (sizes.get(site) ?? 0) + 1)
        for (const [s, sizeOfS] of sizes)
          for (const [t, sizeOfT] of sizes)
            if (s < t) expect(disjointPairs(nodes, plan, s, t), `${s} and ${t}`).toBe(Math.min(LIMITS.pairsOfSites, sizeOfS, sizeOfT))
      }),
      { seed: 1, numRuns: 150 },
    )
  })

  it('does not depend on the order in which a node learned of the others', () => {
    fc.assert(
      fc.property(life, fc.infiniteStream(fc.nat()), (steps, numbers) => {
        let nodes: PlannedNode[] = []
        for (const [number, step] of steps.entries()) nodes = after(nodes, step, number)
        const shuffled = nodes.map((one) => ({ one, key: numbers.next().value as number })).sort((a, b) => a.key - b.key)
        const again = shuffled.map(({ one }) => one)
        for (const { identity } of nodes.slice(0, 10))
          expect(planPeers(again, identity, LIMITS)).toEqual(planPeers(nodes, identity, LIMITS))
      }),
      { seed: 2, numRuns: 100 },
    )
  })

  it('changes only for a few nodes for each that the one probes that came, went, died or returned', () => {
    fc.assert(
      fc.property(life, (steps) => {
        let nodes = Array.from({ length: LIMITS.fullMeshNodes + 20 }, (_, i) => node(1_000 + i, `s${i % 3}`))
        let plan = planOf(nodes)
        for (const [number, step] of steps.slice(0, 15).entries()) {
          const next = after(nodes, step, number)
          const before = plan
          plan = planOf(next)
          const changed = next.find((one) => !nodes.includes(one)) ?? nodes.find((one) => !next.includes(one))
          const degree = Math.max(
            plan.get(changed?.identity as Identity)?.length ?? 0,
            before.get(changed?.identity as Identity)?.length ?? 0,
          )
          const touched = [...plan].filter(([identity, peers]) => peers.join() !== before.get(identity)?.join()).length
          if (changed) expect(touched).toBeLessThanOrEqual(4 * degree + 1)
          else expect(touched).toBe(0)
          nodes = next
        }
      }),
      { seed: 3, numRuns: 60 },
    )
  })

  it('spreads the work: of a thousand nodes in fifty sites none probes more than two dozen, and one death touches few', () => {
    const nodes = Array.from({ length: 1_000 }, (_, i) => node(i, `s${i % 50}`))
    const plan = planOf(nodes, PLAN)
    const degrees = [...plan.values()].map((peers) => peers.length)
    expect(Math.max(...degrees)).toBeLessThanOrEqual(24)
    expect(degrees.reduce((sum, degree) => sum + degree, 0) / degrees.length).toBeLessThan(13)
    const dead = planOf([{ ...nodes[0]!, isDown: true }, ...nodes.slice(1)], PLAN)
    const touched = [...dead].filter(([identity, peers]) => peers.join() !== plan.get(identity)?.join()).length
    expect(touched).toBeLessThan(60)
  })

  it('keeps the packet budget of a node by probing each peer less often', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2_000 }), fc.integer({ min: 100, max: 3_600_000 }), (peers, everyMs) => {
        const intervalMs = probeIntervalMs(peers, everyMs)
        expect(intervalMs).toBeGreaterThanOrEqual(everyMs)
        expect((peers * 1_000) / intervalMs).toBeLessThanOrEqual(PLAN.probesPerSecond)
        if (peers * 1_000 <= everyMs * PLAN.probesPerSecond) expect(intervalMs).toBe(everyMs)
      }),
      { seed: 4 },
    )
  })
})
