import { expect, it } from 'vitest'
import { dieOf, randomnessOf } from '../../test/support/virtual-network.ts'
import { pick } from './random.ts'

it('picks so many, each once, and never more than there are or fewer than none', () => {
  const random = randomnessOf(dieOf(1))
  const items = [1, 2, 3, 4, 5]
  expect(new Set(pick(random, items, 3)).size).toBe(3)
  expect(new Set(pick(random, items, 9))).toEqual(new Set(items))
  expect(pick(random, items, 0)).toEqual([])
  expect(pick(random, items, -2)).toEqual([])
})
