import { expect, test } from 'vitest'
import { createManualClock } from '../../test/support/manual-clock.ts'
import { createSchedule, spreadHash, type Job } from './schedule.ts'

/** A die that is the same in every run. */
function seeded(seed = 1): { bytes(count: number): Uint8Array; int(below: number): number } {
  const next = (): number => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0)
  return {
    bytes: (count) => Uint8Array.from({ length: count }, () => next() & 255),
    int: (below) => Math.floor((next() / 2 ** 32) * below),
  }
}

function setup(underWayMost = 64) {
  const clock = createManualClock()
  const schedule = createSchedule({ clock, random: seeded(), underWayMost })
  const starts: { key: string; atMs: number }[] = []
  const job = (key: string, everyMs: number, run: () => Promise<boolean | null> = async () => true): Job => ({
    key,
    everyMs,
    run() {
      starts.push({ key, atMs: clock.monoMs() })
      return run()
    },
  })
  const jobs = (count: number, everyMs: number, run?: () => Promise<boolean | null>): Job[] =>
    Array.from({ length: count }, (_, i) => job(`target-${i}`, everyMs, run))
  return { clock, schedule, starts, job, jobs }
}

/** The most starts within any 100 ms. */
function worstBurst(starts: readonly { atMs: number }[]): number {
  let most = 0
  for (let first = 0, last = 0; last < starts.length; last++) {
    while ((starts[last]?.atMs ?? 0) - (starts[first]?.atMs ?? 0) >= 100) first++
    most = Math.max(most, last - first + 1)
  }
  return most
}

const wait = (clock: { after(ms: number, callback: () => void): unknown }, ms: number) => () =>
  new Promise<boolean>((resolve) => clock.after(ms, () => resolve(true)))

test('a thousand targets make no burst: never over twice the mean of 10 in 100 ms', async () => {
  const { clock, schedule, starts, jobs } = setup()
  schedule.add(jobs(1_000, 10_000))
  schedule.start()
  await clock.advance(40_000)
  expect(worstBurst(starts)).toBeLessThanOrEqual(22)
  const counts = Object.values(Object.groupBy(starts, (start) => start.key)).map((list) => list?.length ?? 0)
  expect(counts).toHaveLength(1_000)
  expect(Math.min(...counts)).toBeGreaterThanOrEqual(3)
  expect(Math.max(...counts)).toBeLessThanOrEqual(5)
})

test('there is no burst after the process was held up, nor when all targets fail at once', async () => {
  const { clock, schedule, starts, jobs } = setup()
  let well = true
  schedule.add(jobs(1_000, 10_000, async () => well))
  schedule.start()
  await clock.advance(20_000)
  await clock.jump(8_000)
  await clock.advance(10_000)
  well = false
  await clock.advance(20_000)
  expect(worstBurst(starts)).toBeLessThanOrEqual(22)
})

test('a target keeps its place within the period, whatever others come and go', async () => {
  const { clock, schedule, starts, job, jobs } = setup()
  schedule.add(jobs(50, 10_000))
  schedule.start()
  await clock.advance(60_000)
  schedule.add([job('late', 10_000)])
  schedule.remove('target-3')
  await clock.advance(60_000)
  const places = starts.filter((start) => start.key === 'target-7' && start.atMs > 10_000).map((start) => start.atMs % 10_000)
  expect(places.length).toBeGreaterThanOrEqual(10)
  expect(Math.max(...places) - Math.min(...places)).toBeLessThan(250)
  expect(starts.some((start) => start.key === 'target-3' && start.atMs > 60_000)).toBe(false)
})

test('a new target is first run at once', async () => {
  const { clock, schedule, starts, job } = setup()
  schedule.start()
  await clock.advance(5_000)
  schedule.add([job('new', 3_600_000)])
  await clock.advance(150)
  expect(starts).toHaveLength(1)
})

test('a change is confirmed after one and two seconds, then the period holds again', async () => {
  const { clock, schedule, starts, job } = setup()
  let well = true
  schedule.add([job('it', 30_000, async () => well)])
  schedule.start()
  await clock.advance(65_000)
  for (well of [false, true]) {
    starts.length = 0
    await clock.advance(100_000)
    const gaps = starts.slice(1).map((start, i) => start.atMs - (starts[i]?.atMs ?? 0))
    expect(gaps[0]).toBeGreaterThanOrEqual(1_000)
    expect(gaps[0]).toBeLessThan(1_200)
    expect(gaps[1]).toBeGreaterThanOrEqual(2_000)
    expect(gaps[1]).toBeLessThan(2_200)
    expect(gaps[2]).toBeGreaterThanOrEqual(15_000)
  }
})

test('a run that overruns its period never overlaps with itself', async () => {
  const { clock, schedule, job } = setup()
  let running = 0
  let most = 0
  let runs = 0
  schedule.add([
    job('slow', 1_000, async () => {
      runs++
      most = Math.max(most, ++running)
      await wait(clock, 3_500)()
      running--
      return true
    }),
  ])
  schedule.start()
  await clock.advance(40_000)
  expect(most).toBe(1)
  expect(runs).toBeGreaterThanOrEqual(8)
})

test('no more than the limit run at once, and those that wait take turns', async () => {
  const { clock, schedule, starts, jobs } = setup(4)
  schedule.add(jobs(40, 1_000, wait(clock, 500)))
  schedule.start()
  let most = 0
  for (let i = 0; i < 300; i++) {
    await clock.advance(100)
    most = Math.max(most, schedule.underWay())
  }
  expect(most).toBe(4)
  const counts = Object.values(Object.groupBy(starts, (start) => start.key)).map((list) => list?.length ?? 0)
  expect(counts).toHaveLength(40)
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2)
})

test('a run that throws does not end the schedule', async () => {
  const { clock, schedule, starts, job } = setup()
  schedule.add([job('bad', 1_000, () => Promise.reject(new Error('bug')))])
  schedule.start()
  await clock.advance(5_000)
  expect(starts.length).toBeGreaterThanOrEqual(4)
})

test('nothing starts after stop, not even what waited', async () => {
  const { clock, schedule, starts, jobs } = setup(1)
  schedule.add(jobs(20, 1_000, wait(clock, 700)))
  schedule.start()
  await clock.advance(3_000)
  schedule.stop()
  const before = starts.length
  await clock.advance(10_000)
  expect(starts).toHaveLength(before)
  expect(schedule.waiting()).toBe(0)
})

test('keys that differ in one letter are spread evenly', () => {
  const tenths = Array.from({ length: 10 }, () => 0)
  for (let i = 0; i < 1_000; i++) {
    const tenth = Math.floor((spreadHash(`service-${i}`) / 2 ** 32) * 10)
    tenths[tenth] = (tenths[tenth] ?? 0) + 1
  }
  expect(Math.min(...tenths)).toBeGreaterThan(60)
  expect(Math.max(...tenths)).toBeLessThan(140)
})
