import { describe, expect, it } from 'vitest'
import { keysNumber } from '../../test/support/grid-makers.ts'
import { createManualClock, type ManualClock } from '../../test/support/manual-clock.ts'
import { LIMITS } from '../contract/index.ts'
import { systemClock } from '../platform/index.ts'
import { makeKeyChange, type Removal } from './key-change.ts'
import { gridName, handoverSecret, keyName, type NodeKeys } from './keys.ts'
import { isOfRing, KEY_CHANGE, KeyRing, ringStateOf, type RingState, type Step } from './ring.ts'
import type { Signed } from './row.ts'

const [me, boss, thief, other] = [keysNumber(1), keysNumber(2), keysNumber(3), keysNumber(4)]
const key = (fill: number): Uint8Array => new Uint8Array(32).fill(fill)
const FIRST = key(1)
const everybody = [me, boss, thief, other]
const known = new Set(everybody.map(({ identity }) => identity))
const knows = (identity: NodeKeys['identity']): boolean => known.has(identity)

function change(
  ring: KeyRing,
  newKey: Uint8Array,
  more: { maker?: NodeKeys; oldKey?: Uint8Array; generation?: number; removed?: Removal[]; members?: NodeKeys[] } = {},
): Promise<Signed> {
  const { maker = boss, members = everybody } = more
  const order = {
    grid: ring.grid,
    generation: more.generation ?? ring.generation + 1,
    by: 'boss',
    atMs: 0,
    removed: more.removed ?? [],
    oldKey: more.oldKey ?? ring.current.key,
    newKey,
    members: members.map(({ publicKey }) => publicKey),
  }
  return makeKeyChange(order, maker, systemClock)
}
const removalOf = ({ identity }: NodeKeys): Removal => ({ identity, id: 'gone', by: 'boss', atMs: 0 })

function newRing(clock: ManualClock = createManualClock(), state: RingState = ringStateOf(FIRST)): { clock: ManualClock; ring: KeyRing } {
  return { clock, ring: new KeyRing(state, me, clock) }
}

function take(ring: KeyRing, signed: Signed): Step {
  const step = ring.weigh(signed, knows)
  if ('state' in step) ring.become(step.state)
  return step
}

const names = (ring: KeyRing): string[] => ring.accepted().map(({ name }) => name)

