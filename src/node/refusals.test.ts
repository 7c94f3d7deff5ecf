import { describe, expect, it } from 'vitest'
import { newCounters } from '../grid/ports.ts'
import { createManualClock } from '../../test/support/manual-clock.ts'
import type { Logger } from './log.ts'
import { Refusals, type Refused } from './refusals.ts'

function recording() {
  const clock = createManualClock()
  const lines: string[] = []
  const log = { warn: (_: object, line: string) => void lines.push(line) } as unknown as Logger
  const refused: Record<string, Refused> = {}
  return { clock, lines, refused, refusals: new Refusals(clock, log, () => refused) }
}

describe('refusals in the log', () => {
  it('are one line a minute for each kind, with how many and where the last came from', async () => {
    const { clock, lines, refused } = recording()
    refused['refusedNotAuthentic'] = { count: 5_213, from: '10.0.0.9' }
    refused['401'] = { count: 1, from: null }
    await clock.advance(60_000)
    expect(lines).toEqual([
      'refused 1 requests without the token in the last minute',
      "refused 5,213 datagrams that were not sealed with this grid's key in the last minute, last from 10.0.0.9",
    ])
    refused['refusedNotAuthentic'] = { count: 5_220, from: '10.0.0.8' }
    await clock.advance(59_000)
    expect(lines).toHaveLength(2)
    await clock.advance(1_000)
    expect(lines.slice(2)).toEqual(["refused 7 datagrams that were not sealed with this grid's key in the last minute, last from 10.0.0.8"])
  })

  it('are none where nothing was refused, and none after the end', async () => {
    const { clock, lines, refused, refusals } = recording()
    refused['refusedStale'] = { count: 3, from: null }
    await clock.advance(60_000)
    await clock.advance(600_000)
    expect(lines).toHaveLength(1)
    refused['refusedStale'] = { count: 4, from: null }
    refusals.stop()
    await clock.advance(600_000)
    expect(lines).toHaveLength(1)
  })

  it('go on after the node left its grid, whose counters began anew', async () => {
    const { clock, lines, refused } = recording()
    refused['rowsRefused'] = { count: 10, from: null }
    await clock.advance(60_000)
    refused['rowsRefused'] = { count: 2, from: null }
    await clock.advance(60_000)
    expect(lines.map((line) => /^refused (\S+) rows/.exec(line)?.[1])).toEqual(['10', '2'])
  })

  it('know every counter of the grid that is called a refusal', async () => {
    const { clock, lines, refused } = recording()
    const names = Object.keys(newCounters()).filter((name) => /refused/i.test(name))
    for (const name of names) refused[name] = { count: 1, from: null }
    await clock.advance(60_000)
    expect(lines).toHaveLength(names.length)
  })
})
