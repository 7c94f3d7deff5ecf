import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MidwatchError } from '../../src/contract/index.ts'
import { createInvitations, readToken } from '../../src/grid/invitations.ts'
import { FIELDS } from '../../src/node/settings/fields.ts'
import { loadSettings } from '../../src/node/settings/index.ts'
import { createManualClock } from '../support/manual-clock.ts'
import { GRID_KEY } from '../support/virtual-grid.ts'
import { dieOf, randomnessOf } from '../support/virtual-network.ts'
import { fuzz, heapBytes } from './support/fuzz.ts'
import { anyBytes, cborBytes, damaged } from './support/inputs.ts'

const textOf = (input: Uint8Array): string => Buffer.from(input).toString('utf8')
const asBytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

/** The error that a call ends with; null when it ended well. What is no MidwatchError is thrown on. */
async function refusal(work: () => unknown): Promise<MidwatchError | null> {
  try {
    await work()
    return null
  } catch (error) {
    if (error instanceof MidwatchError) return error
    throw error
  }
}

async function withoutGrowth(run: () => Promise<void>): Promise<void> {
  await run()
  const before = await heapBytes()
  await run()
  expect((await heapBytes()) - before).toBeLessThan(8 * 2 ** 20)
}

describe('a token of an invitation', { timeout: 30_000 }, () => {
  const invitations = createInvitations({
    clock: createManualClock(),
    random: randomnessOf(dieOf(1)),
    gridKey: () => GRID_KEY,
    isRemoved: () => false,
    peers: () => [],
    onUsed: async () => {},
    onRefused: () => {},
  })
  const { token } = invitations.make(['10.0.0.1:8777', '[2001:db8::1]:8777'])

  it('is read, or refused as one that it is not', async () => {
    const base64 = (bytes: Uint8Array): Uint8Array => asBytes(`mw1.${Buffer.from(bytes).toString('base64url')}`)
    const inputs = fc.oneof(
      anyBytes(200),
      anyBytes(200).map(base64),
      cborBytes.map(base64),
      damaged([asBytes(token)]),
      damaged([asBytes(`midwatch join ${token}`)]),
    )
    await withoutGrowth(() =>
      fuzz('token', inputs, 1_000, async (input) => {
        const refused = await refusal(() => readToken(textOf(input)))
        expect(refused?.code ?? 'MW_INVITATION').toBe('MW_INVITATION')
      }),
    )
    expect(readToken(`midwatch join ${token}\n`).addresses).toEqual(['10.0.0.1:8777', '[2001:db8::1]:8777'])
  })
})

describe('midwatch.yaml', { timeout: 60_000 }, () => {
  const load = (text: string): Promise<unknown> =>
    loadSettings({
      flags: { config: 'midwatch.yaml' },
      env: {},
      cwd: '/etc',
      home: '/root',
      isRoot: true,
      hostname: 'vm-1',
      readFile: (path) => (path === '/etc/midwatch.yaml' ? text : null),
    })

  const scalar = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.constantFrom(
      '10s',
      '0.0.0.0:8777',
      'true',
      '~',
      '*a',
      '&a',
      '!!binary x',
      '{',
      '[',
      '- -',
      '|',
      '"',
      "'",
      '999999999999d',
      '1e999',
      '-1',
      '0x10',
    ),
    fc.nat().map(String),
  )
  const key = fc.oneof(
    fc.constantFrom(...FIELDS.map(({ written }) => written), 'kind', 'name', 'host', 'port', 'every', '<<', '__proto__'),
    fc.string({ maxLength: 8 }),
  )
  const lines = fc
    .array(fc.tuple(fc.nat({ max: 3 }), fc.boolean(), key, scalar), { maxLength: 12 })
    .map((all) => all.map(([depth, isItem, name, value]) => `${'  '.repeat(depth)}${isItem ? '- ' : ''}${name}: ${value}`).join('\n'))
  const json = fc.dictionary(key, fc.jsonValue()).map((value) => JSON.stringify(value))
  const good = asBytes(
    'site: fra\nlisten: 127.0.0.1:0\ntargets:\n  - kind: http\n    name: shop\n    url: https://shop.test/\n    every: 10s\n',
  )

  it('of any content is read, or refused in words that say where, and soon', async () => {
    const inputs = fc.oneof(anyBytes(400), lines.map(asBytes), json.map(asBytes), damaged([good]))
    await withoutGrowth(() =>
      fuzz('configuration', inputs, 400, async (input) => {
        const startMs = performance.now()
        const refused = await refusal(() => load(textOf(input)))
        expect(performance.now() - startMs).toBeLessThan(2_000)
        if (!refused) return
        expect(['MW_CONFIG', 'MW_CONFIG_FILE', 'MW_GRID_KEY']).toContain(refused.code)
        expect(refused.message).not.toMatch(/\n\s+at |node_modules|\.ts:/)
        expect(refused.message.split('\n').length).toBeLessThanOrEqual(20)
        if (refused.code !== 'MW_GRID_KEY') expect(refused.message).toMatch(/midwatch\.yaml|\(default\)/)
      }),
    )
    expect(await refusal(() => load(textOf(good)))).toBeNull()
  })
})
