import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { LIMITS, linkKey, type JournalEvent, type MidwatchError } from '../contract/index.ts'
import { systemClock } from '../platform/index.ts'
import { openStore, type Store, type StoreOptions } from './index.ts'
import type { FromThread, ToThread } from './messages.ts'
import { createStore } from './store.ts'
import { startThread, type StartThread, type Thread } from './thread.ts'

let dir: string
let errors: MidwatchError[]
let stores: Store[]
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'midwatch-store-'))
  errors = []
  stores = []
})
afterEach(async () => {
  await Promise.all(stores.map((store) => store.close()))
  await rm(dir, { recursive: true, force: true })
})

const options = (): StoreOptions => ({
  dir,
  budgetBytes: 64 * 2 ** 20,
  keepSecondsMs: 3_600_000,
  keepTensMs: 86_400_000,
  keepMinutesMs: 2_592_000_000,
  clock: systemClock,
  onError: (error) => errors.push(error),
})
async function open(changes: Partial<StoreOptions> = {}): Promise<Store> {
  const store = await openStore({ ...options(), ...changes })
  stores.push(store)
  return store
}
const event = (n: number): JournalEvent => ({ type: 'node.stopped', reason: `r${n}` })
const reasons = (entries: { event: JournalEvent }[]) => entries.map(({ event: e }) => (e.type === 'node.stopped' ? e.reason : e.type))
const setAside = async () => (await readdir(dir)).filter((name) => /^midwatch\.db\.damaged-\d+T\d+Z$/.test(name))
const LINK = linkKey('0'.repeat(32), 'node', '1'.repeat(32))

