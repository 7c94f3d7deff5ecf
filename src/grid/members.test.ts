import { describe, expect, it } from 'vitest'
import type { Identity } from '../contract/index.ts'
import { createManualClock } from '../../test/support/manual-clock.ts'
import { MEMBERSHIP, Members, suspicionMs } from './members.ts'

const SILENT_MS = 40_000
const name = (letter: string): Identity => letter.repeat(32) as Identity
const [self, a, b, c, d, e] = ['0', 'a', 'b', 'c', 'd', 'e'].map(name) as [Identity, Identity, Identity, Identity, Identity, Identity]

async function among(...others: Identity[]) {
  const clock = createManualClock()
  const turns: string[] = []
  const accused: Identity[] = []
  const members: Members = new Members({
    self,
    clock,
    silentMs: () => SILENT_MS,
    onChange: ({ identity, from, to }) => turns.push(`${identity[0]}: ${from}>${to}`),
    onAccusation: (identity) => accused.push(identity),
    onSuspicion: () => {},
  })
  for (const other of others) members.learned(other, 'started')
  turns.length = 0
  /** Time passes while all of `heard` speak twice a second. */
  async function pass(forMs: number, heard: readonly Identity[] = []): Promise<void> {
    for (let at = 0; at < forMs; at += MEMBERSHIP.tickMs) {
      await clock.advance(Math.min(MEMBERSHIP.tickMs, forMs - at))
      if (at % 500 === 0) for (const identity of heard) members.heard(identity)
      members.tick()
    }
  }
  const states = (): string =>
    members
      .others('up', 'suspect', 'down', 'left')
      .map((id) => `${id[0]} ${members.get(id)?.state}`)
      .join(', ')
  return { clock, members, turns, accused, pass, states }
}

describe('a suspicion', () => {
  it('waits longest with one accuser, and shortest when all the confirmations are in', () => {
    expect(suspicionMs(1, 3)).toBe(MEMBERSHIP.suspicionMaxMs)
    expect(suspicionMs(2, 3)).toBe(2_700)
    expect(suspicionMs(3, 3)).toBeCloseTo(1_354.6, 1)
    expect(suspicionMs(4, 3)).toBe(MEMBERSHIP.suspicionMinMs)
    expect(suspicionMs(9, 3)).toBe(MEMBERSHIP.suspicionMinMs)
    // Nobody else could confirm.
    expect(suspicionMs(1, 0)).toBe(2 * MEMBERSHIP.suspicionMinMs)
  })

  it('of one accuser becomes down after the longest time', async () => {
    const { members, pass, states, accused } = await among(a, b, c, d, e)
    await pass(2_000, [b, c, d, e])
    members.accuse(a, 7)
    expect(accused).toEqual([a])
    await pass(MEMBERSHIP.suspicionMaxMs - 100, [b, c, d, e])
    expect(states()).toContain('a suspect')
    await pass(200, [b, c, d, e])
    expect(states()).toBe('a down, b up, c up, d up, e up')
  })

  it('becomes down soon when three others confirm it, each counted once', async () => {
    const { members, pass, states } = await among(a, b, c, d, e)
    await pass(2_000, [b, c, d, e])
    expect(members.rumour(a, b, 7)).toBe(true)
    expect(members.rumour(a, b, 7)).toBe(false)
    await pass(500, [b, c, d, e])
    expect(states()).toContain('a suspect')
    for (const accuser of [c, d, e]) expect(members.rumour(a, accuser, 7)).toBe(true)
    expect(states()).toContain('a down')
  })

  it('is ended by hearing from the accused', async () => {
    const { members, pass, turns } = await among(a, b, c)
    await pass(2_000, [b, c])
    members.accuse(a, 7)
    members.heard(a)
    await pass(10_000, [a, b, c])
    expect(turns).toEqual(['a: up>suspect', 'a: suspect>up'])
  })

  it('is ended by a beat that is newer by two, not by the last one that was still on its way', async () => {
    const { members, pass, states } = await among(a, b, c)
    await pass(2_000, [b, c])
    members.accuse(a, 7)
    expect(members.beat(a, 8)).toBe(false)
    expect(states()).toContain('a suspect')
    expect(members.beat(a, 9)).toBe(true)
    expect(states()).toContain('a up')
  })

  it('that became down is not undone by a late beat or a late row, but by a new start', async () => {
    const { members, pass, states } = await among(a, b, c)
    await pass(2_000, [b, c])
    members.accuse(a, 7)
    await pass(6_000, [b, c])
    members.beat(a, 8)
    members.learned(a, 'changed')
    expect(states()).toContain('a down')
    members.learned(a, 'started')
    expect(states()).toContain('a up')
  })

  it('does not fall on who was heard lately, whoever accuses', async () => {
    const { members, pass, accused, states } = await among(a, b, c)
    await pass(2_000, [a, b, c])
    expect(members.isWorthAsking(a)).toBe(false)
    members.accuse(a, 7)
    expect(members.rumour(a, b, 7)).toBe(false)
    expect(accused).toEqual([])
    expect(states()).toContain('a up')
    await pass(MEMBERSHIP.heardLatelyMs + 100, [b, c])
    expect(members.isWorthAsking(a)).toBe(true)
  })
})

