import { describe, expect, it } from 'vitest'
import { encode } from 'cborg'
import { LIMITS, type Identity } from '../contract/index.ts'
import { createManualClock } from '../../test/support/manual-clock.ts'
import { keysNumber, localStreams } from '../../test/support/grid-makers.ts'
import { dieOf, randomnessOf } from '../../test/support/virtual-network.ts'
import { Lines, LINES, type LinesOptions } from './lines.ts'
import { newCounters } from './ports.ts'
import { inContext } from './row.ts'
import { answerSealed, callSealed, type SealedStream } from './stream.ts'

const clock = createManualClock()
const KEY = new Uint8Array(32).fill(7)
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** One node's lines, with everything noted that it says. */
function linesOf(number: number, options: Partial<LinesOptions> = {}) {
  const keys = keysNumber(number)
  const counters = newCounters()
  const heard: { from: Identity; packet: string }[] = []
  const missing: Identity[] = []
  const lines = new Lines({
    clock,
    random: randomnessOf(dieOf(number)),
    keys,
    counters,
    callsOut: () => false,
    keyName: () => 'one',
    isMember: () => true,
    holders: () => [],
    open: async () => null,
    packet: (messages) => Buffer.concat(messages),
    onPacket: (from, packet) => heard.push({ from, packet: Buffer.from(packet).toString() }),
    onOpened: () => {},
    onMissing: (identity) => missing.push(identity),
    ...options,
  })
  return { lines, keys, counters, heard, missing }
}

/** Both ends of a stream for a line. */
async function sealedPair(): Promise<{ calling: SealedStream; answering: SealedStream }> {
  const { caller, answerer } = localStreams()
  const [calling, answered] = await Promise.all([
    callSealed(caller, 3, new Uint8Array(8), KEY, clock),
    answerSealed(answerer, () => KEY, clock),
  ])
  return { calling: calling!, answering: answered!.sealed }
}

/** A node that calls a holder, and the holder; `calling` is the caller's end. */
async function joined(holder: ReturnType<typeof linesOf>, number: number) {
  let end: SealedStream | null = null
  const caller = linesOf(number, {
    callsOut: () => true,
    holders: () => [{ identity: holder.keys.identity, address: { host: '10.0.0.9', port: 8777 }, site: 'a' }],
    async open() {
      const { calling, answering } = await sealedPair()
      void holder.lines.answer(answering)
      return (end = calling)
    },
  })
  caller.lines.tick()
  for (let i = 0; i < 20 && !holder.lines.has(caller.keys.identity); i++) await turn()
  return { caller, calling: () => end as unknown as SealedStream }
}

const text = (words: string): Uint8Array => new Uint8Array(Buffer.from(words))

