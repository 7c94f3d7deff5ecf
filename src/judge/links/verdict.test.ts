import { describe, expect, test } from 'vitest'
import { NODE_POLICY, TARGET_POLICY } from './policy.ts'
import { createVerdict, type LinkVerdict, type VerdictSample } from './verdict.ts'

/** A link that is probed once a second, told by hand what came back. */
function probed(verdict: LinkVerdict = createVerdict(NODE_POLICY)) {
  let atMs = 1_000_000
  const say = (sample: Partial<VerdictSample>) => {
    atMs += 1_000
    return verdict.judge({ atMs, ok: true, rttMs: sample.ok === false ? null : 1, detail: null, ...sample })
  }
  return {
    say,
    ok: (count = 1, rttMs = 1) => {
      for (let i = 0; i < count; i++) say({ ok: true, rttMs })
      return verdict.now
    },
    lost: (count = 1, more: Partial<VerdictSample> = {}) => {
      for (let i = 0; i < count; i++) say({ ok: false, detail: 'no answer', ...more })
      return verdict.now
    },
    atMs: () => atMs,
  }
}

/** mulberry32: small, seeded, good enough to drop packets. */
function dice(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

describe('down and up', () => {
  test('is unknown before the first sample, and up with the first success', () => {
    const verdict = createVerdict(NODE_POLICY)
    expect(verdict.now).toMatchObject({ state: 'unknown', sinceMs: null, lossRatio: null, rttMsP50: null })
    expect(probed(verdict).ok().state).toBe('up')
  })

  test('stays unknown until enough failures have come when there never was an answer', () => {
    const link = probed()
    expect(link.lost(3).state).toBe('unknown')
    expect(link.lost(1)).toMatchObject({ state: 'down', sinceMs: 1_001_000, detail: 'no answer' })
  })

  test('is down after four failures in a row, since the first of them', () => {
    const link = probed()
    link.ok(10)
    expect(link.lost(3).state).toBe('up')
    expect(link.lost(1)).toMatchObject({ state: 'down', sinceMs: 1_011_000 })
  })

  test('a target is down after three', () => {
    const link = probed(createVerdict(TARGET_POLICY))
    link.ok(10)
    expect(link.lost(2).state).toBe('up')
    expect(link.lost(1).state).toBe('down')
  })

  test('is up again after three successes in a row, since the first of them', () => {
    const link = probed()
    link.ok(10)
    link.lost(10)
    expect(link.ok(2).state).toBe('down')
    expect(link.lost(1).state).toBe('down')
    expect(link.ok(2).state).toBe('down')
    expect(link.ok(1)).toMatchObject({ state: 'up', sinceMs: link.atMs() - 2_000, detail: null })
  })

  test('each relapse within five minutes asks for twice the successes, up to 12; a calm spell forgets', () => {
    const link = probed()
    link.ok(10)
    for (const needed of [3, 6, 12, 12]) {
      link.lost(4)
      expect(link.ok(needed - 1).state).toBe('down')
      expect(link.ok(1).state).toBe('up')
    }
    link.ok(300)
    link.lost(4)
    expect(link.ok(3).state).toBe('up')
  })

  test('samples that a busy node discounts change nothing', () => {
    const link = probed()
    const before = link.ok(10)
    expect(link.lost(50, { discount: true })).toBe(before)
  })
})

describe('lossy', () => {
  test('seven lost of the last thirty make a link lossy; at most one of sixty ends it', () => {
    const link = probed()
    link.ok(60)
    for (let i = 0; i < 6; i++) {
      link.lost()
      link.ok(2)
    }
    expect(link.ok().state).toBe('up')
    expect(link.lost()).toMatchObject({ state: 'lossy', sinceMs: link.atMs() })
    expect(link.ok(40).state).toBe('lossy')
    expect(link.ok(20).state).toBe('up')
  })

  test('a link that has recovered stays so, however much it lost before', () => {
    const link = probed()
    link.ok(60)
    for (let burst = 0; burst < 10; burst++) {
      link.lost(2)
      link.ok(1)
    }
    expect(link.ok(57).state).toBe('lossy')
    const states = Array.from({ length: 120 }, () => link.ok().state)
    expect(states.slice(5)).toEqual(Array(115).fill('up'))
  })

  test('an outage that ended leaves no lossy link behind', () => {
    const link = probed()
    link.ok(120)
    for (let i = 0; i < 3; i++) {
      expect(link.lost(4 + i).state).toBe('down')
      expect(link.ok(30).state).toBe('up')
    }
  })

  test('240 links that lose 1.4 % for ten minutes without a fault get no verdict at all', () => {
    const die = dice(7)
    const wrong: string[] = []
    for (let n = 0; n < 240; n++) {
      const link = probed()
      for (let second = 0; second < 600; second++) {
        const { state } = link.say(die() < 0.014 ? { ok: false, rttMs: null } : {})
        if (state !== 'up' && state !== 'unknown') wrong.push(`${n} ${second} ${state}`)
      }
    }
    expect(wrong).toEqual([])
  })

  test('a link that loses 30 % is lossy within a minute and is not called down', () => {
    const die = dice(11)
    let downs = 0
    for (let n = 0; n < 50; n++) {
      const link = probed()
      link.ok(60)
      for (let second = 0; second < 600; second++) {
        const before = link.say(die() < 0.3 ? { ok: false, rttMs: null } : {}).state
        if (before === 'down') downs++
        if (second === 60) expect(['lossy', 'down']).toContain(before)
      }
    }
    // Before the loss has been measured four in a row can still happen.
    expect(downs / (50 * 600)).toBeLessThan(0.005)
  })
})

describe('slow', () => {
  test('a median far above the usual is slow, and ends at half of that', () => {
    const link = probed()
    expect(link.ok(60, 20).rttMsUsual).toBe(20)
    expect(link.ok(9, 220).state).toBe('up')
    expect(link.ok(11, 220).state).toBe('slow')
    expect(link.ok(20, 60)).toMatchObject({ state: 'slow', rttMsUsual: 20 })
    expect(link.ok(20, 20).state).toBe('up')
  })

  test('never becomes the usual, however long it lasts', () => {
    const link = probed()
    link.ok(60, 20)
    expect(link.ok(5_000, 220)).toMatchObject({ state: 'slow', rttMsUsual: 20 })
  })

  test('nothing is slow before the usual is known', () => {
    const link = probed()
    link.ok(30, 1)
    expect(link.ok(20, 500).state).toBe('up')
  })

  test('four times next to nothing is still nothing', () => {
    const link = probed()
    link.ok(100, 0.1)
    expect(link.ok(40, 5).state).toBe('up')
  })

  test('a target may take 200 ms more', () => {
    const link = probed(createVerdict(TARGET_POLICY))
    link.ok(60, 20)
    expect(link.ok(40, 200).state).toBe('up')
    expect(link.ok(40, 250).state).toBe('slow')
  })
})

describe('one-way', () => {
  const heard = { heardAgoMs: 200, theyHeardAgoMs: 9_000 }

  test('when the target is heard and does not hear us, what we send is dead', () => {
    const link = probed()
    link.ok(10)
    expect(link.lost(4, heard)).toMatchObject({ state: 'one-way', dead: 'out', sinceMs: 1_011_000 })
  })

  test('when it has not said whether it hears us, too', () => {
    const link = probed()
    link.ok(10)
    expect(link.lost(4, { heardAgoMs: 200, theyHeardAgoMs: null })).toMatchObject({ state: 'one-way', dead: 'out' })
  })

  test('a target that died a moment ago is down, although it was heard a moment ago', () => {
    const link = probed()
    link.ok(10)
    for (let second = 0; second < 4; second++) {
      expect(link.lost(1, { heardAgoMs: second * 1_000 + 100, theyHeardAgoMs: null }).state).not.toBe('one-way')
    }
  })

  test('a target that hears us and is heard, but does not answer, is down', () => {
    const link = probed()
    link.ok(10)
    expect(link.lost(6, { heardAgoMs: 100, theyHeardAgoMs: 100 }).state).toBe('down')
  })

  test('turns into down when the target falls silent, without a new since', () => {
    const link = probed()
    link.ok(10)
    link.lost(4, heard)
    expect(link.lost(1, { heardAgoMs: 3_000, theyHeardAgoMs: 9_000 })).toMatchObject({ state: 'down', dead: null, sinceMs: 1_011_000 })
  })

  test('recovers like any outage', () => {
    const link = probed()
    link.ok(10)
    link.lost(4, heard)
    expect(link.ok(2).state).toBe('one-way')
    expect(link.ok(1)).toMatchObject({ state: 'up', dead: null })
  })
})

test('a sample costs microseconds', () => {
  const link = probed()
  link.ok(1_000)
  const startedAt = performance.now()
  link.ok(20_000)
  expect((performance.now() - startedAt) / 20_000).toBeLessThan(0.1)
})
