import { expect, test } from 'vitest'
import { LIMITS } from '../contract/index.ts'
import { cleanDetail, failed } from './outcome.ts'

test('a detail is one bounded line without control or direction characters', () => {
  expect(cleanDetail(' a\r\n\u001b[2Jb\u202ec\u0000 ')).toBe('a [2Jb c')
  expect(cleanDetail('x'.repeat(LIMITS.detailChars))).toHaveLength(LIMITS.detailChars)
  expect(cleanDetail('x'.repeat(LIMITS.detailChars + 1))).toHaveLength(LIMITS.detailChars)
  expect(cleanDetail('x'.repeat(10_000_000))).toHaveLength(LIMITS.detailChars)
  expect(failed('a\nb').detail).toBe('a b')
})
