import { journalSince, lastSeq, type LabNode } from '../../test/lab/support/midwatch.ts'
import { seconds, type Figure } from '../report.ts'
import { settle, troubles, watchAll, misnamed } from '../../test/lab/support/agreement.ts'
import { say, sleep } from '../machine.ts'
import { settleSerf, type Fleet } from './fleet.ts'

/** A node that sends and hears nothing: who calls it dead, how often, and is each direction called by its name. */
export async function benchDeaf(fleet: Fleet, forMs: number): Promise<Figure[]> {
  const deaf = fleet.nodes[Math.min(5, fleet.nodes.length - 1)] as LabNode
  const others = fleet.nodes.filter((node) => node !== deaf)
  const watches = await watchAll(others)
  const seqs = await Promise.all(others.map(lastSeq))
  const serfFrom = fleet.agents.map((agent) => agent.verdicts.length)

  const deafMs = performance.now()
  await deaf.host.drop('input')
  let firstAllRightMs: number | null = null
  let samples = 0
  let rightAfter = 0
  let after = 0
  let wrong: string[] = []
  while (performance.now() - deafMs < forMs) {
    await sleep(250)
    wrong = watches.flatMap((watch) => misnamed(watch, deaf.id, others))
    samples++
    if (wrong.length === 0) firstAllRightMs ??= performance.now() - deafMs
    if (firstAllRightMs !== null) {
      after++
      if (wrong.length === 0) rightAfter++
    }
  }
  const journals = await Promise.all(others.map((node, i) => journalSince(node, seqs[i] ?? 0)))
  const turns = journals.flat().filter(({ event }) => event.type === 'member.changed')
  const serfTurns = fleet.agents.flatMap((agent, i) =>
    agent.name === deaf.id ? [] : agent.verdicts.slice(serfFrom[i]).filter((verdict) => verdict.about === deaf.id),
  )

  const hearsMs = performance.now()
  await deaf.host.dropNothing()
  const settled = await settle(fleet.nodes, 60_000)
  if (settled === null) say(`not all agree 60 s after ${deaf.id} hears again\n${await troubles(fleet.nodes)}`)
  if (fleet.agents.length > 0) await settleSerf(fleet, 60_000)

  const name = `a node hears nothing for ${forMs / 1_000} s`
  const serfFailed = serfTurns.filter((verdict) => verdict.says === 'failed').length
  const share = after === 0 ? 0 : rightAfter / after
  return [
    {
      event: `${name}: membership changes on the others`,
      bar: '0',
      midwatch: String(turns.length),
      serf:
        fleet.agents.length > 0 ? `${serfFailed} times failed, ${serfTurns.length - serfFailed} back, on ${fleet.agents.length - 1}` : '-',
      pass: turns.length === 0,
      raw: { turns: turns.map(({ at, text }) => `${at} ${text}`), serfTurns },
    },
    {
      event: '  both directions named right, on all the others',
      bar: 'yes',
      midwatch: firstAllRightMs === null ? 'no' : `after ${seconds(firstAllRightMs)}, then ${Math.round(share * 100)} % of ${after} looks`,
      serf: '-',
      pass: firstAllRightMs !== null && share === 1,
      raw: { firstAllRightMs, share, samples, wrongAtTheEnd: wrong },
    },
    {
      event: '  it hears again: all agree',
      bar: '',
      midwatch: seconds(settled && settled.agreedAtMs - hearsMs),
      serf: '-',
      pass: null,
      raw: {},
    },
  ]
}
