import { describe, expect, test } from 'vitest'
import { link } from './fixture.ts'
import { applyLinks, findLink, indexLinks } from './links.ts'

describe('the index of links', () => {
  const links = indexLinks([link('a', 'b'), link('a', 'shop', { toType: 'target' }), link('a', 'b', { toType: 'target', kind: 'tcp' })])

  test('a node comes before a target of the same name', () => {
    expect(findLink(links, 'a', 'b')?.kind).toBe('udp')
    expect(findLink(links, 'a', 'shop')?.toType).toBe('target')
    expect(findLink(links, 'b', 'a')).toBeNull()
  })

  test('figures alone do not change the picture', () => {
    const { links: next, stateChanged } = applyLinks(links, [link('a', 'b', { rttMsP50: 9 })])
    expect(stateChanged).toBe(false)
    expect(findLink(next, 'a', 'b')?.rttMsP50).toBe(9)
    expect(findLink(links, 'a', 'b')?.rttMsP50).toBe(1)
  })

  test('another state, another dead direction and a new link change it', () => {
    expect(applyLinks(links, [link('a', 'b', { state: 'down' })]).stateChanged).toBe(true)
    expect(applyLinks(links, [link('a', 'b', { dead: 'in' })]).stateChanged).toBe(true)
    expect(applyLinks(links, [link('b', 'a')]).stateChanged).toBe(true)
  })
})
