import { every } from '../../src/platform/index.ts'
import { createSealer } from '../../src/grid/seal.ts'
import { onlyKey } from '../support/grid-makers.ts'
import type { FloodKind } from './schedule.ts'
import { STRANGERS, type Seat, type Stage } from './stage.ts'

const TICK_MS = 50
/** How a stream of the grid begins. */
const STREAM_MAGIC = Uint8Array.of(0xf7, 0x4d, 0x57, 1)
const RECORDED = 3_000

/** What went over the wire, for who wants to play it again. */
export class Recorder {
  readonly heard: { readonly bytes: Uint8Array; readonly to: string }[] = []
  #at = 0

  constructor(stage: Stage) {
    stage.onSpoken = (bytes, to) => void (this.heard[this.#at++ % RECORDED] = { bytes, to })
  }
}

/** A host without any key sends a node so many datagrams (or streams) a second until told to stop. */
export function beginFlood(stage: Stage, recorder: Recorder, at: number, kind: FloodKind, perSecond: number, victim: Seat): () => void {
  const { random, network, clock, die } = stage.world.host(`${STRANGERS}${at}`)
  const wrongKey = createSealer(onlyKey(random.bytes(32)), random)
  const to = { host: victim.node.host.host, port: 8777 }
  const send: { [K in FloodKind]: () => void } = {
    replay() {
      const old = recorder.heard[random.int(recorder.heard.length)]
      if (old) network.send(0, random.int(2) === 0 ? to : { host: old.to, port: 8777 }, old.bytes)
    },
    noise: () => network.send(0, to, random.int(2) === 0 ? random.bytes(random.int(1_500)) : wrongKey.seal(random.bytes(100))),
    // Looks like the first datagram of a start, each time of another one.
    sessions: () => network.send(0, to, Buffer.concat([Uint8Array.of(0xd1), random.bytes(17 + 100)])),
    streams: () => void (random.int(10) > 0 || knock()),
  }
  async function knock(): Promise<void> {
    try {
      const stream = await network.dial(to, 2_000)
      stream.write(random.int(2) === 0 ? random.bytes(400) : Buffer.concat([STREAM_MAGIC, random.bytes(41)]))
      if (random.int(2) === 0) stream.destroy()
    } catch {
      // Refused, or nobody there.
    }
  }
  every(clock, TICK_MS, () => {
    for (let count = 0; count < (perSecond * TICK_MS) / 1_000; count++) send[kind]()
  })
  return die
}