describe('a store', () => {
  test('gives back what it was told, newest events first, page by page', async () => {
    const store = await open()
    for (let n = 1; n <= 5; n++) store.append(event(n))
    expect(reasons(await store.journal({ limit: 2 }))).toEqual(['r5', 'r4'])
    expect(reasons(await store.journal({ limit: 9, before: 4 }))).toEqual(['r3', 'r2', 'r1'])
    expect(await store.journal({ limit: -1 })).toEqual([])
    expect(await store.verify()).toMatchObject({ ok: true, entries: 5, head: { seq: 5 } })
    expect((await store.size()).bytes).toBeGreaterThan(0)
  })

  test('keeps its own samples second by second and those of others in steps of ten', async () => {
    const store = await open()
    const atMs = Math.floor(Date.now() / 10_000) * 10_000
    store.record({ link: LINK, atMs, ok: true, rttMs: 3 })
    store.record({ link: LINK, atMs: atMs + 1_000, ok: false, rttMs: null })
    store.recordSketch({ link: 'told', atMs, sent: 10, lost: 2, rttMsP50: 4 })
    store.recordSketch({ link: 'told', atMs: atMs + 5_000, sent: 10, lost: 0, rttMsP50: null })
    expect(await store.history(LINK, atMs, atMs + 10_000, 1_000)).toMatchObject([
      { atMs, sent: 1, lost: 0, rttMsP50: 3 },
      { atMs: atMs + 1_000, sent: 1, lost: 1, rttMsP50: null },
    ])
    expect(await store.history('told', atMs, atMs + 10_000, 1_000)).toEqual([
      { atMs, sent: 20, lost: 2, rttMsMin: null, rttMsP50: 4, rttMsMax: null },
    ])
  })

  test('remembers after a restart', async () => {
    const first = await open()
    const atMs = Date.now()
    first.append(event(1))
    first.record({ link: LINK, atMs, ok: true, rttMs: 3 })
    await first.close()
    const second = await open()
    second.append(event(2))
    expect(reasons(await second.journal({ limit: 10 }))).toEqual(['r2', 'r1'])
    expect(await second.history(LINK, atMs, atMs + 1, 1_000)).toHaveLength(1)
    expect(errors).toEqual([])
  })

  test('without a folder it lives in memory and leaves no trace', async () => {
    const store = await open({ dir: null })
    store.append(event(1))
    expect(await store.verify()).toMatchObject({ ok: true, entries: 1 })
    expect(await readdir(dir)).toEqual([])
  })

  test('opens over a damaged file, keeps that beside it, and tells', async () => {
    await writeFile(join(dir, 'midwatch.db'), 'no database at all'.repeat(500))
    const store = await open()
    store.append(event(1))
    expect(await store.verify()).toMatchObject({ ok: true, entries: 1 })
    await vi.waitFor(() => expect(errors).toMatchObject([{ code: 'MW_STORE', message: expect.stringContaining('fresh') }]))
    expect(await setAside()).toHaveLength(1)
    expect((await readdir(dir)).filter((name) => name.startsWith('journal-'))).toEqual([])
  })

  test('saves the journal of a database that a newer program made, names both, and runs on', async () => {
    const before = await open()
    for (let n = 1; n <= 1_200; n++) before.append(event(n))
    await before.close()
    const db = new DatabaseSync(join(dir, 'midwatch.db'))
    db.exec('PRAGMA user_version = 99')
    db.close()
    const store = await open()
    store.append(event(1))
    expect(await store.verify()).toMatchObject({ ok: true, entries: 1 })
    await vi.waitFor(() => expect(errors).toHaveLength(1))
    const [aside] = await setAside()
    const saved = (await readdir(dir)).filter((name) => /^journal-\d+T\d+Z\.jsonl$/.test(name))
    expect(saved).toHaveLength(1)
    expect(errors[0]?.message).toMatch(/version 99/)
    expect(errors[0]?.message).toContain(join(dir, aside!))
    expect(errors[0]?.message).toContain(`1200 entries of its journal as ${join(dir, saved[0]!)}`)
    const lines = (await readFile(join(dir, saved[0]!), 'utf8')).trimEnd().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { seq: number }).seq)).toEqual(Array.from({ length: 1_200 }, (_, n) => n + 1))
    expect((await stat(join(dir, saved[0]!))).mode & 0o077).toBe(0)
  })

  test('begins anew on an empty file', async () => {
    await writeFile(join(dir, 'midwatch.db'), '')
    const store = await open()
    store.append(event(1))
    expect(await store.verify()).toMatchObject({ ok: true, entries: 1 })
    expect(errors).toEqual([])
  })

  test('replaces a database whose pages turn out to be damaged while it runs, and loses no event of that moment', async () => {
    const before = await open()
    for (let n = 1; n <= 2_000; n++) before.append(event(n))
    await before.close()
    const path = join(dir, 'midwatch.db')
    const { size } = await stat(path)
    // The first pages (the schema, and empty tables) stay; the rest is zeros.
    await truncate(path, 4_096 * 14)
    await truncate(path, size)
    const store = await open()
    for (let n = 1; n <= 3; n++) store.append(event(n))
    await vi.waitFor(async () => expect(await store.verify()).toMatchObject({ ok: true, entries: 3 }))
    expect(await setAside()).toHaveLength(1)
  })

  test('without a folder to write to, history lives in memory, and the node is told', async () => {
    const store = await open({ dir: join(dir, 'none') })
    store.append(event(1))
    expect(await store.verify()).toMatchObject({ ok: true, entries: 1 })
    expect((await store.size()).bytes).toBeGreaterThan(0)
    expect(errors).toMatchObject([{ code: 'MW_STORE', message: expect.stringContaining('in memory') }])
  })

  test('is for its owner alone', async () => {
    const store = await open()
    store.append(event(1))
    await store.flush()
    const names = await readdir(dir)
    expect(names).toContain('midwatch.db-wal')
    for (const name of names) expect((await stat(join(dir, name))).mode & 0o077).toBe(0)
  })

  test('one answer holds no more journal entries than the bound', async () => {
    const store = await open({ dir: null })
    for (let n = 0; n <= LIMITS.timelineEntries; n++) store.append(event(n))
    expect(await store.journal({ limit: 1e9 })).toHaveLength(LIMITS.timelineEntries)
  })

  test('an entry of a kind that this program does not know is left out and counted', async () => {
    const store = await open()
    store.append({ type: 'moon.landed' } as unknown as JournalEvent)
    store.append(event(1))
    expect(reasons(await store.journal({ limit: 9 }))).toEqual(['r1'])
    expect(store.counters().unreadableEntries).toBe(1)
    expect(await store.verify()).toMatchObject({ ok: true, entries: 2 })
  })

  test('after close it takes nothing more and answers with an error', async () => {
    const store = await open()
    await store.close()
    await store.close()
    store.append(event(1))
    await expect(store.journal({ limit: 1 })).rejects.toMatchObject({ code: 'MW_STORE' })
    expect(store.counters().queued).toBe(0)
  })

  test('too many questions at once are refused by the bound, and the others answered', async () => {
    const store = await open()
    const asked = await Promise.allSettled(Array.from({ length: LIMITS.storeQuestions + 1 }, () => store.journal({ limit: 1 })))
    expect(asked.filter((one) => one.status === 'fulfilled')).toHaveLength(LIMITS.storeQuestions)
    expect(asked.find((one) => one.status === 'rejected')).toMatchObject({ reason: { code: 'MW_LIMIT' } })
  })
})

