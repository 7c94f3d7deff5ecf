import { describe, expect, test } from 'vitest'
import { GraphNode, Identity, type LinkState } from '../../contract/index.ts'
import { type MergedGraph, mergeGraph, type NodeFacts, type RowLink } from './graph.ts'

const idOf = (n: number): Identity => Identity.parse(n.toString(16).padStart(4, '0').repeat(8))

function link(to: string, state: LinkState = 'up', more: Partial<RowLink> = {}): RowLink {
  return { toType: 'node', to, kind: 'udp', state, dead: null, sinceMs: 0, detail: null, lossRatio: 0, rttMsP50: 1, ...more }
}

function node(n: number, links: RowLink[] = [], more: Partial<NodeFacts> = {}): NodeFacts {
  return {
    identity: idOf(n),
    id: `n${n}`,
    site: 'fra',
    address: '192.0.2.1:8777',
    program: '0.1.0',
    state: 'up',
    sinceMs: 0,
    incarnation: 1,
    version: 1,
    degraded: [],
    rowAgeMs: 100,
    links,
    ...more,
  }
}

const merge = (...nodes: NodeFacts[]): MergedGraph => mergeGraph({ self: idOf(1), staleAfterMs: 5_000, nodes })
const shown = (graph: MergedGraph) =>
  Object.fromEntries(graph.links.map((l) => [`${l.from}>${l.to}`, l.dead ? `${l.state} ${l.dead}` : l.state]))

test('names, states and times come through, in a fixed order', () => {
  const a = node(1, [link(idOf(2), 'lossy', { sinceMs: 1_000, lossRatio: 0.3 })])
  const b = node(2, [link(idOf(1))])
  const graph = merge(b, a)
  expect(graph).toEqual(merge(a, b))
  expect(graph.self).toBe('n1')
  expect(graph.nodes.map((n) => [n.id, n.self])).toEqual([
    ['n1', true],
    ['n2', false],
  ])
  expect(graph.links[0]).toMatchObject({
    from: 'n1',
    to: 'n2',
    state: 'lossy',
    says: 'lossy',
    since: '1970-01-01T00:00:01.000Z',
    lossRatio: 0.3,
  })
  for (const each of graph.nodes) expect(GraphNode.parse(each)).toEqual(each)
})

test('a time that no date can hold is no time', () => {
  for (const sinceMs of [Number.NaN, -1, 1e300]) {
    expect(merge(node(1, [link(idOf(2), 'up', { sinceMs })]), node(2)).links[0]?.since).toBeNull()
  }
})

describe('whose word counts', () => {
  test('rows of nodes that are down or silent are stale, and still say what they said', () => {
    const links = [link(idOf(1), 'down')]
    const graph = merge(
      node(1),
      node(2, links, { state: 'down' }),
      node(3, links, { rowAgeMs: 6_000 }),
      node(4, links, { state: 'suspect' }),
    )
    expect(shown(graph)).toEqual({ 'n2>n1': 'stale', 'n3>n1': 'stale', 'n4>n1': 'down' })
    expect(graph.links.every((l) => l.says === 'down')).toBe(true)
  })

  test('links from and to a node that left are gone, the node is not', () => {
    const graph = merge(node(1, [link(idOf(2), 'down')]), node(2, [link(idOf(1))], { state: 'left' }))
    expect(graph.links).toEqual([])
    expect(graph.nodes).toHaveLength(2)
  })

  test('links to a node that nobody knows, to oneself, and repeated ones are dropped', () => {
    const graph = merge(node(1, [link(idOf(9)), link(idOf(1)), link(idOf(2), 'down'), link(idOf(2))]), node(2))
    expect(shown(graph)).toEqual({ 'n1>n2': 'down' })
  })
})

describe('directions', () => {
  test('down here and one-way out there is one direction, named from both ends', () => {
    const graph = merge(node(1, [link(idOf(2), 'down')]), node(2, [link(idOf(1), 'one-way', { dead: 'out' })]))
    expect(shown(graph)).toEqual({ 'n1>n2': 'one-way in', 'n2>n1': 'one-way out' })
    expect(graph.links[0]?.says).toBe('down')
  })

  test('a stale row does not reinterpret a fresh one', () => {
    const graph = merge(node(1, [link(idOf(2), 'down')]), node(2, [link(idOf(1), 'one-way', { dead: 'out' })], { rowAgeMs: 60_000 }))
    expect(shown(graph)).toEqual({ 'n1>n2': 'down', 'n2>n1': 'stale' })
  })

  test('an observer that hears nobody is the deaf one, unless the other calls it down', () => {
    const deaf = { degraded: ['hears-nobody'] } satisfies Partial<NodeFacts>
    expect(shown(merge(node(1, [link(idOf(2), 'down')], deaf), node(2, [link(idOf(1))])))).toMatchObject({ 'n1>n2': 'one-way in' })
    expect(shown(merge(node(1, [link(idOf(2), 'down')], deaf), node(2, [link(idOf(1), 'down')])))).toMatchObject({ 'n1>n2': 'down' })
  })
})

describe('labels', () => {
  test('the lowest identity keeps a label, the others are shown with a suffix and what they wanted', () => {
    const graph = merge(node(2, [], { id: 'web' }), node(1, [], { id: 'web' }))
    expect(graph.nodes.map((n) => [n.id, n.identity, n.wantedId])).toEqual([
      ['web', idOf(1), null],
      ['web~0002', idOf(2), 'web'],
    ])
  })

  test('a suffix grows until it is unique, and never takes a label that a node asked for', () => {
    const graph = merge(node(1, [], { id: 'web' }), node(2, [], { id: 'web' }), node(3, [], { id: 'web~0002' }))
    expect(graph.nodes.find((n) => n.identity === idOf(2))?.id).toBe('web~00020')
  })

  test('a node that left gives its label up', () => {
    const graph = merge(node(1, [], { id: 'web', state: 'left' }), node(2, [], { id: 'web' }))
    expect(graph.nodes.find((n) => n.identity === idOf(2))?.id).toBe('web')
  })

  test('a label of full length still fits with its suffix', () => {
    const long = 'x'.repeat(63)
    for (const each of merge(node(1, [], { id: long }), node(2, [], { id: long })).nodes) expect(GraphNode.parse(each)).toEqual(each)
  })
})

test('targets of one name are one target, described by the lowest identity', () => {
  const target = (address: string) => link('shop', 'up', { toType: 'target', kind: 'http', address, site: 'web' })
  const graph = merge(node(2, [target('http://b/')]), node(1, [target('http://a/')]))
  expect(graph.targets).toEqual([{ id: 'shop', kind: 'http', address: 'http://a/', site: 'web' }])
  expect(shown(graph)).toEqual({ 'n1>shop': 'up', 'n2>shop': 'up' })
})

test('200 nodes in full mesh merge fast enough to do it once a second', () => {
  const ids = Array.from({ length: 200 }, (_, i) => idOf(i + 1))
  const nodes = ids.map((_, i) =>
    node(
      i + 1,
      ids.filter((__, j) => j !== i).map((id, j) => link(id, j % 7 ? 'up' : 'down', { sinceMs: j })),
    ),
  )
  mergeGraph({ self: idOf(1), staleAfterMs: 5_000, nodes })
  const times = Array.from({ length: 5 }, () => {
    const startedAt = performance.now()
    expect(mergeGraph({ self: idOf(1), staleAfterMs: 5_000, nodes }).links).toHaveLength(39_800)
    return performance.now() - startedAt
  })
  // About 50 ms on an idle core; the bound leaves room for a busy machine.
  expect(Math.min(...times)).toBeLessThan(250)
})
