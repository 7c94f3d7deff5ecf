import { describe, expect, it } from 'vitest'
import { sim } from './support.ts'

/** Within so many seeds a missing guard must show. */
const SEEDS = 30

// A promise that nothing can break promises nothing: without each guard, switched off in the text of its module, the simulator must notice.
describe.concurrent('without its guard', { timeout: 300_000 }, () => {
  it.each([
    ['signature', ['own-words']],
    ['version-order', ['forward', 'nobody-honest-named', 'one-hash']],
    ['bounds', ['bounded', 'named']],
    ['relay', ['relayed']],
    ['local-health', ['local-health', 'no-false-death']],
  ])('%s the grid breaks a promise', async (guard, promises) => {
    const { code, output } = await sim('--without', guard, '--seeds', String(SEEDS), '--until-failure', '--workers', '1', '--json')
    expect(code, output).toBe(1)
    const { found } = JSON.parse(output) as { found: { failure: { invariant: string } }[] }
    expect(promises).toContain(found[0]?.failure.invariant)
  })
})

describe('a failing story', { timeout: 300_000 }, () => {
  it('is the same each time it is played', async () => {
    const [once, again] = await Promise.all([sim('--seed', '5', '--json'), sim('--seed', '5', '--json')])
    expect(again).toEqual(once)
  })

  it('is told in words when it is asked for', async () => {
    const { output } = await sim('--seed', '5', '--keep', '0')
    expect(output).toMatch(/nodes start/)
    expect(output).toMatch(/Every promise held/)
  })
})
