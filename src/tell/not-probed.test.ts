import { expect, test } from 'vitest'
import { Graph } from '../contract/index.ts'
import { fakeGraph } from '../../test/support/fake-node.ts'
import { notProbedText } from './index.ts'

const base = Graph.parse(fakeGraph)
const node = (id: string, site: string) => ({ ...base.nodes[0]!, id, site })
const link = (from: string, to: string) => ({ ...base.links[0]!, from, to, toType: 'node' as const })
const graph: Graph = {
  ...base,
  nodes: [node('n1', 'nyc'), node('n2', 'nyc'), node('n3', 'nyc'), node('f1', 'fra'), node('f2', 'fra'), node('x1', 'syd')],
  links: [link('n2', 'f1'), link('n1', 'f2'), link('f1', 'n2'), link('n3', 'n2'), link('f2', 'n2')],
}

test('who asks for a pair that is not probed is told which pairs stand for their sites', () => {
  expect(notProbedText(graph, 'n1', 'f1')).toBe(
    'n1 does not probe f1: in a grid of 6 nodes each probes some; nyc and fra are covered by n2 → f1 and n1 → f2',
  )
})

test('within one site, or where no pair stands for two sites, the watchers are named', () => {
  expect(notProbedText(graph, 'n1', 'n2')).toMatch(/each probes some; n2 is watched by f1, n3 and f2$/)
  expect(notProbedText(graph, 'n1', 'x1')).toMatch(/nobody probes x1 yet$/)
})

test('what has another reason than the plan says no more than that, or the reason', () => {
  expect(notProbedText(graph, 'n1', 'n1')).toBe('n1 does not probe n1')
  expect(notProbedText(graph, 'n1', 'shop')).toBe('n1 does not probe shop')
  const hidden = { ...graph, nodes: graph.nodes.map((one) => (one.id === 'x1' ? { ...one, callsOut: true } : one)) }
  expect(notProbedText(hidden, 'n1', 'x1')).toBe('n1 does not probe x1, which can only call out: nobody can probe it')
})
