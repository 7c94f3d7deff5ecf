import { describe, expect, test } from 'vitest'
import type { Rundown, Trouble } from '../../../src/contract/index.ts'
import { SINCE } from './fixture.ts'
import { LOOKS } from './states.ts'
import { placeOf, verdict } from './verdict.ts'

const down: Trouble = {
  what: 'd is down',
  since: SINCE,
  more: '4 links to it are dead.',
  state: 'down',
  links: 8,
  about: { type: 'node', id: 'd' },
}
const slow: Trouble = {
  what: 'Answers are slow',
  since: null,
  more: '',
  state: 'slow',
  links: 1,
  about: { type: 'sites', from: 'x', to: 'y' },
}
function rundown(troubles: Trouble[], well = troubles.length === 0): Rundown {
  return {
    well,
    headline: 'as the command line says it',
    at: SINCE,
    self: 'a',
    hash: '',
    counts: { nodes: 1, nodesUp: 1, targets: 0, targetsUp: 0, links: 0, linksTroubled: 0 },
    troubles,
    nodes: [],
    links: [],
  }
}

describe('the verdict', () => {
  test('when all is well it says what the rundown says', () => {
    expect(verdict(rundown([]))).toMatchObject({
      headline: 'as the command line says it',
      look: { mark: '✓' },
      since: null,
      more: expect.stringMatching(/answers/),
    })
  })

  test('the worst trouble stands alone in the headline, the rest is counted', () => {
    expect(verdict(rundown([down, slow]))).toEqual({
      headline: 'd is down.',
      look: LOOKS.down,
      since: SINCE,
      more: '4 links to it are dead. And 1 more trouble.',
    })
  })

  test('not well without a trouble is not shown as well', () => {
    expect(verdict(rundown([], false)).look).toBe(LOOKS.stale)
  })

  test('each trouble leads to where it is looked into', () => {
    expect(placeOf(down)).toEqual({ selection: { type: 'node', id: 'd' } })
    expect(placeOf(slow)).toEqual({ view: 'matrix', sites: ['x', 'y'], selection: null })
  })
})
