import { describe, expect, it } from 'vitest'
import { keysNumber } from '../../test/support/grid-makers.ts'
import { createManualClock } from '../../test/support/manual-clock.ts'
import { targetClaim } from '../../test/support/virtual-grid.ts'
import { OwnRow } from './own-row.ts'
import { RHYTHM } from './rhythm.ts'
import { RowTable } from './table.ts'

function speaking() {
  const clock = createManualClock()
  const table = new RowTable()
  const told: number[] = []
  const own: OwnRow = new OwnRow({
    clock,
    table,
    keys: keysNumber(1),
    card: { id: 'a', site: 's', program: '0', address: '10.0.0.1:8777' },
    incarnation: 1,
    reserveIncarnation: () => {},
    rowMs: () => 1_000,
    onRow: () => told.push(own.row.version),
    onPulse: () => {},
    onDegraded: () => {},
  })
  own.start()
  told.length = 0
  const turn = (at: number): void => own.setLinks([targetClaim('t', at % 2 === 0 ? 'up' : 'down')], [])
  return { clock, table, own, told, turn }
}

describe('a row whose links turn', () => {
  it('is told at once, some times in a row, and then the newest once a second', async () => {
    const { clock, table, own, told, turn } = speaking()
    for (let at = 0; at < 50; at++) turn(at)
    expect(told).toHaveLength(RHYTHM.rowsAtOnce)
    for (let at = 0; at < 100; at++) {
      turn(at)
      await clock.advance(50)
    }
    expect(told.length).toBeLessThanOrEqual(RHYTHM.rowsAtOnce + 6)
    await clock.advance(1_000)
    expect(table.get(own.row.identity)?.row.links).toEqual(own.row.links)
    expect(own.row.links[0]?.state).toBe('down')
  })

  it('is not told again when nothing turned', () => {
    const { told, turn } = speaking()
    turn(0)
    turn(2)
    expect(told).toHaveLength(1)
  })

  it('says nothing more after a goodbye', async () => {
    const { clock, table, own, turn } = speaking()
    for (let at = 0; at < 50; at++) turn(at)
    own.leave()
    await clock.advance(5_000)
    expect(table.get(own.row.identity)?.row).toMatchObject({ left: true, links: [] })
  })
})
