import { expect, it } from 'vitest'
import { sim } from './support.ts'

// Two files, so that two workers share the seeds: each plays them in one process.
it('every promise holds in a hundred stories of trouble', { timeout: 600_000 }, async () => {
  const { code, output } = await sim('--seeds', '100', '--from', '1', '--workers', '1')
  process.stdout.write(output)
  expect(code, output).toBe(0)
})
