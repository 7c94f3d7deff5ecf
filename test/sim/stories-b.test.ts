import { expect, it } from 'vitest'
import { sim } from './support.ts'

it('every promise holds in a hundred more, and in twenty that nobody has seen before', { timeout: 600_000 }, async () => {
  const { code, output } = await sim('--seeds', '100', '--from', '101', '--fresh', '20', '--workers', '1')
  process.stdout.write(output)
  expect(code, output).toBe(0)
})
