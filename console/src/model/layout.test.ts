import { describe, expect, test } from 'vitest'
import { type Point, type Spot, arrange, nearestFree, place } from './layout.ts'

function spots(count: number, sites: number): Spot[] {
  return Array.from({ length: count }, (_, i) => ({ id: `n${i}`, group: `site-${i % sites}` }))
}

function closest(points: Iterable<Point>): number {
  const all = [...points]
  let least = Infinity
  all.forEach((a, i) => all.slice(i + 1).forEach((b) => (least = Math.min(least, Math.hypot(a.x - b.x, a.y - b.y)))))
  return least
}

describe('a map from nothing', () => {
  test.each([
    [1, 1],
    [2, 2],
    [5, 3],
    [12, 4],
    [60, 8],
    [500, 20],
    [300, 1],
  ])('%d nodes in %d sites stand apart', (count, sites) => {
    const placed = arrange(spots(count, sites), 1.6)
    expect(placed.size).toBe(count)
    expect(closest(placed.values())).toBeGreaterThan(45)
  })

  test('is the same for everyone, whatever the order of what is told', () => {
    const all = spots(12, 4)
    const again = arrange([...all].reverse(), 1.6)
    const sites = (placed: Map<string, Point>): string[] =>
      ['site-0', 'site-1', 'site-2', 'site-3'].map((group) => {
        const points = all.filter((spot) => spot.group === group).map(({ id }) => placed.get(id) as Point)
        return `${Math.round(points.reduce((s, p) => s + p.x, 0) / 30)} ${Math.round(points.reduce((s, p) => s + p.y, 0) / 30)}`
      })
    expect(arrange(all, 1.6)).toEqual(arrange(all, 1.6))
    expect(sites(again)).toEqual(sites(arrange(all, 1.6)))
  })

  test('two sites stand side by side on a wide page, and above each other on a tall one', () => {
    const wide = arrange(spots(2, 2), 1.6)
    const tall = arrange(spots(2, 2), 0.6)
    expect(wide.get('n0')?.y).toBe(wide.get('n1')?.y)
    expect(tall.get('n0')?.x).toBe(tall.get('n1')?.x)
  })
})

describe('a map that is known', () => {
  test('a newcomer takes a free spot by its site, and nothing else moves', () => {
    const before = arrange(spots(5, 3), 1.6)
    const newcomer = { id: 'new', group: 'site-1' }
    const after = place([...spots(5, 3), newcomer], before, 1.6)
    for (const [id, point] of before) expect(after.get(id)).toEqual(point)
    const spot = after.get('new') as Point
    const mate = before.get('n1') as Point
    expect(Math.hypot(spot.x - mate.x, spot.y - mate.y)).toBeLessThan(300)
    expect(closest(after.values())).toBeGreaterThan(45)
  })

  test('a newcomer from a new site stands clear of the others', () => {
    const before = arrange(spots(5, 3), 1.6)
    const after = place([...spots(5, 3), { id: 'new', group: 'elsewhere' }], before, 1.6)
    const spot = after.get('new') as Point
    for (const point of before.values()) expect(Math.hypot(spot.x - point.x, spot.y - point.y)).toBeGreaterThan(200)
  })

  test('what left is forgotten', () => {
    const before = arrange(spots(5, 3), 1.6)
    expect(place(spots(4, 3), before, 1.6).has('n4')).toBe(false)
  })

  test('when almost nothing is known, all is arranged anew', () => {
    const all = spots(9, 3)
    expect(place(all, new Map([['n0', { x: 9_999, y: 9_999 }]]), 1.6)).toEqual(arrange(all, 1.6))
  })

  test('a free spot is found in any crowd', () => {
    const crowd = Array.from({ length: 400 }, (_, i) => ({ x: (i % 20) * 50, y: Math.floor(i / 20) * 50 }))
    const spot = nearestFree({ x: 500, y: 500 }, crowd, 90)
    expect(Math.min(...crowd.map((p) => Math.hypot(p.x - spot.x, p.y - spot.y)))).toBeGreaterThan(80)
  })
})
