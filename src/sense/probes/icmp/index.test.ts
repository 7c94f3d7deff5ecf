import { expect, test } from 'vitest'
import { systemOutbound, type Outbound, type ProcessRequest, type ProcessResult } from '../../../platform/index.ts'
import { makeTarget, probeContext } from '../../../../test/support/probing.ts'
import { createManualClock } from '../../../../test/support/manual-clock.ts'
import { probeIcmp } from './index.ts'
import { createPinger } from './pinger.ts'
import type { Echo } from './tool.ts'

type Program = (request: ProcessRequest) => Partial<ProcessResult> | Promise<Partial<ProcessResult>>

/** A host that has these programs. */
function host(programs: Record<string, Program>): { outbound: Outbound; runs: ProcessRequest[] } {
  const runs: ProcessRequest[] = []
  const run = async (request: ProcessRequest): Promise<ProcessResult> => {
    const program = programs[request.file]
    if (!program) throw Object.assign(new Error(), { code: 'ENOENT' })
    runs.push(request)
    const result = { code: 0, stdout: '', stderr: '', timedOut: false, truncated: false, ...(await program(request)) }
    for (const line of `${result.stdout}\n${result.stderr}`.split('\n')) request.onLine?.(line)
    return result
  }
  return { outbound: { ...systemOutbound, run }, runs }
}

const addressesOf = (request: ProcessRequest): string[] => request.args.filter((arg) => /[.:]/.test(arg))
/** Replies for all but 10.0.0.9, which is silent, and 10.0.0.8, which a router calls unreachable. */
const fping: Program = (request) => ({
  code: 1,
  stdout: addressesOf(request)
    .filter((address) => address !== '10.0.0.9' && address !== '10.0.0.8')
    .map((address) => `${address}   : [0], 64 bytes, 0.253 ms (0.253 avg, 0% loss)\n`)
    .join(''),
  stderr: 'ICMP Host Unreachable from 10.0.0.1 for ICMP Echo sent to 10.0.0.8\n\n10.0.0.9 : -\n10.0.0.8 : -\n',
})
const ping: Program = (request) =>
  addressesOf(request)[0] === '10.0.0.9'
    ? { code: 2, stderr: 'ping: connect: No route to host' }
    : { stdout: '64 bytes from 127.0.0.1: icmp_seq=1 ttl=64 time=0.025 ms\n' }

const probe = (outbound: Outbound, address: string) => probeIcmp(makeTarget('icmp', { host: address }), probeContext(2_000, outbound))

test('fping tells a reply, silence and what routers say apart', async () => {
  const { outbound } = host({ fping, ping })
  expect(await probe(outbound, '10.0.0.1')).toEqual({ ok: true, rttMs: 0.253, detail: null })
  expect(await probe(outbound, '10.0.0.9')).toEqual({ ok: false, rttMs: null, detail: 'no reply to ping in 2 s' })
  expect(await probe(outbound, '10.0.0.8')).toEqual({ ok: false, rttMs: null, detail: 'host unreachable' })
})

test('ping is used where fping is missing', async () => {
  const { outbound, runs } = host({ ping })
  expect(await probe(outbound, '[::1]')).toEqual({ ok: true, rttMs: 0.025, detail: null })
  expect(runs.at(-1)?.args).toEqual(['-n', '-c', '1', '-W', '2', '::1'])
  expect((await probe(outbound, '10.0.0.9')).detail).toBe('host unreachable')
})

test('ping is used where fping may not send; where neither may, that is said', async () => {
  const forbidden: Program = () => ({ code: 4, stderr: "fping: can't create socket (must run as root?)" })
  expect(await probe(host({ fping: forbidden, ping }).outbound, '127.0.0.1')).toMatchObject({ ok: true })
  expect(await probe(host({ fping: forbidden }).outbound, '127.0.0.1')).toEqual({
    ok: null,
    rttMs: null,
    detail: 'fping may not send here: it needs the capability CAP_NET_RAW',
  })
})

test('where neither is, that is said, and it is looked for again after some minutes', async () => {
  const programs: Record<string, Program> = {}
  const { outbound } = host(programs)
  const clock = createManualClock()
  const pinger = createPinger({ clock, outbound })
  const pingNow = async (): Promise<Echo> => {
    const echo = pinger.ping('10.0.0.1', 2_000, new AbortController().signal)
    await clock.advance(1_000)
    return echo
  }
  expect(await pingNow()).toEqual({ kind: 'cannot', detail: 'needs fping or ping: apt-get install fping' })
  programs['fping'] = fping
  expect(await pingNow()).toMatchObject({ kind: 'cannot' })
  await clock.advance(300_000)
  expect(await pingNow()).toEqual({ kind: 'reply', rttMs: 0.253 })
  delete programs['fping']
  expect(await pingNow()).toEqual({ kind: 'cannot', detail: 'fping cannot be started' })
  expect(await pingNow()).toEqual({ kind: 'cannot', detail: 'needs fping or ping: apt-get install fping' })
})

test('pings that are due together share one process, of at most 64 addresses', async () => {
  const { outbound, runs } = host({ fping })
  const clock = createManualClock()
  const pinger = createPinger({ clock, outbound })
  const pings = Array.from({ length: 130 }, (_, i) => pinger.ping(`10.1.0.${i % 100}`, 5_000, new AbortController().signal))
  await clock.advance(200)
  expect(await Promise.all(pings)).toEqual(pings.map(() => ({ kind: 'reply', rttMs: 0.253 })))
  expect(runs.slice(1).map((run) => addressesOf(run).length)).toEqual([64, 36])
  await pinger.stop()
})

test('a reply counts when it comes, not when the last of the batch has timed out', async () => {
  let finish = (): void => {}
  const slow: Program = (request) => {
    if (addressesOf(request)[0] === '127.0.0.1') return { code: 0 }
    request.onLine?.('10.0.0.1 : [0], 64 bytes, 1.5 ms (1.5 avg, 0% loss)')
    return new Promise((resolve) => (finish = () => resolve({ code: 1 })))
  }
  const clock = createManualClock()
  const pinger = createPinger({ clock, outbound: host({ fping: slow }).outbound })
  const signal = new AbortController().signal
  const pings = [pinger.ping('10.0.0.1', 5_000, signal), pinger.ping('10.0.0.9', 5_000, signal)] as const
  await clock.advance(200)
  expect(await pings[0]).toEqual({ kind: 'reply', rttMs: 1.5 })
  finish()
  expect(await pings[1]).toEqual({ kind: 'silence' })
})

test('a name becomes an address before it becomes an argument', async () => {
  const { outbound, runs } = host({ fping })
  const withNames: Outbound = {
    ...outbound,
    lookup: async (name) => (name === '-f' ? '10.0.0.5' : Promise.reject(Object.assign(new Error(), { code: 'ENOTFOUND' }))),
  }
  await probe(withNames, '-f')
  expect(runs.at(-1)?.args.at(-1)).toBe('10.0.0.5')
  expect(runs.at(-1)?.args).not.toContain('-f')
  expect(await probe(withNames, 'nowhere.invalid')).toMatchObject({ ok: false, detail: 'name not found' })
})
