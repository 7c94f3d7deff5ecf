import type { Lab, Sent } from '../../test/lab/support/namespaces.ts'
import { sleep } from '../machine.ts'

export type Traffic = { readonly atMs: number; readonly bytesPerSecond: readonly number[]; readonly packetsPerSecond: readonly number[] }

/** What each host of a lab sends, second by second, as the other end of its cable counts it. */
export class TrafficMeter {
  readonly seconds: Traffic[] = []
  #running = true
  readonly #done: Promise<void>

  constructor(lab: Lab) {
    this.#done = this.#run(lab)
  }

  async #run(lab: Lab): Promise<void> {
    let [before, beforeMs] = [await lab.sent(), performance.now()]
    while (this.#running) {
      await sleep(1_000)
      const [now, nowMs] = [await lab.sent(), performance.now()]
      const rate = (what: keyof Sent): number[] =>
        [...now].map(([host, sent]) => ((sent[what] - (before.get(host)?.[what] ?? sent[what])) * 1_000) / (nowMs - beforeMs))
      this.seconds.push({ atMs: nowMs, bytesPerSecond: rate('bytes'), packetsPerSecond: rate('packets') })
      ;[before, beforeMs] = [now, nowMs]
    }
  }

  /** The most that one host sent in one second of this time. */
  peak(fromMs: number, toMs: number): { readonly bytesPerSecond: number; readonly packetsPerSecond: number } {
    const seconds = this.seconds.filter(({ atMs }) => atMs > fromMs && atMs <= toMs)
    return {
      bytesPerSecond: Math.max(0, ...seconds.flatMap((second) => second.bytesPerSecond)),
      packetsPerSecond: Math.max(0, ...seconds.flatMap((second) => second.packetsPerSecond)),
    }
  }

  async stop(): Promise<void> {
    this.#running = false
    await this.#done
  }
}
