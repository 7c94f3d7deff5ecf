import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { writeInPieces } from '../platform/index.ts'
import type { Salvaged } from './salvage.ts'

const ENTRY = new URL(`./salvage-worker${extname(import.meta.url)}`, import.meta.url)

/**
 * Writes what can still be read of the journal in a database that was set aside, as lines of JSON, to a file. Answers how many entries;
 * with none there is no file. It reads in a thread of its own, so that neither the grid nor the fresh database waits.
 */
export async function rescueJournal(aside: string, path: string): Promise<number> {
  const worker = new Worker(ENTRY, {
    name: 'midwatch-salvage',
    workerData: { path: aside },
    env: {},
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 },
  })
  // A node that stops does not wait for it; what is half written is swept at the next start.
  worker.unref()
  const next = (): Promise<Salvaged | null> =>
    new Promise((resolve, reject) => {
      worker.removeAllListeners().once('message', resolve).once('error', reject)
      worker.once('exit', () => reject(new Error('the thread ended')))
      worker.postMessage('next')
    })
  const file = await writeInPieces(path)
  let entries = 0
  try {
    for (let part = await next(); part; part = await next()) {
      await file.write(part.lines)
      entries += part.entries
    }
  } catch {
    // What was read until then is kept.
  }
  await worker.terminate()
  await (entries > 0 ? file.keep() : file.discard())
  return entries
}
