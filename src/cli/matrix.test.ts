import { expect, test } from 'vitest'
import { Graph } from '../contract/index.ts'
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
