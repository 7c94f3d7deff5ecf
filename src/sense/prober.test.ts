import { expect, test } from 'vitest'
import { LIMITS, linkKey, type Sample, type TargetSettings } from '../contract/index.ts'
import { systemOutbound, type DialRequest, type Outbound } from '../platform/index.ts'
import { createManualClock } from '../../test/support/manual-clock.ts'
import { makeTarget } from '../../test/support/probing.ts'
import { createProber } from './prober.ts'

const OBSERVER = 'a'.repeat(32)
const link = (name: string): string => linkKey(OBSERVER, 'target', name)

function setup(tcp: (request: DialRequest) => Promise<void> = async () => {}, more: Partial<Outbound> = {}) {
  const clock = createManualClock()
  const samples: Sample[] = []
  const cannots: [string, string][] = []
  const prober = createProber({
    clock,
    random: { bytes: (count) => new Uint8Array(count), int: () => 0 },
    observer: OBSERVER,
    onSample: (sample) => samples.push(sample),
    onCannot: (...cannot) => cannots.push(cannot),
    outbound: { ...systemOutbound, tcp, ...more },
  })
  return { clock, prober, samples, cannots }
}

const tcpTarget = (name: string, settings: Record<string, unknown> = {}): TargetSettings =>
  makeTarget('tcp', { name, host: '10.0.0.1', port: 80, everyMs: 10_000, timeoutMs: 2_000, ...settings })
const silence = (request: DialRequest): Promise<void> =>
  new Promise((_, reject) => request.signal.addEventListener('abort', () => reject(request.signal.reason as Error)))
const refused = (): Promise<void> => Promise.reject(Object.assign(new Error(), { code: 'ECONNREFUSED' }))

test('each try gives one sample of its link', async () => {
  const { clock, prober, samples } = setup()
  prober.setTargets([tcpTarget('shop'), tcpTarget('mail')])
  prober.start()
  await clock.advance(100)
  expect(samples).toEqual([
    { link: link('shop'), kind: 'tcp', atMs: clock.wallMs() - 100, ok: true, rttMs: 0, detail: null },
    { link: link('mail'), kind: 'tcp', atMs: clock.wallMs() - 90, ok: true, rttMs: 0, detail: null },
  ])
  await prober.stop()
})

test('a target that goes down gives three equal failures within seconds, not periods', async () => {
  let dial = async (): Promise<void> => {}
  const { clock, prober, samples } = setup(() => dial())
  prober.setTargets([tcpTarget('shop', { everyMs: 60_000 })])
  prober.start()
  await clock.advance(130_000)
  dial = refused
  samples.length = 0
  await clock.advance(64_000)
  const failures = samples.filter((sample) => !sample.ok)
  expect(failures.length).toBeGreaterThanOrEqual(3)
  expect((failures[2]?.atMs ?? 0) - (failures[0]?.atMs ?? 0)).toBeLessThan(3_500)
  expect(new Set(failures.map((sample) => sample.detail))).toEqual(new Set(['connection refused']))
  await prober.stop()
})

test('silence is a failure at the time-out; a time-out while this process was held up is not', async () => {
  const { clock, prober, samples } = setup(silence)
  prober.setTargets([tcpTarget('shop', { everyMs: 60_000 })])
  prober.start()
  await clock.advance(1_000)
  await clock.jump(3_000)
  expect(samples).toEqual([])
  expect(prober.counters()).toMatchObject({ discarded: 1, failures: 0, samples: 0 })
  await clock.advance(70_000)
  expect(samples[0]).toMatchObject({ ok: false, rttMs: null, detail: 'no answer to connecting in 2 s' })
  expect(prober.counters()).toMatchObject({ discarded: 1 })
  await prober.stop()
})

test('a process that was held up still counts what was answered', async () => {
  const { clock, prober, samples } = setup(() => new Promise((resolve) => void clock.after(1_500, resolve)))
  prober.setTargets([tcpTarget('shop')])
  prober.start()
  await clock.advance(1_000)
  await clock.jump(700)
  expect(samples).toMatchObject([{ ok: true }])
  await prober.stop()
})

test('what cannot be probed from here is told as such, without a sample', async () => {
  const missing = (): Promise<never> => Promise.reject(Object.assign(new Error(), { code: 'ENOENT' }))
  const { clock, prober, samples, cannots } = setup(undefined, { run: missing })
  prober.setTargets([makeTarget('icmp', { name: 'router', host: '10.0.0.1' })])
  prober.start()
  await clock.advance(1_000)
  expect(cannots).toEqual([[link('router'), 'needs fping or ping: apt-get install fping']])
  expect(samples).toEqual([])
  expect(prober.counters()).toMatchObject({ cannot: 1 })
  await prober.stop()
})

test('a fault of the probe itself accuses nobody', async () => {
  const { clock, prober, samples, cannots } = setup()
  prober.setTargets([{ ...makeTarget('http', { name: 'bad', url: 'http://x.test' }), url: 'not an address' }])
  prober.start()
  await clock.advance(1_000)
  expect(cannots[0]?.[1]).toMatch(/^the probe itself failed: /)
  expect(samples).toEqual([])
  await prober.stop()
})

test('changed targets are probed anew, removed ones fall silent at once, the others keep their place', async () => {
  const dials: DialRequest[] = []
  const { clock, prober, samples } = setup((request) => {
    dials.push(request)
    return silence(request)
  })
  prober.setTargets([tcpTarget('stays'), tcpTarget('goes'), tcpTarget('changes')])
  prober.start()
  await clock.advance(100)
  expect(dials).toHaveLength(3)
  prober.setTargets([tcpTarget('stays'), tcpTarget('changes', { port: 81 })])
  await clock.advance(100)
  expect(dials.map((dial) => [dial.port, dial.signal.aborted])).toEqual([
    [80, false],
    [80, true],
    [80, true],
    [81, false],
  ])
  await clock.advance(2_500)
  expect(samples.map((sample) => sample.link)).toEqual([link('stays'), link('changes')])
  expect(prober.counters()).toMatchObject({ targets: 2 })
  await prober.stop()
})

test('stop ends what is under way, without a sample of it', async () => {
  const { clock, prober, samples } = setup(silence)
  prober.setTargets([tcpTarget('shop')])
  prober.start()
  await clock.advance(100)
  expect(prober.counters()).toMatchObject({ underWay: 1 })
  await prober.stop()
  await clock.advance(60_000)
  expect(samples).toEqual([])
  expect(prober.counters()).toMatchObject({ underWay: 0 })
})

test('a thousand black holes never take more than the limit at once', async () => {
  let open = 0
  let most = 0
  const { clock, prober } = setup(async (request) => {
    most = Math.max(most, ++open)
    await silence(request).finally(() => open--)
  })
  prober.setTargets(Array.from({ length: LIMITS.targets + 5 }, (_, i) => tcpTarget(`hole-${i}`)))
  expect(prober.counters()).toMatchObject({ targets: LIMITS.targets })
  prober.start()
  await clock.advance(10_000)
  expect(most).toBe(LIMITS.probesUnderWay)
  await prober.stop()
  expect(open).toBe(0)
})
