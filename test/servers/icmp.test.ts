import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemOutbound, type Outbound } from '../../src/platform/index.ts'
import { probeIcmp } from '../../src/sense/probes/icmp/index.ts'
import { makeTarget, probeContext } from '../support/probing.ts'

const run = promisify(execFile)
// A loopback of its own, in which one address is deaf.
const namespace = `midwatch-icmp-${process.pid}`
const deaf = '127.0.0.9'

beforeAll(async () => {
  await run('ip', ['netns', 'add', namespace])
  const inside = (...argv: string[]) => run('ip', ['netns', 'exec', namespace, ...argv])
  await inside('ip', 'link', 'set', 'lo', 'up')
  await inside('ip', 'route', 'add', 'unreachable', '10.0.0.0/8')
  await inside('nft', 'add', 'table', 'inet', 'deaf')
  await inside('nft', 'add', 'chain', 'inet', 'deaf', 'in', '{ type filter hook input priority 0; }')
  await inside('nft', 'add', 'rule', 'inet', 'deaf', 'in', 'ip', 'daddr', deaf, 'drop')
  await inside(
    'nft',
    'add',
    'rule',
    'inet',
    'deaf',
    'in',
    'ip',
    'daddr',
    '127.0.0.8',
    'icmp',
    'type',
    'echo-request',
    'reject',
    'with',
    'icmp',
    'type',
    'host-unreachable',
  )
})
afterAll(() => run('ip', ['netns', 'delete', namespace]))

/** The host's own tools, run in the namespace; those named are as if they were not installed. */
function outbound(missing: readonly string[] = []): Outbound {
  return {
    ...systemOutbound,
    async run(request) {
      if (missing.includes(request.file)) throw Object.assign(new Error('missing'), { code: 'ENOENT' })
      return systemOutbound.run({ ...request, file: 'ip', args: ['netns', 'exec', namespace, request.file, ...request.args] })
    },
  }
}

describe.each([
  ['fping', []],
  ['ping', ['fping']],
] as const)('%s', (_, missing) => {
  const probe = (host: string) => probeIcmp(makeTarget('icmp', { host }), probeContext(1_500, outbound(missing)))

  test('an address that answers, in either family', async () => {
    for (const host of ['127.0.0.1', '[::1]']) {
      const outcome = await probe(host)
      expect(outcome).toMatchObject({ ok: true, detail: null })
      expect(outcome.rttMs).toBeGreaterThan(0)
      expect(outcome.rttMs).toBeLessThan(500)
    }
  })

  test('an address that does not answer', async () => {
    expect(await probe(deaf)).toEqual({ ok: false, rttMs: null, detail: 'no reply to ping in 1.5 s' })
  })

  test('an address that is said to be unreachable', async () => {
    expect(await probe('127.0.0.8')).toEqual({ ok: false, rttMs: null, detail: 'host unreachable' })
  })

  test('an address without a route', async () => {
    expect(await probe('10.0.0.1')).toMatchObject({ ok: false })
  })
})

test('one process serves many, and the deaf do not hold back the rest', async () => {
  let processes = 0
  const real = outbound()
  const context = probeContext(2_000, {
    ...real,
    run: (request) => {
      processes++
      return real.run(request)
    },
  })
  const startedMs = performance.now()
  const hosts = Array.from({ length: 60 }, (_, i) => `127.0.1.${i + 1}`)
  const silent = probeIcmp(makeTarget('icmp', { host: deaf }), context)
  const outcomes = await Promise.all(hosts.map((host) => probeIcmp(makeTarget('icmp', { host }), context)))
  expect(performance.now() - startedMs).toBeLessThan(1_500)
  expect(outcomes.every((outcome) => outcome.ok)).toBe(true)
  expect(processes).toBe(2)
  expect(await silent).toMatchObject({ ok: false })
})
