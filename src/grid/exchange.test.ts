import { encode } from 'cborg'
import { describe, expect, it } from 'vitest'
import { createManualClock } from '../../test/support/manual-clock.ts'
import { targetClaim } from '../../test/support/virtual-grid.ts'
import { keysNumber, localStreams, signedPulse, signedRow } from '../../test/support/grid-makers.ts'
import { answerExchange, callExchange, type ExchangePort } from './exchange.ts'
import type { Signed } from './row.ts'
import { answerSealed, callSealed } from './stream.ts'
import { RowTable } from './table.ts'

const secret = new Uint8Array(32).fill(1)

function port(rows: readonly Signed[]): ExchangePort {
  const table = new RowTable()
  for (const row of rows) table.apply(row, 0)
  return { table, applyRow: (signed) => void table.apply(signed, 1), applyPulse: (signed) => void table.applyPulse(signed, 1) }
}

async function streams() {
  const clock = createManualClock()
  const { caller, answerer } = localStreams()
  const [called, answered] = await Promise.all([
    callSealed(caller, 0, new Uint8Array(8), secret, clock),
    answerSealed(answerer, () => secret, clock),
  ])
  return { caller: called!, answerer: answered!.sealed }
}

async function exchanged(one: ExchangePort, other: ExchangePort) {
  const { caller, answerer } = await streams()
  return Promise.all([callExchange(caller, one), answerExchange(answerer, other)])
}

const rows = (from: number, to: number, fields = {}): Signed[] =>
  Array.from({ length: to - from }, (_, at) => signedRow(keysNumber(from + at), fields))

describe('a full exchange', () => {
  it('leaves both with the same table: the newest of what either held', async () => {
    const one = port([...rows(1, 5), ...rows(5, 7, { version: 3 })])
    const other = port([...rows(5, 12), ...rows(1, 2, { version: 2 })])
    const [called, answered] = await exchanged(one, other)
    expect(answered).toBe(true)
    expect(one.table.size).toBe(11)
    expect(one.table.versions()).toEqual(other.table.versions())
    // And tells the caller by which address it is seen.
    expect(called).toEqual({ seenAs: '10.0.0.1' })
  })

  it('brings heartbeats along', async () => {
    const one = port([])
    const other = port(rows(1, 2))
    other.applyPulse(signedPulse(keysNumber(1), { beat: 8 }))
    await exchanged(one, other)
    expect(one.table.get(keysNumber(1).identity)?.pulse?.beat).toBe(8)
  })

  it('settles two rows of one version on the same one', async () => {
    const [one, other] = [port([signedRow(keysNumber(1), { site: 'here' })]), port([signedRow(keysNumber(1), { site: 'there' })])]
    await exchanged(one, other)
    expect(one.table.versions()).toEqual(other.table.versions())
  })

  it('takes as many frames as long rows need', async () => {
    const links = Array.from({ length: 1_000 }, (_, at) => targetClaim(`t${at}`))
    const [one, other] = [port(rows(1, 6, { links })), port([])]
    const [called] = await exchanged(one, other)
    expect(called).not.toBeNull()
    expect(other.table.size).toBe(5)
  })

  it.each([
    ['garbage', new Uint8Array([0xff, 0x00])],
    ['a word that there is not', encode(['sudo', []])],
    ['a reply nobody asked for', encode(['done'])],
    ['versions of a wrong shape', encode(['versions', [[1, 2, 3]]])],
  ])('ends on %s, with the table as it was', async (_, frame) => {
    const { caller, answerer } = await streams()
    const other = port(rows(1, 3))
    caller.send(frame)
    expect(await answerExchange(answerer, other)).toBe(false)
    expect(other.table.size).toBe(2)
  })

  it('that breaks off keeps what came before: each row stands for itself', async () => {
    const { caller, answerer } = await streams()
    const one = port([])
    const call = callExchange(caller, one)
    await answerer.receive()
    const [row] = rows(1, 2)
    answerer.send(encode(['rows', [[row!.bytes, row!.signature, null, null]]]))
    answerer.end()
    expect(await call).toBeNull()
    expect(one.table.size).toBe(1)
  })
})
