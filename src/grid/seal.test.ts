import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LIMITS } from '../contract/index.ts'
import { onlyKey } from '../../test/support/grid-makers.ts'
import { createManualClock } from '../../test/support/manual-clock.ts'
import { dieOf, randomnessOf } from '../../test/support/virtual-network.ts'
import { createOpener, createReplayWindow, createSealer, SEAL_OVERHEAD_BYTES } from './seal.ts'

const random = randomnessOf(dieOf(1))
const key = random.bytes(32)
const text = (words: string): Uint8Array => new TextEncoder().encode(words)
const opener = () => createOpener(onlyKey(key), createManualClock())

describe('a sealed datagram', () => {
  it('opens to what was sealed, and shows nothing of it outside', () => {
    const sealed = createSealer(onlyKey(key), random).seal(text('all is well'))
    expect(sealed.length).toBe(11 + SEAL_OVERHEAD_BYTES)
    expect(Buffer.from(sealed).includes('well')).toBe(false)
    const opened = opener().open(sealed)
    expect(opened.ok && Buffer.from(opened.plain).toString()).toBe('all is well')
  })

  it('does not open under another grid key', () => {
    const sealed = createSealer(onlyKey(random.bytes(32)), random).seal(text('hello'))
    expect(opener().open(sealed)).toEqual({ ok: false, why: 'not-authentic' })
  })

  it('does not open with any one bit changed, header included', () => {
    const sealed = createSealer(onlyKey(key), random).seal(text('hello'))
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const forged = Uint8Array.from(sealed)
      forged[bit >> 3]! ^= 1 << (bit & 7)
      expect(createOpener(onlyKey(key), createManualClock()).open(forged).ok, `bit ${bit}`).toBe(false)
    }
  })

  it('opens once: a second time it is a replay', () => {
    const [sealer, reader] = [createSealer(onlyKey(key), random), opener()]
    const sealed = sealer.seal(text('once'))
    expect(reader.open(sealed).ok).toBe(true)
    expect(reader.open(sealed)).toEqual({ ok: false, why: 'replayed' })
  })

  it('opens out of order within the window, and not from before it', () => {
    const [sealer, reader] = [createSealer(onlyKey(key), random), opener()]
    const sealed = Array.from({ length: 1_026 }, (_, at) => sealer.seal(text(String(at))))
    expect(reader.open(sealed[1_025]!).ok).toBe(true)
    expect(reader.open(sealed[2]!).ok).toBe(true)
    expect(reader.open(sealed[1]!)).toEqual({ ok: false, why: 'replayed' })
  })

  it('that was forged does not use up the place of the true one', () => {
    const [sealer, reader] = [createSealer(onlyKey(key), random), opener()]
    reader.open(sealer.seal(text('first')))
    const sealed = sealer.seal(text('true'))
    const forged = Uint8Array.from(sealed)
    forged[forged.length - 1]! ^= 1
    expect(reader.open(forged)).toEqual({ ok: false, why: 'not-authentic' })
    expect(reader.open(sealed).ok).toBe(true)
  })

  it('never makes the reader throw, whatever comes', () => {
    const reader = opener()
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1_300 }), fc.boolean(), (bytes, looksRight) => {
        if (looksRight && bytes.length > 0) bytes[0] = 0xd1
        expect(reader.open(bytes).ok).toBe(false)
      }),
      { seed: 1, numRuns: 300 },
    )
    expect(reader.open(new Uint8Array(LIMITS.datagramBytes + 1).fill(0xd1))).toEqual({ ok: false, why: 'malformed' })
  })
})

describe('sessions', () => {
  it('from strangers cost at most so many key derivations a second; who is known is read meanwhile', () => {
    const clock = createManualClock()
    const reader = createOpener(onlyKey(key), clock)
    const peer = createSealer(onlyKey(key), random)
    expect(reader.open(peer.seal(text('known'))).ok).toBe(true)
    const stranger = (): Uint8Array => createSealer(onlyKey(random.bytes(32)), random).seal(text('let me in'))
    for (let at = 1; at < LIMITS.newSessionsPerSecond; at++) expect(reader.open(stranger())).toEqual({ ok: false, why: 'not-authentic' })
    expect(reader.open(stranger())).toEqual({ ok: false, why: 'too-many-sessions' })
    expect(reader.open(peer.seal(text('still known'))).ok).toBe(true)
  })

  it('that are new are heard again as time passes', async () => {
    const clock = createManualClock()
    const reader = createOpener(onlyKey(key), clock)
    for (let at = 0; at <= LIMITS.newSessionsPerSecond; at++) reader.open(createSealer(onlyKey(random.bytes(32)), random).seal(text('x')))
    await clock.advance(50)
    expect(reader.open(createSealer(onlyKey(key), random).seal(text('newcomer'))).ok).toBe(true)
  })

  it('are remembered up to a bound, the least recently used forgotten first', async () => {
    const clock = createManualClock()
    const reader = createOpener(onlyKey(key), clock)
    const [first, second] = [createSealer(onlyKey(key), random), createSealer(onlyKey(key), random)]
    const [old, used] = [first.seal(text('1')), second.seal(text('1'))]
    const opened = reader.open(old)
    reader.open(used)
    for (let at = 0; at < LIMITS.sessions - 1; at++) {
      if (at % 100 === 0) await clock.advance(1_000)
      if (at % 1_000 === 0) reader.open(second.seal(text('again')))
      expect(reader.open(createSealer(onlyKey(key), random).seal(text('x'))).ok).toBe(true)
    }
    await clock.advance(1_000)
    // A session that was forgotten begins anew; one that is remembered still knows what it heard.
    const again = reader.open(old)
    expect(again.ok && opened.ok && again.session !== opened.session).toBe(true)
    expect(reader.open(used)).toEqual({ ok: false, why: 'replayed' })
  })
})

it('the window agrees with a plain set of everything seen, whatever the order', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -1, max: 4_000 }), { maxLength: 200 }), (counters) => {
      const window = createReplayWindow()
      const seen = new Set<number>()
      let highest = 0
      for (const counter of counters) {
        const fresh = counter > 0 && counter > highest - 1_024 && !seen.has(counter)
        expect(window.isFresh(counter)).toBe(fresh)
        if (!fresh) continue
        window.accept(counter)
        seen.add(counter)
        highest = Math.max(highest, counter)
      }
    }),
    { seed: 2 },
  )
})
