import { describe, expect, test } from 'vitest'
import { HOME, type Route, VIEWS, formatRoute, parseRoute } from './route.ts'

describe('addresses of the console', () => {
  const routes: Route[] = [
    HOME,
    {
      view: 'matrix',
      selection: { type: 'link', from: 'a', to: 'b' },
      filter: '',
      sites: ['east', 'west'],
      at: '2026-01-01T03:20:41.000Z',
    },
    { view: 'table', selection: { type: 'node', id: 'host.example:8777/x@y' }, filter: 'down & out? #1', sites: null, at: null },
    { view: 'changes', selection: { type: 'target', id: 'größe' }, filter: '', sites: null, at: null },
  ]
  test.each(routes)('%j survives being an address', (route) => {
    expect(parseRoute(formatRoute(route))).toEqual(route)
  })

  test('every view has an address', () => {
    for (const view of VIEWS) expect(parseRoute(`#/${view}`).view).toBe(view)
  })

  test.each(['', '#', '#/', '#/nothing', '#/map?from=a', '#/map?%%%', '#/map?at=yesterday', 'rubbish'])('%j shows the map', (hash) => {
    expect(parseRoute(hash)).toEqual(HOME)
  })
})
