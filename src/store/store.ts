import { JournalEntry, LIMITS, MidwatchError, asMidwatchError } from '../contract/index.ts'
import { every } from '../platform/index.ts'
import { canonicalJson, type ChainLink, type JournalRow } from './journal.ts'
import type { Answers, FromThread, Question, QueuedEvent, QueuedSample } from './messages.ts'
import { prepareFile, setAside, sizeOnDisk } from './place.ts'
import type { StartThread, Thread } from './thread.ts'
import type { ChainCheck, Store, StoreCounters, StoreOptions } from './types.ts'

/** Samples go to the thread this often; a kill loses no more than this. */
const SEND_EVERY_MS = 500
/** Samples in one message, so that one message never keeps the thread for long. */
const BATCH_SAMPLES = 5_000
const RETRY_MS = 5_000
const RESTART_MS = { first: 200, most: 60_000 }
const CLOSE_MS = 5_000
const TELL_AGAIN_MS = 60_000
/** In memory the budget is memory: this much is an hour or more of a small grid. */
const MEMORY_BYTES = 16 * 2 ** 20

/**
 * The near side of the storage thread. One message is under way at a time, and what it carries stays in the queue until the
 * thread says that it is on disk; so a thread that dies, or a disk that is full, loses no event.
 */
export async function createStore(options: StoreOptions, path: string | null, startThread: StartThread): Promise<Store> {
  const { clock } = options
  const counters: Omit<StoreCounters, 'queued'> = {
    droppedSamples: 0,
    droppedEvents: 0,
    failedWrites: 0,
    restarts: 0,
    unreadableEntries: 0,
  }
  const events: QueuedEvent[] = []
  const samples: QueuedSample[] = []
  /** How many of each queue's first entries the thread has been sent; null when nothing is under way. */
  let underWay: { events: number; samples: number } | null = null
  let thread: Thread | null = null
  let lastSeq = 0
  let restartMs = RESTART_MS.first
  let notBeforeMs = 0
  /** It is time for the samples; they go with the next message, should one be under way. */
  let samplesDue = false
  let closing = false
  let nextId = 1
  let asking = 0
  /** Where the database is; null in memory. */
  let place = path
  let setAsideOnce = false
  /** The next database to open is not the one that was written to before. */
  let fresh = false
  const questions = new Map<number, { resolve(value: never): void; reject(error: MidwatchError): void }>()
  const flushes: { resolve(): void; reject(error: MidwatchError): void }[] = []

  let cancelRestart = (): void => {}
  let told = { message: '', atMs: 0 }

  const trouble = (message: string): MidwatchError => new MidwatchError('MW_STORE', message)

  /** Tells the node. The same trouble once a minute: a full disk fails twice a second. */
  function tell(message: string): void {
    if (message === told.message && clock.monoMs() - told.atMs < TELL_AGAIN_MS) return
    told = { message, atMs: clock.monoMs() }
    options.onError(trouble(message))
  }

  /** `settled` is called when the thread has opened its database, or has failed to: the node need not wait longer. */
  async function start(settled: () => void): Promise<void> {
    if (place !== null) await prepareFile(place).catch(() => {})
    const { keepSecondsMs, keepTensMs, keepMinutesMs } = options
    const budgetBytes = place === null ? Math.min(options.budgetBytes, MEMORY_BYTES) : options.budgetBytes
    if (closing) return settled()
    let unusable: (FromThread & { type: 'unusable' }) | null = null
    const started = startThread(
      { path: place, keep: { budgetBytes, keepSecondsMs, keepTensMs, keepMinutesMs } },
      (message) => {
        if (message.type === 'unusable') {
          unusable = message
        } else if (message.type === 'opened') {
          if (closing) return void started.end()
          thread = started
          settleAfterRestart(message.lastSeq)
          settled()
          send()
        } else receive(message)
      },
      (why) => {
        thread = null
        failAll(trouble(`the storage thread ended: ${unusable?.message ?? why}`))
        if (closing) return settled()
        if (unusable) return void findPlace(unusable).then(() => begin(settled))
        restart(why)
        settled()
      },
    )
  }

  function begin(settled: () => void): void {
    start(settled).catch((error: unknown) => {
      restart(asMidwatchError(error).message)
      settled()
    })
  }

  /** The thread died under a message. Its last word is the database: what that holds is done. */
  function settleAfterRestart(seq: number): void {
    if (underWay) {
      const written = fresh ? 0 : Math.max(0, Math.min(seq - lastSeq, underWay.events))
      events.splice(0, written)
      samples.splice(0, underWay.samples)
      counters.droppedSamples += underWay.samples
      underWay = null
    }
    lastSeq = seq
    fresh = false
  }

  /** The database failed its thread. Once, a damaged one is set aside for a fresh one; where that cannot help, memory has to do. */
  async function findPlace({ beyondUse, message }: FromThread & { type: 'unusable' }): Promise<void> {
    fresh = true
    if (place !== null && beyondUse && !setAsideOnce) {
      setAsideOnce = true
      const aside = await setAside(place, clock.wallMs()).catch(() => null)
      if (aside !== null) return tell(`the database cannot be used (${message}); it is kept as ${aside} and a fresh one was begun`)
    }
    tell(`no database at ${place}: ${message}; history is kept in memory until the next start`)
    place = null
  }

  function restart(why: string): void {
    counters.restarts++
    tell(`the storage thread ended (${why}) and is started again`)
    cancelRestart = clock.after(restartMs, () => begin(() => {}))
    restartMs = Math.min(RESTART_MS.most, restartMs * 2)
  }

  function receive(message: Exclude<FromThread, { type: 'opened' | 'unusable' }>): void {
    if (message.type === 'trouble') return tell(message.message)
    if (message.type === 'answer' || message.type === 'unanswered') {
      const question = questions.get(message.id)
      questions.delete(message.id)
      if (message.type === 'answer') question?.resolve(message.value as never)
      else question?.reject(trouble(message.message))
      return
    }
    const sent = underWay ?? { events: 0, samples: 0 }
    underWay = null
    if (message.type === 'unwritten') {
      counters.failedWrites++
      tell(`nothing can be written: ${message.message}`)
      notBeforeMs = clock.monoMs() + RETRY_MS
      for (const flush of flushes.splice(0)) flush.reject(trouble(message.message))
      return
    }
    notBeforeMs = 0
    restartMs = RESTART_MS.first
    lastSeq = message.lastSeq
    counters.droppedSamples += message.refusedSamples
    events.splice(0, sent.events)
    samples.splice(0, sent.samples)
    send()
  }

  /** Sends all events, and the samples when it is their time or somebody waits for them. */
  function send(): void {
    if (!thread || underWay) return
    const count = samplesDue || flushes.length > 0 ? Math.min(samples.length, BATCH_SAMPLES) : 0
    if (count === samples.length) samplesDue = false
    if (events.length + count === 0) {
      if (samples.length === 0) for (const flush of flushes.splice(0)) flush.resolve()
      return
    }
    underWay = { events: events.length, samples: count }
    thread.send({ type: 'write', nowMs: clock.wallMs(), events: events.slice(), samples: samples.slice(0, count) })
  }

  /** Sends, unless a disk that refused is still given its time. */
  function sendUnlessResting(): void {
    if (clock.monoMs() >= notBeforeMs) send()
  }

  /** Makes room for one more. Samples give way, the oldest that is not under way first; events only when nothing else is left. */
  function hasRoomFor(what: 'event' | 'sample'): boolean {
    if (closing) return false
    if (events.length + samples.length < LIMITS.storeQueue) return true
    const held = underWay?.samples ?? 0
    if (samples.length > held) {
      samples.splice(held, 1)
      counters.droppedSamples++
      return true
    }
    if (what === 'sample') counters.droppedSamples++
    else if (events.length < LIMITS.storeQueue) return true
    else if (counters.droppedEvents++ === 0) tell(`${events.length} events wait for a disk that takes none; new ones are lost`)
    return false
  }

  function failAll(error: MidwatchError): void {
    for (const question of questions.values()) question.reject(error)
    questions.clear()
    for (const flush of flushes.splice(0)) flush.reject(error)
  }

  /** What was told before a question belongs in its answer, so that goes first. */
  async function ask<Q extends Question>(question: Q): Promise<Answers[Q['type']]> {
    if (asking >= LIMITS.storeQuestions) throw new MidwatchError('MW_LIMIT', `${asking} questions wait for the database already`)
    asking++
    try {
      await flush().catch(() => {})
      if (!thread) throw trouble('the storage thread is not running')
      const { promise, resolve, reject } = Promise.withResolvers<Answers[Q['type']]>()
      const id = nextId++
      questions.set(id, { resolve, reject })
      thread.send({ type: 'ask', id, question })
      return await promise
    } finally {
      asking--
    }
  }

  function flush(): Promise<void> {
    if (!thread) return Promise.reject(trouble('the storage thread is not running'))
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    flushes.push({ resolve, reject })
    send()
    return promise
  }

  function readable(row: JournalRow): JournalEntry[] {
    try {
      return [JournalEntry.parse({ ...row, event: JSON.parse(row.event) })]
    } catch {
      counters.unreadableEntries++
      return []
    }
  }

  async function verify(): Promise<ChainCheck> {
    let from: ChainLink | null = null
    let begin = 0
    for (;;) {
      const part: Answers['check'] = await ask({ type: 'check', from })
      if (from === null) begin = part.from.seq
      const entries = part.last.seq - begin
      if (part.broken) return { ok: false, entries, brokenAt: part.broken.seq, why: part.broken.why }
      if (part.done) return { ok: true, entries, head: part.last }
      from = part.last
    }
  }

  async function close(): Promise<void> {
    if (closing) return
    closing = true
    stopSending()
    cancelRestart()
    if (!thread && events.length + samples.length === 0) return
    const written = flush().then(() => ask({ type: 'close' }))
    const { promise: late, resolve: giveUp } = Promise.withResolvers<void>()
    const cancel = clock.after(CLOSE_MS, giveUp)
    await Promise.race([written, late]).catch((error: unknown) => tell(`not all was written: ${asMidwatchError(error).message}`))
    cancel()
    await thread?.end()
  }

  await new Promise<void>((resolve) => begin(resolve))
  const stopSending = every(clock, SEND_EVERY_MS, () => {
    samplesDue = true
    sendUnlessResting()
  })

  return {
    append(event) {
      if (!hasRoomFor('event')) return
      events.push({ atMs: clock.wallMs(), json: canonicalJson(event) })
      sendUnlessResting()
    },
    record({ link, atMs, ok, rttMs }) {
      if (hasRoomFor('sample')) samples.push({ link, told: false, atMs, sent: 1, lost: ok ? 0 : 1, rttMs })
    },
    recordSketch({ link, atMs, sent, lost, rttMsP50 }) {
      if (hasRoomFor('sample')) samples.push({ link, told: true, atMs, sent, lost, rttMs: rttMsP50 })
    },
    history: (link, fromMs, toMs, stepMs) => ask({ type: 'history', link, fromMs, toMs, stepMs }),
    async journal({ limit, before }) {
      const rows = await ask({
        type: 'journal',
        beforeSeq: before ?? Number.MAX_SAFE_INTEGER,
        limit: Math.max(0, Math.min(limit, LIMITS.timelineEntries)),
      })
      return rows.flatMap(readable)
    },
    verify,
    size: async () => (place === null ? ask({ type: 'size' }) : { bytes: await sizeOnDisk(place) }),
    counters: () => ({ queued: events.length + samples.length, ...counters }),
    flush,
    close,
  }
}
