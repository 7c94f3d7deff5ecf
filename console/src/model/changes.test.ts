import { describe, expect, test } from 'vitest'
import type { Identity, JournalEvent, TimelineEntry } from '../../../src/contract/index.ts'
import { filterChanges, subject } from './changes.ts'
import { SINCE } from './fixture.ts'

const entry = (seq: number, text: string, event: JournalEvent): TimelineEntry => ({ seq, at: SINCE, text, tone: 'plain', event })
const lossy = entry(2, 'Packets get lost', {
  type: 'link.changed',
  fromNode: 'a',
  toName: 'b',
  toType: 'node',
  kind: 'udp',
  from: 'up',
  to: 'lossy',
  dead: null,
  detail: null,
})
const stopped = entry(1, 'This node stopped', { type: 'node.stopped', reason: 'asked to' })

describe('the timeline', () => {
  test('a line leads to what it is about, if that can be opened', () => {
    expect(subject(lossy)).toEqual({ type: 'link', from: 'a', to: 'b' })
    expect(subject(stopped)).toBeNull()
    const lied = { type: 'node.lied', identity: '0'.repeat(32) as Identity, id: 'b', lie: 'forged-row' } as const
    expect(subject(entry(3, 'b lied', lied))).toEqual({ type: 'node', id: 'b' })
  })

  test('the filter looks at words and names', () => {
    expect(filterChanges([lossy, stopped], 'b LOST')).toEqual([lossy])
    expect(filterChanges([lossy, stopped], '  ')).toEqual([lossy, stopped])
  })
})
