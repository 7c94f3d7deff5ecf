import { expect, it } from 'vitest'
import { sim } from './support.ts'

// A thousand nodes take minutes: `npm run sim -- --scale`.
it('two hundred nodes keep what is promised for a thousand', { timeout: 600_000 }, async () => {
  const { code, output } = await sim('--scale', '--nodes', '200')
  expect(code, output).toBe(0)
  process.stdout.write(output)
})
