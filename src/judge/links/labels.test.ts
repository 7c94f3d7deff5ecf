import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NodeState } from '../../contract/index.ts'
import { assignLabels, type LabelClaim } from './labels.ts'

const claims = fc.uniqueArray(
  fc.record({
    identity: fc.constantFrom(...Array.from({ length: 12 }, (_, at) => `${at.toString(16)}${'0'.repeat(30)}${at % 2}`)),
    id: fc.constantFrom('web', 'db', 'web~0000', 'web~1000'),
    state: fc.constantFrom(...NodeState.options),
  }),
  { selector: (claim) => claim.identity },
)

describe('labels that two nodes want', () => {
  it('are settled the same way in whatever order the nodes are known, each node under one of its own', () => {
    fc.assert(
      fc.property(
        claims.chain((those) => fc.tuple(fc.constant(those), fc.shuffledSubarray(those, { minLength: those.length }))),
        ([one, other]) => {
          const shown = assignLabels(one)
          expect(Object.fromEntries(assignLabels(other))).toEqual(Object.fromEntries(shown))
          expect(new Set(shown.values()).size).toBe(one.length)
        },
      ),
    )
  })

  it('stay with the lowest identity that is there', () => {
    const claim = (identity: string, state: LabelClaim['state'] = 'up'): LabelClaim => ({ identity: identity.repeat(32), id: 'web', state })
    expect(assignLabels([claim('b'), claim('a'), claim('c')]).get('a'.repeat(32))).toBe('web')
    expect([...assignLabels([claim('b'), claim('a', 'down')])]).toEqual([
      ['b'.repeat(32), 'web'],
      ['a'.repeat(32), 'web~aaaa'],
    ])
  })
})