describe('a line', () => {
  it('carries packets both ways, each under the name that its sender proved', async () => {
    const holder = linesOf(1)
    const { caller } = await joined(holder, 2)
    caller.lines.send(holder.keys.identity, [text('from behind')])
    holder.lines.send(caller.keys.identity, [text('from the open')])
    await turn()
    expect(holder.heard).toEqual([{ from: caller.keys.identity, packet: 'from behind' }])
    expect(caller.heard).toEqual([{ from: holder.keys.identity, packet: 'from the open' }])
  })

  it('carries more frames than a stream that ends', async () => {
    const holder = linesOf(1)
    const { caller } = await joined(holder, 2)
    for (let at = 0; at < LIMITS.framesPerStream + 5; at++) {
      caller.lines.send(holder.keys.identity, [text('.')])
      if (at % 500 === 0) await turn()
    }
    await turn()
    expect(holder.heard).toHaveLength(LIMITS.framesPerStream + 5)
  })

  it('carries each piece of news once, and not back to where it came from', async () => {
    const holder = linesOf(1)
    const echoing = linesOf(3, { onPacket: () => echoing.lines.tell('row:x', [text('row')]) })
    const { caller } = await joined(holder, 2)
    const { caller: other } = await joined(echoing, 4)
    holder.lines.tell('row:x', [text('old')])
    holder.lines.tell('row:x', [text('new')])
    other.lines.send(echoing.keys.identity, [text('row')])
    await turn()
    await clock.advance(20)
    await turn()
    expect(caller.heard.map(({ packet }) => packet)).toEqual(['new'])
    expect(other.heard).toEqual([])
  })

  it('cannot be taken over by one who is in the grid and uses another’s name', async () => {
    const holder = linesOf(1)
    const { caller } = await joined(holder, 2)
    const { calling, answering } = await sealedPair()
    const answered = holder.lines.answer(answering)
    // The victim's public key, and a signature that it made for something else.
    calling.send(encode([caller.keys.publicKey, caller.keys.sign(inContext('midwatch line 1', encode([new Uint8Array(32), 'caller'])))]))
    await answered
    expect(holder.counters.linesRefused).toBe(1)
    holder.lines.send(caller.keys.identity, [text('still yours')])
    await turn()
    expect(caller.heard).toHaveLength(1)
  })

  it('that its node opens anew takes the place of the one before, and nobody misses it', async () => {
    const holder = linesOf(1)
    await joined(holder, 2)
    const { caller } = await joined(holder, 2)
    await turn()
    holder.lines.tick()
    expect(holder.missing).toEqual([])
    holder.lines.send(caller.keys.identity, [text('here')])
    await turn()
    expect(caller.heard).toHaveLength(1)
  })

  it('that is silent for too long ends, and its node is asked for, for a while', async () => {
    const holder = linesOf(1)
    const { caller } = await joined(holder, 2)
    holder.lines.tick()
    await clock.advance(LINES.tickMs)
    holder.lines.tick()
    expect(holder.lines.has(caller.keys.identity)).toBe(true)
    for (let passedMs = 0; passedMs <= LINES.silentMs; passedMs += LINES.tickMs) {
      await clock.advance(LINES.tickMs)
      holder.lines.tick()
    }
    await turn()
    expect(holder.lines.has(caller.keys.identity)).toBe(false)
    holder.lines.tick()
    expect(holder.missing).toContain(caller.keys.identity)
    await clock.advance(LINES.missedForMs + 1)
    const asked = holder.missing.length
    holder.lines.tick()
    holder.lines.tick()
    expect(holder.missing.length).toBe(asked)
  })

  it('is not ended by the time that this process was held up', async () => {
    const holder = linesOf(1)
    const { caller } = await joined(holder, 2)
    holder.lines.tick()
    await clock.advance(LIMITS.streamIdleMs - 1_000)
    holder.lines.tick()
    await turn()
    expect(holder.lines.has(caller.keys.identity)).toBe(true)
  })
})

describe('bounds of lines', () => {
  it('so many are held, and not one more', async () => {
    const holder = linesOf(1)
    for (let at = 0; at < LIMITS.lines; at++) await joined(holder, 100 + at)
    const { caller } = await joined(holder, 99)
    await turn()
    expect(holder.counters.linesRefused).toBe(1)
    expect(holder.lines.has(caller.keys.identity)).toBe(false)
  })

  it('what a slow reader leaves waiting is dropped beyond the bound, and counted', async () => {
    const holder = linesOf(1)
    const { calling, answering } = await sealedPair()
    const slow: SealedStream = { ...answering, waitingBytes: () => LIMITS.lineWaitingBytes - 3 }
    const guest = keysNumber(5)
    void holder.lines.answer(slow)
    calling.send(encode([guest.publicKey, guest.sign(inContext('midwatch line 1', encode([calling.binding, 'caller'])))]))
    for (let i = 0; i < 5; i++) await turn()
    holder.lines.send(guest.identity, [text('fit')])
    holder.lines.send(guest.identity, [text('four')])
    expect(holder.counters.lineNewsDropped).toBe(1)
  })
})
