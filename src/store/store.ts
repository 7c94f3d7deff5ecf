import { JournalEntry, LIMITS, MidwatchError, asMidwatchError } from '../contract/index.ts'
import { every } from '../platform/index.ts'
import { canonicalJson, type ChainLink, type JournalRow } from './journal.ts'
import type { Answers, FromThread, Question } from './messages.ts'
import { KeptNode, RunCard } from './kept.ts'
import { journalFileBeside, prepareFile, setAside, sizeOnDisk } from './place.ts'
import { createQueue } from './queue.ts'
import { rescueJournal } from './rescue.ts'
import type { StartThread, Thread } from './thread.ts'
import type { ChainCheck, KeptAt, Store, StoreOptions } from './types.ts'

/** Samples go to the thread this often; a kill loses no more than this. */
const SEND_EVERY_MS = 500
const RETRY_MS = 5_000
const RESTART_MS = { first: 200, most: 60_000 }
const CLOSE_MS = 5_000
const TELL_AGAIN_MS = 60_000
/** In memory the budget is memory: this much is an hour or more of a small grid. */
const MEMORY_BYTES = 16 * 2 ** 20

/**
 * The near side of the storage thread. One load is under way at a time and stays in the queue until the thread says that it is on
 * disk; so a thread that dies, or a disk that is full, loses no event.
 */
export async function createStore(options: StoreOptions, path: string | null, startThread: StartThread): Promise<Store> {
  const { clock } = options
  const queue = createQueue()
  const counters = { failedWrites: 0, restarts: 0, unreadableEntries: 0 }
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
  let rescuing: Promise<void> = Promise.resolve()
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
    queue.lost(fresh ? 0 : seq - lastSeq)
    lastSeq = seq
    if (fresh) options.onFresh?.()
    fresh = false
  }

  /** The database failed its thread. Once, a damaged one is set aside for a fresh one; where that cannot help, memory has to do. */
  async function findPlace({ beyondUse, message }: FromThread & { type: 'unusable' }): Promise<void> {
    fresh = true
    if (place !== null && beyondUse && !setAsideOnce) {
      setAsideOnce = true
      const nowMs = clock.wallMs()
      const aside = await setAside(place, nowMs).catch(() => null)
      if (aside !== null) {
        rescuing = rescue(message, aside, journalFileBeside(place, nowMs))
        return
      }
    }
    tell(`no database at ${place}: ${message}; history is kept in memory until the next start`)
    place = null
  }

  /** Saves what can be read of the old journal while the fresh one is in use already, and tells of both. */
  async function rescue(message: string, aside: string, file: string): Promise<void> {
    const entries = await rescueJournal(aside, file).catch(() => 0)
    const journal = entries > 0 ? `${entries} entries of its journal as ${file}` : 'nothing of its journal can be read'
    tell(`the database cannot be used (${message}); it is kept as ${aside}, ${journal}, and a fresh one was begun`)
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
    if (message.type === 'unwritten') {
      counters.failedWrites++
      queue.unwritten()
      tell(`nothing can be written: ${message.message}`)
      notBeforeMs = clock.monoMs() + RETRY_MS
      for (const flush of flushes.splice(0)) flush.reject(trouble(message.message))
      return
    }
    notBeforeMs = 0
    restartMs = RESTART_MS.first
    lastSeq = message.lastSeq
    queue.written(message.refusedSamples)
    send()
  }

  /** Sends all events, and the samples when it is their time or somebody waits for them. */
  function send(): void {
    if (!thread) return
    const load = queue.take(samplesDue || flushes.length > 0)
    if (load) thread.send({ type: 'write', nowMs: clock.wallMs(), ...load })
    else if (queue.size() === 0) for (const flush of flushes.splice(0)) flush.resolve()
    if (load?.samples.length) samplesDue = false
  }

  /** Sends, unless a disk that refused is still given its time. */
  function sendUnlessResting(): void {
    if (clock.monoMs() >= notBeforeMs) send()
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
    if (!thread && queue.size() === 0) return
    const written = flush().then(() => ask({ type: 'close' }))
    const { promise: late, resolve: giveUp } = Promise.withResolvers<void>()
    const cancel = clock.after(CLOSE_MS, giveUp)
    await Promise.race([Promise.all([written, rescuing]), late]).catch((error: unknown) =>
      tell(`not all was written: ${asMidwatchError(error).message}`),
    )
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
      if (closing) return
      if (!queue.addEvent({ atMs: clock.wallMs(), json: canonicalJson(event) }))
        tell('the disk takes nothing and no more events can wait: they are lost')
      sendUnlessResting()
    },
    record({ link, atMs, ok, rttMs }) {
      if (!closing) queue.addSample({ link, told: false, atMs, sent: 1, lost: ok ? 0 : 1, rttMs })
    },
    recordSketch({ link, atMs, sent, lost, rttMsP50 }) {
      if (!closing) queue.addSample({ link, told: true, atMs, sent, lost, rttMs: rttMsP50 })
    },
    history: (link, fromMs, toMs, stepMs) => ask({ type: 'history', link, fromMs, toMs, stepMs }),
    keepFact: (fact) => !closing && queue.addFact(fact),
    async factsAt(atMs): Promise<KeptAt> {
      const found = await ask({ type: 'facts', atMs })
      if (found.type !== 'facts') return found
      const card = RunCard.safeParse(JSON.parse(found.card))
      if (!card.success) throw trouble('what is kept of that time cannot be read')
      const nodes = found.nodes.filter((node) => KeptNode.safeParse(node).success)
      counters.unreadableEntries += found.nodes.length - nodes.length
      return { ...found, card: card.data, nodes }
    },
    moments: (fromMs, toMs, count) => ask({ type: 'moments', fromMs, toMs, count }),
    async turns(from, to, fromMs, limit) {
      const rows = await ask({ type: 'turns', pair: `${from}>${to}`, from: new Date(fromMs).toISOString(), limit })
      return rows.flatMap(readable)
    },
    async journal({ limit, before, untilMs }) {
      const rows = await ask({
        type: 'journal',
        beforeSeq: before ?? Number.MAX_SAFE_INTEGER,
        limit: Math.max(0, Math.min(limit, LIMITS.timelineEntries)),
        until: untilMs === undefined ? null : new Date(untilMs).toISOString(),
      })
      return rows.flatMap(readable)
    },
    verify,
    size: async () => (place === null ? ask({ type: 'size' }) : { bytes: await sizeOnDisk(place) }),
    counters: () => ({ ...queue.counts(), ...counters }),
    flush,
    close,
  }
}
