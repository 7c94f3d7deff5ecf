/**
 * Tells a store an event and a sample every 5 ms until it is killed: `store-writer.ts DIR`. Prints, a line each time, how many of each
 * it has told, and how many of both were not on disk yet.
 */
import { openStore } from '../../src/store/index.ts'
import { systemClock } from '../../src/platform/index.ts'

const store = await openStore({
  dir: process.argv[2]!,
  budgetBytes: 64 * 2 ** 20,
  keepSecondsMs: 3_600_000,
  keepTensMs: 86_400_000,
  keepMinutesMs: 2_592_000_000,
  clock: systemClock,
  onError: (error) => console.error(error.message),
})

let count = 0
setInterval(() => {
  count++
  store.append({ type: 'node.stopped', reason: `event ${count}` })
  store.record({ link: 'self>node:other', atMs: Date.now(), ok: true, rttMs: 1 })
  process.stdout.write(`${count} ${store.counters().queued}\n`)
}, 5)
