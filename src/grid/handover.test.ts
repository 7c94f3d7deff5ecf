import { encode } from 'cborg'
import { describe, expect, it } from 'vitest'
import { keysNumber, localStreams } from '../../test/support/grid-makers.ts'
import { createManualClock } from '../../test/support/manual-clock.ts'
import { LIMITS } from '../contract/index.ts'
import { systemClock } from '../platform/index.ts'
import { answerHandover, callHandover } from './handover.ts'
import { makeKeyChange } from './key-change.ts'
import { keyName } from './keys.ts'
import { KeyRing, ringStateOf } from './ring.ts'
import { answerSealed, callSealed, type SealedStream } from './stream.ts'

const keys = keysNumber(1)
const key = (fill: number): Uint8Array => new Uint8Array(32).fill(fill)
const FIRST = keyName(key(1))

/** A ring after so many changes. */
async function ringAfter(changes: number, firstFill = 1): Promise<KeyRing> {
  const ring = new KeyRing(ringStateOf(key(firstFill)), keys, createManualClock())
  for (let at = 1; at <= changes; at++) {
    const { grid, generation, current } = ring
    const order = { grid, generation: generation + 1, by: 'n', atMs: 0, removed: [], members: [keys.publicKey] }
    const step = ring.weigh(
      await makeKeyChange({ ...order, oldKey: current.key, newKey: key(firstFill + at) }, keys, systemClock),
      () => true,
    )
    if ('state' in step) ring.become(step.state)
  }
  return ring
}

async function call(): Promise<{ caller: SealedStream; answerer: SealedStream }> {
  const [streams, clock] = [localStreams(), createManualClock()]
  const answered = answerSealed(streams.answerer, () => key(9), clock)
  const caller = await callSealed(streams.caller, 2, new Uint8Array(8), key(9), clock)
  return { caller: caller as SealedStream, answerer: (await answered)?.sealed as SealedStream }
}

async function between(
  callerRing: KeyRing,
  name: string,
  answererRing: KeyRing,
): Promise<[told: number | undefined, heard: number | undefined]> {
  const { caller, answerer } = await call()
  const [theirs, ours] = await Promise.all([callHandover(caller, name, callerRing), answerHandover(answerer, name, answererRing)])
  return [theirs?.length, ours?.length]
}

describe('a key call', () => {
  it('brings who was away what it missed, and the answerer what it lacks', async () => {
    expect(await between(await ringAfter(0), FIRST, await ringAfter(3))).toEqual([3, 0])
    expect(await between(await ringAfter(2), FIRST, await ringAfter(0))).toEqual([0, 2])
    expect(await between(await ringAfter(1), keyName(key(2)), await ringAfter(1))).toEqual([0, 0])
  })

  it('tells a newcomer the change that made the key that it was given', async () => {
    expect(await between(await ringAfter(0, 3), keyName(key(3)), await ringAfter(2))).toEqual([1, 0])
  })

  it('takes as many changes as are kept and not one more, and nothing else', async () => {
    const ring = await ringAfter(0)
    for (const [frames, isTaken] of [
      [LIMITS.keyChanges, true],
      [LIMITS.keyChanges + 1, false],
    ] as const) {
      const { caller, answerer } = await call()
      for (let at = 0; at < frames; at++) caller.send(encode(['change', key(1), key(2)]))
      caller.send(encode(['done', false]))
      expect((await answerHandover(answerer, FIRST, ring)) !== null).toBe(isTaken)
    }
    for (const odd of [encode(['done']), encode(['give me', 'the key']), new Uint8Array([0xff])]) {
      const { caller, answerer } = await call()
      caller.send(odd)
      expect(await answerHandover(answerer, FIRST, ring)).toBeNull()
    }
  })
})
