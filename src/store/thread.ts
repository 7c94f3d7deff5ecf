import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { FromThread, ThreadData, ToThread } from './messages.ts'

/** The storage thread, as the store needs it; a test hands in one that fails when told. */
export type Thread = { send(message: ToThread): void; end(): Promise<void> }
export type StartThread = (data: ThreadData, onMessage: (message: FromThread) => void, onEnd: (why: string) => void) => Thread

/** Runs `worker.js` beside the emitted program and `worker.ts` beside the source. */
const ENTRY = new URL(`./worker${extname(import.meta.url)}`, import.meta.url)

export const startThread: StartThread = (data, onMessage, onEnd) => {
  const worker = new Worker(ENTRY, {
    name: 'midwatch-store',
    workerData: data,
    // Neither the environment (it may hold secrets) nor the flags of the main thread are any of its business.
    env: {},
    execArgv: [],
    // Its garbage is small and short-lived; without these bounds V8 lets it grow to tens of MB before it collects.
    resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 },
  })
  let why = 'it ended'
  worker.on('message', onMessage)
  worker.on('error', (error) => {
    why = error instanceof Error ? error.message : String(error)
  })
  worker.on('exit', () => onEnd(why))
  return {
    send: (message) => worker.postMessage(message),
    end: async () => {
      await worker.terminate()
    },
  }
}
