import { describe, expect, test } from 'vitest'
import { link, mesh, node, target } from './fixture.ts'
import { indexLinks } from './links.ts'
import { type Axis, compareNames, nodeMatrix, siteMatrix } from './matrix.ts'
import { LOOKS, UNPROBEABLE } from './states.ts'

const nodes = [node('n10', 'west'), node('n2', 'west'), node('a', 'east')]
const targets = [target('shop', null), target('db', 'east')]
const links = indexLinks([
  ...mesh(nodes),
  link('a', 'n2', { state: 'down' }),
  link('a', 'n10', { state: 'lossy' }),
  link('a', 'shop', { toType: 'target', state: 'unknown' }),
])
const names = (axes: readonly Axis[]): string[] => axes.map(({ name }) => name)
const axis = (axes: readonly Axis[], name: string): Axis => axes.find((candidate) => candidate.name === name) as Axis

describe('who sees whom', () => {
  test('rows are observers, columns also targets, both by site, numbers in order, what has no site last', () => {
    const matrix = nodeMatrix({ nodes, targets }, links, null)
    expect(names(matrix.rows)).toEqual(['a', 'n2', 'n10'])
    expect(names(matrix.columns)).toEqual(['a', 'db', 'n2', 'n10', 'shop'])
  })

  test('a cell is one link; nobody looks at itself', () => {
    const { rows, columns, cell } = nodeMatrix({ nodes, targets }, links, null)
    expect(cell(axis(rows, 'a'), axis(columns, 'n2'))?.look.word).toBe('down')
    expect(cell(axis(rows, 'a'), axis(columns, 'a'))).toBeNull()
    expect(cell(axis(rows, 'a'), axis(columns, 'shop'))).toEqual({ look: LOOKS.unknown, troubled: 0, of: 1 })
  })

  test('it can be narrowed to what one site sees of another', () => {
    const { rows, columns } = nodeMatrix({ nodes, targets }, links, ['east', 'west'])
    expect([names(rows), names(columns)]).toEqual([['a'], ['n2', 'n10']])
  })

  test('by site a cell is the worst state and the number of links in trouble', () => {
    const { rows, columns, cell } = siteMatrix({ nodes, targets }, links)
    expect(cell(axis(rows, 'east'), axis(columns, 'west'))).toEqual({ look: LOOKS.down, troubled: 2, of: 2 })
    expect(cell(axis(rows, 'west'), axis(columns, 'east'))).toEqual({ look: LOOKS.up, troubled: 0, of: 2 })
    expect(names(columns)).toEqual(['east', 'west', 'no site'])
  })

  test('a link that nobody can probe says nothing of two sites while another does', () => {
    const silent = link('a', 'n2', { state: 'unknown', detail: 'cannot be probed: n2 only calls out' })
    const only = siteMatrix({ nodes, targets }, indexLinks([silent]))
    expect(only.cell(axis(only.rows, 'east'), axis(only.columns, 'west'))?.look).toBe(UNPROBEABLE)
    const beside = siteMatrix({ nodes, targets }, indexLinks([silent, link('a', 'n10')]))
    expect(beside.cell(axis(beside.rows, 'east'), axis(beside.columns, 'west'))).toEqual({ look: LOOKS.up, troubled: 0, of: 2 })
  })

  test('names compare as people count', () => {
    expect(['node-10', 'node-2', 'Node-1'].sort(compareNames)).toEqual(['Node-1', 'node-2', 'node-10'])
  })
})
