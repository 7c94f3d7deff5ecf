import { parentPort, workerData } from 'node:worker_threads'
import { isBeyondUse, messageOf, openDatabase, type Database } from './database.ts'
import type { FromThread, ThreadData, ToThread } from './messages.ts'

/**
 * The storage thread: node:sqlite waits for the disk, so it waits here. It does nothing by itself; each message is one piece of work. It
 * loads neither zod nor the door of platform, which would cost 13 MB: no files but through SQLite, and of contract types and limits.
 */
const port = parentPort!
const { path, keep } = workerData as ThreadData
const say = (message: FromThread): void => port.postMessage(message)

try {
  serve(openDatabase(path, keep, (message) => say({ type: 'trouble', message })))
} catch (error) {
  giveUp(error)
}

function serve(database: Database): void {
  say({ type: 'opened', lastSeq: database.lastSeq() })
  port.on('message', (message: ToThread) => {
    try {
      if (message.type === 'ask') answer(database, message.id, message.question)
      else write(database, message)
    } catch (error) {
      // What is beyond use is set aside by the near side, which owns the files, and holds what was not written.
      database.answer({ type: 'close' })
      giveUp(error)
    }
  })
}

function giveUp(error: unknown): void {
  say({ type: 'unusable', beyondUse: isBeyondUse(error), message: messageOf(error) })
  port.close()
}

function write(database: Database, { events, samples, facts, nowMs }: ToThread & { type: 'write' }): void {
  try {
    const refusedSamples = database.write(events, samples, nowMs, facts)
    say({ type: 'written', lastSeq: database.lastSeq(), refusedSamples })
  } catch (error) {
    if (isBeyondUse(error)) throw error
    return say({ type: 'unwritten', message: messageOf(error) })
  }
  try {
    database.upkeep(nowMs)
  } catch (error) {
    if (isBeyondUse(error)) throw error
    say({ type: 'trouble', message: `old history cannot be cleared: ${messageOf(error)}` })
  }
}

function answer(database: Database, id: number, question: (ToThread & { type: 'ask' })['question']): void {
  try {
    say({ type: 'answer', id, value: database.answer(question) })
  } catch (error) {
    say({ type: 'unanswered', id, message: messageOf(error) })
    if (isBeyondUse(error)) throw error
  }
  if (question.type === 'close') port.close()
}
