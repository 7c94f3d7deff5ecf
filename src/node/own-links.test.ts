import { describe, expect, it } from 'vitest'
import type { Identity } from '../contract/index.ts'
import { createManualClock } from '../../test/support/manual-clock.ts'
import { LocalHealth } from './local-health.ts'
import { OwnLinks } from './own-links.ts'

const [a, b] = ['a'.repeat(32), 'b'.repeat(32)] as [Identity, Identity]
const shop = { to: 'shop', kind: 'http' as const, address: 'https://shop.example', site: 'cloud' }
const ok = { ok: true, rttMs: 10, heardAgoMs: 5, theyHeardAgoMs: 5, discount: false, detail: null }
const lost = { ...ok, ok: false, rttMs: null, heardAgoMs: 9_000, theyHeardAgoMs: 9_000 }

async function down(links: OwnLinks, clock: ReturnType<typeof createManualClock>, to: Identity): Promise<void> {
  for (let at = 0; at < 8; at++) {
    await clock.advance(500)
    links.judge('node', to, lost)
  }
}

describe('own links', () => {
  it('begin as unknown, in an order that does not depend on who came first', () => {
    const links = new OwnLinks(createManualClock())
    links.setDestinations([b, a], [shop])
    expect(links.claims().map(({ to, kind, state }) => [to, kind, state])).toEqual([
      [a, 'udp', 'unknown'],
      [b, 'udp', 'unknown'],
      ['shop', 'http', 'unknown'],
    ])
    expect(links.figures()).toHaveLength(3)
  })

  it('say when a claim changed, and only then', async () => {
    const clock = createManualClock()
    const links = new OwnLinks(clock)
    links.setDestinations([a], [])
    expect(links.judge('node', a, ok)).toBe(true)
    expect(links.judge('node', a, ok)).toBe(false)
    expect(links.judge('node', b, ok)).toBe(false)
    expect(links.claims()[0]).toMatchObject({ state: 'up' })
  })

  it('keep their verdicts when others come and go', async () => {
    const clock = createManualClock()
    const links = new OwnLinks(clock)
    links.setDestinations([a], [])
    links.judge('node', a, ok)
    await down(links, clock, a)
    const before = links.claims()[0]
    expect(before).toMatchObject({ state: 'down' })
    links.setDestinations([a, b], [shop])
    expect(links.claims()[0]).toEqual(before)
    links.setDestinations([b], [])
    expect(links.claims().map(({ to }) => to)).toEqual([b])
  })

  it('date a change by the wall clock of when it happened', async () => {
    const clock = createManualClock()
    const links = new OwnLinks(clock)
    links.setDestinations([a], [])
    links.judge('node', a, ok)
    const brokeMs = clock.wallMs()
    await down(links, clock, a)
    const since = links.claims()[0]!.sinceMs!
    expect(since).toBeGreaterThan(brokeMs)
    expect(since).toBeLessThanOrEqual(clock.wallMs())
  })

  it('of a node that started anew is up with its first answer', async () => {
    const clock = createManualClock()
    const links = new OwnLinks(clock)
    links.setDestinations([a], [])
    links.judge('node', a, ok)
    await down(links, clock, a)
    links.restart(a)
    expect(links.claims()[0]).toMatchObject({ state: 'down' })
    expect(links.judge('node', a, ok)).toBe(true)
    expect(links.claims()[0]).toMatchObject({ state: 'up' })
  })

  it('that cannot be probed from here are unknown, and say why', () => {
    const links = new OwnLinks(createManualClock())
    links.setDestinations([], [shop])
    links.judge('target', 'shop', ok)
    expect(links.cannot('target', 'shop', 'neither fping nor ping is installed')).toBe(true)
    expect(links.claims()[0]).toMatchObject({ state: 'unknown', detail: 'neither fping nor ping is installed' })
    expect(links.cannot('target', 'nothing', 'why')).toBe(false)
  })
})

describe('local health', () => {
  it('is bad after a few stalls in a short time, and good again only after a long calm', () => {
    const health = new LocalHealth()
    health.observe(500, 0)
    health.observe(500, 1_000)
    expect(health.reasons(false)).toEqual([])
    health.observe(500, 2_000)
    expect(health.reasons(true)).toEqual(['hears-nobody', 'busy'])
    health.observe(10, 31_000)
    expect(health.reasons(false)).toEqual(['busy'])
    health.observe(10, 32_001)
    expect(health.reasons(false)).toEqual([])
  })

  it('is good with stalls that are far apart', () => {
    const health = new LocalHealth()
    for (let at = 0; at < 10; at++) health.observe(500, at * 6_000)
    expect(health.reasons(false)).toEqual([])
  })
})
