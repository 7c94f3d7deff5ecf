import { describe, expect, it } from 'vitest'
import { keysNumber } from '../../test/support/grid-makers.ts'
import { createManualClock } from '../../test/support/manual-clock.ts'
import { LIMITS, type Identity } from '../contract/index.ts'
import { systemClock } from '../platform/index.ts'
import { beats, makeKeyChange, openBox, readKeyChange, type KeyChange, type KeyChangeOrder, type Removal } from './key-change.ts'
import { handoverSecret, keyName, keysOf, type NodeKeys } from './keys.ts'

const [a, b, c] = [keysNumber(1), keysNumber(2), keysNumber(3)]
const [oldKey, newKey] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
const order: KeyChangeOrder = {
  grid: '0123abcd',
  generation: 2,
  by: 'a',
  atMs: 1_767_225_600_000,
  removed: [],
  oldKey,
  newKey,
  members: [a.publicKey, b.publicKey],
}
const made = async (more: Partial<KeyChangeOrder> = {}, keys: NodeKeys = a) => makeKeyChange({ ...order, ...more }, keys, systemClock)
const removal = (identity: Identity, id = 'gone'): Removal => ({ identity, id, by: 'a', atMs: 1_767_225_600_000 })

describe('a change of key', () => {
  it('says what it was made to say, and gives the key to each member and to nobody else', async () => {
    const change = readKeyChange(await made({ removed: [removal(c.identity)] })) as KeyChange
    expect(change).toMatchObject({
      grid: '0123abcd',
      generation: 2,
      maker: a.identity,
      by: 'a',
      from: keyName(oldKey),
      to: keyName(newKey),
    })
    expect(change.removed).toEqual([removal(c.identity)])
    const secret = handoverSecret(oldKey)
    expect([a, b, c].map((keys) => openBox(change, keys, secret)?.join() ?? null)).toEqual([newKey.join(), newKey.join(), null])
    expect(change.isProven(secret)).toBe(true)
    // Without the key before it is neither proven nor open, whatever it says.
    expect(change.isProven(handoverSecret(newKey))).toBe(false)
    expect(openBox(change, a, handoverSecret(newKey))).toBeNull()
  })

  it('is refused when one bit is another', async () => {
    const signed = await made()
    for (let at = 0; at < signed.bytes.length; at += 3) {
      const bytes = Uint8Array.from(signed.bytes)
      bytes[at] = (bytes[at] as number) ^ (1 << (at % 8))
      expect(readKeyChange({ ...signed, bytes }), `byte ${at}`).toBeNull()
    }
    expect(readKeyChange({ ...signed, signature: new Uint8Array(64) })).toBeNull()
    expect(readKeyChange({ ...signed, signature: new Uint8Array(3) })).toBeNull()
  })

  it('of a full grid with all its removals fits one frame', async () => {
    const members = Array.from({ length: LIMITS.nodes + 1 }, (_, number) => keysOf(Buffer.alloc(32).fill(`${number} `)).publicKey)
    const long = 'ß'.repeat(LIMITS.labelChars)
    const removed = Array.from({ length: LIMITS.removedNodes + 1 }, (_, at) => ({
      ...removal(at.toString(16).padStart(32, '0') as Identity, long),
      by: long,
    }))
    const signed = await made({ members, removed })
    expect(signed.bytes.length + 128).toBeLessThan(LIMITS.frameBytes)
    const change = readKeyChange(signed) as KeyChange
    expect([change.boxes.size, change.removed.length]).toEqual([LIMITS.nodes, LIMITS.removedNodes])
    // The oldest is left out.
    expect(change.removed[0]?.identity).toMatch(/1$/)
  })

  it('of two from one key, all nodes take the same: one that removes, else the lower name; the removed cannot undo it', async () => {
    const read = async (fill: number, maker: NodeKeys, removed: Removal[] = []): Promise<KeyChange> =>
      readKeyChange(await made({ newKey: new Uint8Array(32).fill(fill), removed }, maker)) as KeyChange
    const plain = [await read(10, a), await read(11, b)].toSorted((one, other) => (one.to < other.to ? -1 : 1))
    const [low, high] = plain as [KeyChange, KeyChange]
    expect([beats(low, high), beats(high, low)]).toEqual([true, false])
    for (let fill = 20; fill < 30; fill++) {
      const removing = await read(fill, a, [removal(b.identity)])
      expect([beats(removing, low), beats(low, removing)]).toEqual([true, false])
      // b, removed by a, removes another one: it does not help it.
      const revenge = await read(fill + 20, b, [removal(c.identity)])
      expect([beats(removing, revenge), beats(revenge, removing)]).toEqual([true, false])
      // Both remove each other: one way or the other, but the same for all.
      const mutual = await read(fill + 40, b, [removal(a.identity)])
      expect(beats(removing, mutual)).toBe(!beats(mutual, removing))
    }
  })

  it('lets other work go on while it is made', async () => {
    const clock = createManualClock()
    const members = Array.from({ length: 40 }, (_, number) => keysNumber(number).publicKey)
    let isMade = false
    void makeKeyChange({ ...order, members }, a, clock).then(() => (isMade = true))
    await Promise.resolve()
    expect(isMade).toBe(false)
    await clock.advance(1)
    expect(isMade).toBe(true)
  })
})
