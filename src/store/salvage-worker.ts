import { parentPort, workerData } from 'node:worker_threads'
import { salvageJournal } from './salvage.ts'

/** The thread that reads what is left of a damaged journal: each message asks for the next part, null is the last answer. */
const port = parentPort!
const parts = salvageJournal((workerData as { path: string }).path)
port.on('message', () => {
  const next = parts.next()
  port.postMessage(next.done ? null : next.value)
  if (next.done) port.close()
})
