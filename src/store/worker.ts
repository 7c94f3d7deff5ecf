import { parentPort, workerData } from 'node:worker_threads'
import { messageOf, openDatabase } from './database.ts'
import type { FromThread, ThreadData, ToThread } from './messages.ts'

/**
 * The storage thread: node:sqlite waits for the disk, so it waits here. It does nothing by itself; each message is one piece of work. It
 * must not load zod (a third of its memory): what it imports from contract is `limits.ts` and types.
 */
const { path, keep, nowMs } = workerData as ThreadData
const say = (message: FromThread): void => parentPort!.postMessage(message)

const database = openDatabase(path, keep, nowMs, (message) => say({ type: 'trouble', message }))
say({ type: 'opened', lastSeq: database.lastSeq(), fresh: database.fresh() })

parentPort!.on('message', (message: ToThread) => {
  if (message.type === 'ask') answer(message.id, message.question)
  else write(message)
})

function write({ events, samples, nowMs: atMs }: ToThread & { type: 'write' }): void {
  try {
    const refusedSamples = database.write(events, samples, atMs)
    say({ type: 'written', lastSeq: database.lastSeq(), refusedSamples })
  } catch (error) {
    say({ type: 'unwritten', message: messageOf(error) })
    return
  }
  try {
    database.upkeep(atMs)
  } catch (error) {
    say({ type: 'trouble', message: `old history cannot be cleared: ${messageOf(error)}` })
  }
}

function answer(id: number, question: (ToThread & { type: 'ask' })['question']): void {
  try {
    say({ type: 'answer', id, value: database.answer(question) })
    if (question.type === 'close') parentPort!.close()
  } catch (error) {
    say({ type: 'unanswered', id, message: messageOf(error) })
  }
}