describe('a ring of keys', () => {
  it('opens with both keys, seals with the old one until all have heard, and then forgets it', async () => {
    const { clock, ring } = newRing()
    expect([ring.generation, ring.grid, names(ring)]).toEqual([1, gridName(FIRST), [keyName(FIRST)]])
    expect(take(ring, await change(ring, key(2))).step).toBe('take')
    const both = [keyName(FIRST), keyName(key(2))]
    expect([names(ring), ring.sealing().name]).toEqual([both, both[0]])
    await clock.advance(KEY_CHANGE.switchMs)
    expect([names(ring), ring.sealing().name]).toEqual([both, both[1]])
    await clock.advance(KEY_CHANGE.retireMs - KEY_CHANGE.switchMs)
    expect([names(ring), ring.isUnderWay, ring.generation, ring.grid]).toEqual([[both[1]], false, 2, gridName(FIRST)])
    // What is kept of the old key hands over, and opens nothing.
    expect(ring.secretOf(keyName(FIRST))).toEqual(handoverSecret(FIRST))
    expect(
      ring
        .retired()
        .secrets.map(([, secret]) => secret.join())
        .join(),
    ).not.toContain(FIRST.join())
    expect(ring.retired().previous).toEqual([])
  })

  it('goes on where it was after a start, and a start much later knows the new key only', async () => {
    const { clock, ring } = newRing()
    take(ring, await change(ring, key(2)))
    await clock.advance(1_000)
    const soon = new KeyRing(ring.state, me, clock)
    expect([soon.sealing().name, names(soon).length]).toEqual([keyName(FIRST), 2])
    await clock.advance(KEY_CHANGE.switchMs)
    expect(new KeyRing(ring.state, me, clock).sealing().name).toBe(keyName(key(2)))
    await clock.advance(60_000)
    expect(names(new KeyRing(ring.state, me, clock))).toEqual([keyName(key(2))])
    // A wall clock that was set back does not bring the old key back.
    expect(names(new KeyRing(ring.state, me, createManualClock(0)))).toEqual([keyName(key(2))])
  })

  it('knows a file that names an older key for its own, and another one not', async () => {
    const { ring } = newRing()
    for (let fill = 2; fill < 20; fill++) take(ring, await change(ring, key(fill)))
    expect(ring.state.changes).toHaveLength(LIMITS.keyChanges)
    expect(isOfRing(FIRST, ring.state) && isOfRing(key(19), ring.state)).toBe(true)
    expect(isOfRing(key(99), ring.state)).toBe(false)
    // Who missed more changes than are kept has to be invited again.
    expect([ring.secretOf(keyName(key(11))) !== null, ring.secretOf(keyName(key(10)))]).toEqual([true, null])
  })

  it('hands on all changes since a key, and takes them one after the other', async () => {
    const [{ ring }, { ring: away }, { ring: newcomer }] = [newRing(), newRing(), newRing(undefined, ringStateOf(key(4)))]
    for (const fill of [2, 3, 4]) take(ring, await change(ring, key(fill)))
    for (const signed of ring.changesSince(keyName(FIRST), false)) expect(take(away, signed).step).toBe('take')
    expect([away.current.name, away.generation]).toEqual([ring.current.name, 4])
    expect(newcomer.changesSince(keyName(key(4)), true)).toEqual([])
    expect(ring.changesSince(keyName(key(4)), true).map((signed) => take(newcomer, signed).step)).toEqual(['learn'])
    expect([newcomer.grid, newcomer.generation]).toEqual([ring.grid, 4])
  })

  it('lets in no change from who holds an old key only', async () => {
    const { clock, ring } = newRing()
    take(ring, await change(ring, key(2), { removed: [removalOf(thief)], members: [me, boss, other] }))
    await clock.advance(KEY_CHANGE.retireMs)
    const nobody = keysNumber(77)
    const forged = [
      // Of the first key, which it holds: by itself, and under a name that nobody knows.
      await change(ring, key(3), { maker: thief, oldKey: FIRST, generation: 2, removed: [removalOf(boss)] }),
      await change(ring, key(4), { maker: nobody, oldKey: FIRST, generation: 2, removed: [removalOf(boss)] }),
      // Of the second one, of which it knows the name.
      await change(ring, key(5), { maker: nobody, oldKey: key(99), generation: 3, removed: [removalOf(me)], members: [boss] }),
      // By one that has the key, against one that was removed.
      await change(ring, key(6), { maker: thief, generation: 3 }),
      // Of another grid, or out of its turn.
      await change(newRing(undefined, ringStateOf(key(9))).ring, key(7), { oldKey: key(2), generation: 3 }),
      await change(ring, key(8), { generation: 9 }),
    ]
    for (const [at, signed] of forged.entries()) expect(ring.weigh(signed, knows).step, `forgery ${at}`).toBe('refuse')
    expect(ring.weigh({ bytes: new Uint8Array(9), signature: new Uint8Array(64) }, knows).step).toBe('refuse')
  })

  it('puts this node out when it is removed, or was left out, by who holds the key', async () => {
    const { ring } = newRing()
    const step = ring.weigh(await change(ring, key(2), { members: [boss, other] }), knows)
    expect(step.step).toBe('outcast')
    const removed = await change(ring, key(3), { members: [me, boss, other], removed: [removalOf(me)] })
    expect(take(ring, removed).step).toBe('outcast')
    expect(ring.outcast).toMatchObject({ by: 'boss' })
    expect(new KeyRing(ring.state, me, createManualClock()).outcast).toMatchObject({ by: 'boss' })
    expect(take(ring, await change(ring, key(4))).step).toBe('refuse')
  })

  it('of two changes at once takes the same, whichever comes first, and never begins to seal with the other', async () => {
    const { ring: template } = newRing()
    const changes = [await change(template, key(2)), await change(template, key(3), { maker: other })]
    const rings = [changes, changes.toReversed()].map((those) => {
      const { clock, ring } = newRing()
      const steps = those.map((signed) => take(ring, signed).step)
      return { clock, ring, steps }
    })
    expect(new Set(rings.map(({ ring }) => ring.current.name)).size).toBe(1)
    expect(rings.map(({ steps }) => steps.join()).sort()).toEqual(['take,nothing', 'take,take'])
    for (const { clock, ring } of rings) {
      await clock.advance(KEY_CHANGE.switchMs - 1)
      expect(ring.sealing().name).toBe(keyName(FIRST))
      await clock.advance(1)
      expect(ring.sealing().name).toBe(ring.current.name)
    }
  })
})