test('kill -9: the chain holds, and all that had left the queue is there', async () => {
  const writer = join(import.meta.dirname, '../../test/support/store-writer.ts')
  const child = spawn(process.execPath, [writer, dir], { stdio: ['ignore', 'pipe', 'inherit'] })
  let told = 0
  let queued = 0
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      ;[told, queued] = line.split(' ').map(Number) as [number, number]
      // Long enough for several rounds of samples.
      if (told === 400) child.kill('SIGKILL')
    }
  } finally {
    child.kill('SIGKILL')
  }
  const store = await open()
  expect(errors).toEqual([])
  const check = await store.verify()
  expect(check.ok).toBe(true)
  const points = await store.history('self>node:other', Date.now() - 60_000, Date.now() + 1_000, 1_000)
  const samples = points.reduce((sum, point) => sum + point.sent, 0)
  expect(samples).toBeGreaterThan(0)
  expect(check.entries + samples).toBeGreaterThanOrEqual(2 * told - queued)
})

describe('the storage thread', () => {
  /** Real threads, and a hold on the newest. */
  function watched() {
    const threads: Thread[] = []
    const start: StartThread = (...args) => {
      const thread = startThread(...args)
      threads.push(thread)
      return thread
    }
    return { threads, start }
  }

  test('that dies is started again and told; no event is lost or doubled', async () => {
    const { threads, start } = watched()
    const store = await createStore(options(), join(dir, 'midwatch.db'), start)
    stores.push(store)
    store.append(event(1))
    await store.flush()
    store.append(event(2))
    await threads[0]!.end()
    store.append(event(3))
    await vi.waitFor(async () => expect(reasons(await store.journal({ limit: 10 }))).toEqual(['r3', 'r2', 'r1']), { timeout: 5_000 })
    expect(errors).toMatchObject([{ code: 'MW_STORE', message: expect.stringContaining('started again') }])
    expect(store.counters()).toMatchObject({ restarts: 1, queued: 0 })
    expect(await store.verify()).toMatchObject({ ok: true, entries: 3 })
  })

  test('that cannot start does not hold up the node', async () => {
    const start: StartThread = (_data, _onMessage, onEnd) => {
      queueMicrotask(() => onEnd('no such file'))
      return { send: () => {}, end: () => Promise.resolve() }
    }
    const store = await createStore(options(), null, start)
    stores.push(store)
    expect(errors).toMatchObject([{ message: expect.stringContaining('no such file') }])
    await expect(store.size()).rejects.toMatchObject({ code: 'MW_STORE' })
  })

  test('that cannot even be made is tried again later', async () => {
    const start: StartThread = () => {
      throw new Error('no thread to be had')
    }
    const store = await createStore(options(), null, start)
    stores.push(store)
    expect(errors).toMatchObject([{ message: expect.stringContaining('no thread to be had') }])
  })

  test('that opens its database after close is ended', async () => {
    let ended = 0
    let spawned = 0
    const start: StartThread = (_data, onMessage, onEnd) => {
      const first = spawned++ === 0
      queueMicrotask(() => (first ? onEnd('killed') : void closeThenOpen()))
      async function closeThenOpen(): Promise<void> {
        await stores[0]!.close()
        onMessage({ type: 'opened', lastSeq: 0 })
      }
      return { send: () => {}, end: async () => void ended++ }
    }
    stores.push(await createStore(options(), null, start))
    await vi.waitFor(() => expect(ended).toBe(1))
  })

  /** A thread that is slow, or refuses, as told. */
  function scripted() {
    const sent: ToThread[] = []
    let speak: (message: FromThread) => void = () => {}
    const start: StartThread = (_data, onMessage) => {
      speak = onMessage
      queueMicrotask(() => onMessage({ type: 'opened', lastSeq: 0 }))
      return { send: (message) => sent.push(message), end: () => Promise.resolve() }
    }
    return { sent, start, say: (message: FromThread) => speak(message) }
  }
  /** A clock whose waits never end by themselves. */
  const stopped = {
    wallMs: () => 1_000,
    monoMs: () => 1_000,
    after: (delayMs: number, callback: () => void) => (delayMs === 5_000 ? systemClock.after(0, callback) : () => {}),
  }

  test('that is too slow costs the oldest samples, counted, and never an event', async () => {
    const { start, sent, say } = scripted()
    const store = await createStore({ ...options(), clock: stopped }, null, start)
    stores.push(store)
    store.append(event(0))
    for (let n = 0; n < LIMITS.storeQueue + 10; n++) store.record({ link: 'a', atMs: n, ok: true, rttMs: n })
    for (let n = 1; n <= 5; n++) store.append(event(n))
    expect(store.counters()).toMatchObject({ queued: LIMITS.storeQueue, droppedSamples: 16, droppedEvents: 0 })
    say({ type: 'written', lastSeq: 1, refusedSamples: 0 })
    void store.flush().catch(() => {})
    say({ type: 'written', lastSeq: 6, refusedSamples: 0 })
    const writes = sent.filter((message) => message.type === 'write')
    expect(writes.map((message) => message.events.length)).toEqual([1, 5, 0])
    expect(writes[2]!.samples[0]).toMatchObject({ atMs: 16 })
  })

  test('gets an event at once, and the samples every half second even while a message is always under way', async () => {
    const { start, sent, say } = scripted()
    let tick: () => void = () => {}
    const clock = {
      ...stopped,
      after: (delayMs: number, callback: () => void) =>
        delayMs === 500 ? ((tick = callback), () => {}) : stopped.after(delayMs, callback),
    }
    const store = await createStore({ ...options(), clock }, null, start)
    stores.push(store)
    store.record({ link: 'a', atMs: 1, ok: true, rttMs: 1 })
    expect(sent).toEqual([])
    store.append(event(1))
    expect(sent).toMatchObject([{ events: [{}], samples: [] }])
    tick()
    store.append(event(2))
    say({ type: 'written', lastSeq: 1, refusedSamples: 0 })
    expect(sent[1]).toMatchObject({ events: [{}], samples: [{ atMs: 1 }] })
  })

  test('that may not write keeps events waiting up to the bound, and tells once', async () => {
    const { start, say } = scripted()
    const store = await createStore({ ...options(), clock: stopped }, null, start)
    stores.push(store)
    store.append(event(0))
    say({ type: 'unwritten', message: 'disk full' })
    for (let n = 1; n < LIMITS.storeQueue + 3; n++) store.append(event(n))
    expect(store.counters()).toMatchObject({ queued: LIMITS.storeQueue, droppedEvents: 3, failedWrites: 1 })
    expect(errors.map((error) => error.message)).toEqual([expect.stringContaining('disk full'), expect.stringContaining('they are lost')])
    await expect(
      (async () => {
        const flushed = store.flush()
        say({ type: 'unwritten', message: 'disk full' })
        await flushed
      })(),
    ).rejects.toMatchObject({ code: 'MW_STORE' })
  })

  test('events that a dying thread had written are not written twice', async () => {
    let end: (why: string) => void = () => {}
    const sent: ToThread[] = []
    let lastSeq = 0
    const waits: (() => void)[] = []
    const start: StartThread = (_data, onMessage, onEnd) => {
      end = onEnd
      queueMicrotask(() => onMessage({ type: 'opened', lastSeq }))
      return { send: (message) => sent.push(message), end: () => Promise.resolve() }
    }
    const clock = {
      ...stopped,
      after: (delayMs: number, callback: () => void) =>
        delayMs === 200 ? (waits.push(callback), () => {}) : stopped.after(delayMs, callback),
    }
    const store = await createStore({ ...options(), clock }, null, start)
    stores.push(store)
    store.append(event(1))
    store.append(event(2))
    // The first message carried event 1 and was written; the thread died before it could say so.
    lastSeq = 1
    end('killed')
    waits[0]!()
    await vi.waitFor(() => expect(sent).toHaveLength(2))
    expect(sent[1]).toMatchObject({ events: [{ json: expect.stringContaining('r2') }] })
  })
})
