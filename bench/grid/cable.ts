import type { LabNode } from '../../test/lab/support/midwatch.ts'
import { atMost, seconds, worst, type Figure } from '../report.ts'
import { settle, troubles } from '../../test/lab/support/agreement.ts'
import { say, sleep } from '../machine.ts'
import { settleSerf, type Fleet } from './fleet.ts'

const GIVE_UP_MS = 60_000

/** Pulls a node's cable, and measures from the moment it is plugged in again until all agree that all is well. */
export async function benchCable(fleet: Fleet, rounds: number, pulledMs: number): Promise<Figure[]> {
  const results: { host: string; allUpMs: number | null; agreedMs: number | null; serfMs: number | null }[] = []
  for (let number = 0; number < rounds; number++) {
    const { host } = fleet.nodes[(number + 3) % fleet.nodes.length] as LabNode
    await host.pullCable()
    await sleep(pulledMs)
    const pluggedMs = performance.now()
    await host.plugCable()
    const [settled, serf] = await Promise.all([
      settle(fleet.nodes, GIVE_UP_MS),
      fleet.agents.length > 0 ? settleSerf(fleet, GIVE_UP_MS) : null,
    ])
    if (settled === null)
      say(`not all agree ${GIVE_UP_MS / 1_000} s after ${host.name}'s cable was plugged in\n${await troubles(fleet.nodes)}`)
    const result = {
      host: host.name,
      allUpMs: settled && settled.allUpAtMs - pluggedMs,
      agreedMs: settled && settled.agreedAtMs - pluggedMs,
      serfMs: serf && serf - pluggedMs,
    }
    results.push(result)
    say(
      `cable ${number + 1}/${rounds} of ${host.name}: all up, agree, Serf: ${[result.allUpMs, result.agreedMs, result.serfMs].map(seconds).join(', ')}`,
    )
  }
  const agreed = worst(results.map((result) => result.agreedMs))
  const serf = fleet.agents.length > 0 ? `worst ${seconds(worst(results.map((result) => result.serfMs)))} of ${rounds}` : '-'
  return [
    {
      event: `a node's link comes back after ${pulledMs / 1_000} s: all agree`,
      bar: 'at most 3 s',
      midwatch: `worst ${seconds(agreed)} of ${rounds}`,
      serf,
      pass: atMost(agreed, 3_000),
      raw: { rounds: results },
    },
  ]
}
