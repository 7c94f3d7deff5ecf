import { afterEach, expect, test } from 'vitest'
import { systemOutbound, type Outbound } from '../../../platform/index.ts'
import { loopback, makeTarget, probeContext } from '../../../../test/support/probing.ts'
import { probeTcp } from './index.ts'

const local = loopback()
afterEach(() => local.close())

const failing = (thrown: unknown): Outbound => ({
  ...systemOutbound,
  async tcp() {
    throw thrown
  },
})
const code = (name: string): Error => Object.assign(new Error(name), { code: name })
const target = (port: number) => makeTarget('tcp', { host: '127.0.0.1', port })

test('a port that listens answers, from a fresh source port each time', async () => {
  const from: (number | undefined)[] = []
  const port = await local.serve((socket) => from.push(socket.remotePort))
  for (let i = 0; i < 3; i++) {
    const outcome = await probeTcp(target(port), probeContext())
    expect(outcome).toMatchObject({ ok: true, detail: null })
    expect(outcome.rttMs).toBeGreaterThan(0)
  }
  await expect.poll(() => new Set(from).size).toBe(3)
})

test('a closed port is told from one without a route and from no answer', async () => {
  expect(await probeTcp(target(await local.closedPort()), probeContext())).toEqual({ ok: false, rttMs: null, detail: 'connection refused' })
  expect(await probeTcp(target(9), probeContext(5_000, failing(code('EHOSTUNREACH'))))).toMatchObject({
    ok: false,
    detail: 'host unreachable',
  })
  expect(await probeTcp(target(9), probeContext(5_000, failing(code('ENETUNREACH'))))).toMatchObject({
    ok: false,
    detail: 'network unreachable',
  })
  expect(await probeTcp(target(9), probeContext(5_000, failing(code('ETIMEDOUT'))))).toMatchObject({
    ok: false,
    detail: 'no answer to connecting',
  })
})

test('silence ends at the time-out', async () => {
  const never: Outbound = {
    ...systemOutbound,
    tcp: (request) => new Promise((_, reject) => request.signal.addEventListener('abort', () => reject(request.signal.reason as Error))),
  }
  expect(await probeTcp(target(9), probeContext(60, never))).toEqual({ ok: false, rttMs: null, detail: 'no answer to connecting in 60 ms' })
})

test('a name that does not exist is no fault of the port', async () => {
  const outcome = await probeTcp(makeTarget('tcp', { host: 'nowhere.invalid', port: 1 }), probeContext(5_000, failing(code('ENOTFOUND'))))
  expect(outcome).toMatchObject({ ok: false, detail: 'name not found' })
})

test('of several addresses, the one with a route decides the words', async () => {
  const error = new AggregateError([code('ENETUNREACH'), code('ECONNREFUSED')])
  expect(await probeTcp(target(9), probeContext(5_000, failing(error)))).toMatchObject({ detail: 'connection refused' })
})

test('a shortage of this host accuses nobody', async () => {
  expect(await probeTcp(target(9), probeContext(5_000, failing(code('EMFILE'))))).toMatchObject({
    ok: null,
    detail: 'this node has too many files open',
  })
})