describe('a node that hears nobody', () => {
  it('accuses nobody, since the fault is most likely its own, and in time shows them as down', async () => {
    const { members, pass, accused, states } = await among(a, b, c)
    await pass(2_000, [a, b, c])
    await pass(MEMBERSHIP.isolatedAfterMs + 200)
    expect(members.isIsolated()).toBe(true)
    members.accuse(a, 7)
    expect(accused).toEqual([])
    expect(states()).toBe('a up, b up, c up')
    await pass(MEMBERSHIP.isolatedDownMs)
    expect(states()).toBe('a down, b down, c down')
    expect(accused).toEqual([])
    await pass(200, [a, b, c])
    expect(states()).toBe('a up, b up, c up')
  })

  it('with a single other cannot tell whose fault it is: that one is down', async () => {
    const { members, pass, states } = await among(a)
    await pass(2_000, [a])
    await pass(1_500)
    expect(members.isIsolated()).toBe(false)
    members.accuse(a, 7)
    await pass(2 * MEMBERSHIP.suspicionMinMs + 100)
    expect(states()).toBe('a down')
  })

  it('is not isolated at the moment when company comes after a long time alone', async () => {
    const { members, pass } = await among(a)
    await pass(1_000, [a])
    await pass(60_000)
    members.learned(b, 'started')
    expect(members.isIsolated()).toBe(false)
    await pass(MEMBERSHIP.isolatedAfterMs + 200)
    expect(members.isIsolated()).toBe(true)
  })
})

describe('time', () => {
  it('without any sign of life makes a node down, even if nobody here probes it', async () => {
    const { members, pass, states } = await among(a, b, c)
    await pass(SILENT_MS - 5_000, [b, c])
    members.beat(a, 3)
    await pass(SILENT_MS - 200, [b, c])
    expect(states()).toContain('a up')
    await pass(1_000, [b, c])
    expect(states()).toContain('a down')
    members.beat(a, 4)
    expect(states()).toContain('a up')
  })

  it('that this process was held up counts against nobody', async () => {
    const { clock, members, pass, turns } = await among(a, b, c)
    await pass(2_000, [b, c])
    members.accuse(a, 7)
    await pass(300, [b, c])
    await clock.jump(60_000)
    members.tick()
    expect(members.isIsolated()).toBe(false)
    members.heard(a)
    await pass(2_000, [a, b, c])
    expect(turns).toEqual(['a: up>suspect', 'a: suspect>up'])
  })
})

describe('who said goodbye', () => {
  it('has left, whatever still arrives from it, and is back with its next start', async () => {
    const { members, pass, states, turns } = await among(a, b)
    members.learned(a, 'left')
    members.heard(a)
    members.beat(a, 99)
    await pass(60_000, [b])
    expect(states()).toContain('a left')
    members.learned(a, 'started')
    expect(turns).toEqual(['a: up>left', 'a: left>up'])
  })

  it('before this node came is not said to have come', async () => {
    const { members, turns } = await among()
    members.learned(a, 'left')
    expect(turns).toEqual(['a: null>left'])
  })

  it('can be forgotten', async () => {
    const { members, states } = await among(a, b)
    members.forget(a)
    expect(states()).toBe('b up')
  })
})
