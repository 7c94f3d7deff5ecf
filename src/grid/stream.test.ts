import { describe, expect, it } from 'vitest'
import { LIMITS } from '../contract/index.ts'
import { createManualClock } from '../../test/support/manual-clock.ts'
import { localStreams } from '../../test/support/grid-makers.ts'
import { answerSealed, callSealed, type SealedStream } from './stream.ts'

const hint = new Uint8Array(8).fill(3)
const secret = new Uint8Array(32).fill(4)
const text = (words: string): Uint8Array => new TextEncoder().encode(words)
const read = async (stream: SealedStream): Promise<string | null> => {
  const frame = await stream.receive()
  return frame && Buffer.from(frame).toString()
}

async function connected(answererSecret = secret, spy?: (bytes: Uint8Array) => void) {
  const clock = createManualClock()
  const streams = localStreams(spy)
  let closed = 0
  streams.caller.onClose(() => closed++)
  streams.answerer.onClose(() => closed++)
  const [caller, answer] = await Promise.all([
    callSealed(streams.caller, 0, hint, secret, clock),
    answerSealed(streams.answerer, (mode, named) => (mode === 0 && Buffer.compare(named, hint) === 0 ? answererSecret : null), clock),
  ])
  return { clock, streams, caller: caller!, answerer: answer?.sealed as SealedStream, closed: () => closed }
}

describe('a sealed stream', () => {
  it('carries frames both ways, in order, sealed', async () => {
    const wire: Uint8Array[] = []
    const { caller, answerer } = await connected(secret, (bytes) => wire.push(bytes))
    caller.send(text('one'))
    caller.send(text('two'))
    answerer.send(text('back'))
    expect([await read(answerer), await read(answerer), await read(caller)]).toEqual(['one', 'two', 'back'])
    expect(Buffer.concat(wire).includes('two')).toBe(false)
  })

  it('ends for who knows another secret, on the first frame', async () => {
    const { caller, answerer, closed } = await connected(new Uint8Array(32).fill(5))
    caller.send(text('hello'))
    expect(await read(answerer)).toBeNull()
    expect(await read(caller)).toBeNull()
    expect(closed()).toBe(2)
  })

  it('is closed to a stranger whose hint names no secret', async () => {
    const streams = localStreams()
    const clock = createManualClock()
    const answer = answerSealed(streams.answerer, () => null, clock)
    const caller = callSealed(streams.caller, 0, hint, secret, clock)
    expect(await answer).toBeNull()
    expect(await caller).toBeNull()
  })

  it('is closed to what speaks another protocol', async () => {
    const streams = localStreams()
    const answer = answerSealed(streams.answerer, () => secret, createManualClock())
    streams.caller.write(new Uint8Array(45).fill(0xf7))
    expect(await answer).toBeNull()
  })

  it('is closed to a public key of low order, which would make the secret known', async () => {
    const streams = localStreams()
    const answer = answerSealed(streams.answerer, () => secret, createManualClock())
    streams.caller.write(Buffer.concat([Buffer.from([0xf7, 0x4d, 0x57, 1, 0]), hint, new Uint8Array(32)]))
    expect(await answer).toBeNull()
  })

  it('ends when the other side is silent for too long, also in the middle of a hello or a frame', async () => {
    const { clock, answerer, streams } = await connected()
    const frame = answerer.receive()
    streams.caller.write(Uint8Array.of(0, 0, 1, 0, 42))
    await clock.advance(LIMITS.streamIdleMs - 1)
    let ended = false
    void frame.then(() => (ended = true))
    await clock.advance(0)
    expect(ended).toBe(false)
    await clock.advance(LIMITS.streamIdleMs)
    expect(await frame).toBeNull()

    const late = localStreams()
    const hello = answerSealed(late.answerer, () => secret, clock)
    late.caller.write(Uint8Array.of(0xf7))
    await clock.advance(LIMITS.streamIdleMs)
    expect(await hello).toBeNull()
  })

  it('takes a frame of the largest size and ends at one byte more', async () => {
    const { caller, answerer } = await connected()
    caller.send(new Uint8Array(LIMITS.frameBytes))
    expect(await answerer.receive()).toHaveLength(LIMITS.frameBytes)
    caller.send(new Uint8Array(LIMITS.frameBytes + 1))
    expect(await answerer.receive()).toBeNull()
  })

  it('takes so many frames and not one more', async () => {
    const { caller, answerer } = await connected()
    for (let at = 0; at < LIMITS.framesPerStream; at++) {
      caller.send(text('x'))
      expect(await answerer.receive()).not.toBeNull()
    }
    caller.send(text('x'))
    expect(await answerer.receive()).toBeNull()
  })

  it('ends when the other side writes far ahead of its reader', async () => {
    const { caller, closed } = await connected()
    for (let at = 0; at < 4; at++) caller.send(new Uint8Array(LIMITS.frameBytes))
    await new Promise((resolve) => setImmediate(resolve))
    expect(closed()).toBe(2)
  })

  it('does not take a frame twice, nor one that was changed', async () => {
    const wire: Uint8Array[] = []
    const { caller, answerer, streams } = await connected(secret, (bytes) => wire.push(bytes))
    caller.send(text('pay 1'))
    expect(await read(answerer)).toBe('pay 1')
    streams.caller.write(wire.at(-1)!)
    expect(await read(answerer)).toBeNull()
  })
})
