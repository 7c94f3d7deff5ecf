import { expect, test } from 'vitest'
import { Graph, type LinkState } from '../contract/index.ts'
import { fakeGraph } from '../../test/support/fake-node.ts'
import { matrixLines } from './matrix.ts'
import { createOutput } from './output.ts'

const width = (columns: number) => ({
  ...createOutput(process.stdout, process.stderr, {}),
  columns,
  paint: (_: unknown, text: string) => text,
})

test('the matrix shows who sees whom, by word and symbol', () => {
  expect(matrixLines(width(80), Graph.parse(fakeGraph)).join('\n')).toBe(
    [
      'grid calm-otter: 2 nodes in 2 sites, 1 target, 4 links',
      `hash ${fakeGraph.hash}, seen by fra-1`,
      '',
      '          1 2 3',
      '  1 ams-2 \\ ✓ ✗',
      '  2 fra-1 → \\ ✓',
      '',
      'Targets: 3 shop',
      '',
      'Each row looks at the columns: ✓ up, ✗ down, → one-way',
    ].join('\n'),
  )
})

test('a matrix that is wider than the terminal continues below', () => {
  const lines = matrixLines(width(16), Graph.parse(fakeGraph))
  expect(lines.filter((line) => line.startsWith('  1 ams-2'))).toHaveLength(2)
})

test('a graph of one node alone draws', () => {
  expect(
    matrixLines(width(80), { ...Graph.parse(fakeGraph), targets: [], links: [], nodes: Graph.parse(fakeGraph).nodes.slice(0, 1) }).join(
      '\n',
    ),
  ).toContain('1 node in 1 site')
})

test('a pair of nodes that is not probed is told from one that is not known', () => {
  const graph = Graph.parse(fakeGraph)
  const lines = matrixLines(width(80), { ...graph, links: graph.links.filter(({ to }) => to !== 'ams-2') })
  expect(lines).toContain('  2 fra-1 . \\ ✓')
  expect(lines.at(-1)).toMatch(/, \. not probed$/)
})

test('a grid in which not everyone probes everyone is shown by site, with the worst that each says of the other', () => {
  const graph = Graph.parse(fakeGraph)
  const [first] = graph.nodes
  const [link] = graph.links
  const nodes = Array.from({ length: 300 }, (_, i) => ({ ...first!, id: `n${i}`, site: `s${i % 3}` }))
  const say = (from: string, to: string, state: LinkState) => ({ ...link!, from, to, toType: 'node' as const, state })
  const links = [say('n0', 'n1', 'up'), say('n3', 'n4', 'down'), say('n1', 'n0', 'up'), say('n0', 'n3', 'unknown'), say('n0', 'n6', 'up')]
  const lines = matrixLines(width(80), { ...graph, targets: [], nodes, links })
  expect(lines.slice(3)).toEqual([
    '       1 2 3',
    '  1 s0 ✓ ✗ .',
    '  2 s1 ✓ \\ .',
    '  3 s2 . . \\',
    '',
    'Each site looks at the columns, and shows the worst of its links: ✓ up, ✗ down, . not probed',
  ])
})
