import { describe, expect, test } from 'vitest'
import type { GraphLink } from '../../../src/contract/index.ts'
import { link, mesh, node, target } from './fixture.ts'
import { indexLinks } from './links.ts'
import { CROWDED_LINKS, NO_SITE, mapModel, showsUp } from './map.ts'

const three = [node('a', 'east', { self: true }), node('b', 'east'), node('c', 'west')]
const shop = target('shop', null)
const watched = [...mesh(three), ...three.map(({ id }) => link(id, 'shop', { toType: 'target', kind: 'http' }))]

function crowd(change: (of: GraphLink) => Partial<GraphLink>): ReturnType<typeof mapModel> {
  const nodes = Array.from({ length: 40 }, (_, i) => node(`n${i}`, ['east', 'west', 'north'][i % 3] as string))
  return mapModel({ nodes, targets: [] }, indexLinks(mesh(nodes).map((of) => ({ ...of, ...change(of) }))), false)
}
const isEast = (id: string): boolean => Number(id.slice(1)) % 3 === 0
const isWest = (id: string): boolean => Number(id.slice(1)) % 3 === 1

describe('the map of a small grid', () => {
  test('shows every node, target and directed link, grouped by site', () => {
    const model = mapModel({ nodes: three, targets: [shop] }, indexLinks(watched), true)
    expect(model.crowded).toBe(false)
    expect(model.groups).toEqual(['east', NO_SITE, 'west'])
    expect(model.nodes.map(({ name, kind }) => `${kind} ${name}`)).toEqual(['node a', 'node b', 'node c', 'target shop'])
    expect(model.edges).toHaveLength(9)
  })

  test('without healthy links it shows what is troubled', () => {
    const links = indexLinks([...watched, link('a', 'b', { state: 'lossy' })])
    expect(mapModel({ nodes: three, targets: [shop] }, links, false).edges.map(({ id }) => id)).toEqual(['a node:b'])
  })

  test('a node that only calls out is marked, links to it are drawn as not probed, and a liar is named', () => {
    const nodes = [three[0], { ...three[1], callsOut: true }, { ...three[2], lies: ['forged-row'] }] as typeof three
    const silent = { state: 'unknown', detail: 'cannot be probed: b only calls out' } as const
    const { nodes: drawn, edges } = mapModel(
      { nodes, targets: [] },
      indexLinks(watched.map((of) => (of.to === 'b' ? { ...of, ...silent } : of))),
      true,
    )
    expect(drawn.filter(({ callsOut }) => callsOut).map(({ label }) => label)).toEqual(['b'])
    expect(drawn.filter(({ lies }) => lies).map(({ label }) => label)).toEqual(['c\ncaught lying'])
    expect(edges.filter(({ unprobeable }) => unprobeable).map(({ id }) => id)).toEqual(['a node:b', 'c node:b'])
  })

  test('what a dead node said last is not drawn, what others say of it is', () => {
    const nodes = [three[0], { ...three[1], state: 'down' }, three[2]] as typeof three
    const links = indexLinks(
      watched.map((of) => (of.from === 'b' ? { ...of, state: 'stale' } : of.to === 'b' ? { ...of, state: 'down' } : of)),
    )
    const { edges } = mapModel({ nodes, targets: [shop] }, links, true)
    expect(edges.filter(({ source }) => source === 'n:b')).toEqual([])
    expect(edges.filter(({ target: to }) => to === 'n:b').map(({ state }) => state)).toEqual(['down', 'down'])
  })

  test('a target is marked when most who watch it see trouble, not when one path to it is bad', () => {
    const bad = (who: string[]) =>
      indexLinks(watched.map((of) => (of.to === 'shop' && who.includes(of.from) ? { ...of, state: 'down' } : of)))
    const mark = (who: string[]) => mapModel({ nodes: three, targets: [shop] }, bad(who), true).nodes.at(-1)?.trouble
    expect(mark(['a'])).toBe('none')
    expect(mark(['a', 'b'])).toBe('down')
  })

  test('a link to something that the graph does not hold is left out', () => {
    expect(mapModel({ nodes: three, targets: [] }, indexLinks([link('a', 'ghost')]), true).edges).toEqual([])
  })
})

describe('healthy links', () => {
  const few = indexLinks(watched)
  const many = indexLinks(mesh(Array.from({ length: 20 }, (_, i) => node(`n${i}`, 'east'))))
  test('are drawn by default, but for a crowd over many sites; a choice counts for more', () => {
    expect(showsUp(few, 20, null)).toBe(true)
    expect(showsUp(many, 3, null)).toBe(true)
    expect(showsUp(many, 20, null)).toBe(false)
    expect(showsUp(many, 20, true)).toBe(true)
    expect(showsUp(few, 1, false)).toBe(false)
  })
})

describe('the map of a crowd', () => {
  test('draws healthy links as one line for each pair of sites, and only when asked', () => {
    const nodes = Array.from({ length: 40 }, (_, i) => node(`n${i}`, ['east', 'west', 'north'][i % 3] as string))
    const links = indexLinks(mesh(nodes))
    expect(links.size).toBeGreaterThan(CROWDED_LINKS)
    expect(mapModel({ nodes, targets: [] }, links, false).edges).toEqual([])
    expect(mapModel({ nodes, targets: [] }, links, true).edges.map(({ kind, state }) => `${kind} ${state}`)).toEqual(
      Array(3).fill('bundle up'),
    )
  })

  test('draws a few troubled links one by one', () => {
    const { edges } = crowd((of) => (of.from === 'n0' && of.to === 'n1' ? { state: 'lossy' } : {}))
    expect(edges).toMatchObject([{ kind: 'link', id: 'n0 node:n1', state: 'lossy' }])
  })

  test('draws many between two sites as one, with their number and worst state', () => {
    const { edges } = crowd((of) => (isEast(of.from) && isWest(of.to) ? { state: of.from === 'n0' ? 'down' : 'lossy' } : {}))
    expect(edges).toMatchObject([
      { kind: 'bundle', source: 's:east', target: 's:west', state: 'down', label: '182 down', sites: ['east', 'west'] },
    ])
  })

  test('a bundle whose links all begin at one node begins there', () => {
    const { edges } = crowd((of) => (of.from === 'n0' && isWest(of.to) ? { state: 'lossy' } : {}))
    expect(edges).toMatchObject([{ kind: 'bundle', source: 'n:n0', target: 's:west', label: '13 lossy', sites: ['east', 'west'] }])
  })
})
