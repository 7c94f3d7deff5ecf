import { untilEach, type LabNode } from '../../test/lab/support/midwatch.ts'
import { atMost, quantile, seconds, worst, type Figure } from '../report.ts'
import { agreement, settle, troubles, watchAll } from '../../test/lab/support/agreement.ts'
import { say } from '../machine.ts'
import { settleSerf, type Fleet } from './fleet.ts'

type Round = {
  readonly victim: string
  readonly firstKnewMs: number | null
  readonly lastKnewMs: number | null
  /** From the kill, from the first node that showed it, and from the first sight of the last hash, until all hashes were equal. */
  readonly agreedMs: number | null
  readonly agreedAfterFirstKnewMs: number | null
  readonly agreedAfterLastChangeMs: number | null
  readonly serfLastKnewMs: number | null
  readonly backMs: number | null
  /** Nodes that were well and were called something else meanwhile. */
  readonly bystandersAccused: number
}

const GIVE_UP_MS = 30_000

/** SIGKILL for one node after the other; each comes back before the next. Serf's agents share the fate of the first `serfRounds`. */
export async function benchKill(fleet: Fleet, rounds: number, serfRounds: number): Promise<Figure[]> {
  const results: Round[] = []
  const serf: (number | null)[] = []
  for (let number = 0; number < rounds; number++) {
    const withSerf = fleet.agents.length > 0 && number < serfRounds
    const round = await killOnce(fleet, (number + 4) % fleet.nodes.length, withSerf)
    results.push(round)
    if (withSerf) serf.push(round.serfLastKnewMs)
    const times = [round.lastKnewMs, round.agreedMs, round.backMs, ...(withSerf ? [round.serfLastKnewMs] : [])].map(seconds)
    say(`kill ${number + 1}/${rounds} of ${round.victim}: all know, agree, back, Serf: ${times.join(', ')}`)
  }
  const column = (name: keyof Omit<Round, 'victim'>): (number | null)[] => results.map((round) => round[name])
  const p99 = quantile(column('lastKnewMs'), 0.99)
  const p50 = quantile(column('lastKnewMs'), 0.5)
  const agreedP99 = quantile(column('agreedAfterFirstKnewMs'), 0.99)
  const serfText = serf.length === 0 ? '-' : `p50 ${seconds(quantile(serf, 0.5))}, worst ${seconds(worst(serf))} of ${serf.length}`
  const more = (name: keyof Omit<Round, 'victim'>): string =>
    `p50 ${seconds(quantile(column(name), 0.5))}, p99 ${seconds(quantile(column(name), 0.99))}`
  return [
    {
      event: 'a node is killed: the last of the others knows',
      bar: `p99 of ${rounds} at most 3 s`,
      midwatch: `p50 ${seconds(p50)}, p99 ${seconds(p99)}`,
      serf: serfText,
      pass: atMost(p99, 3_000),
      raw: { rounds: results },
    },
    {
      event: 'graph hashes equal on all, after the first node shows the change',
      bar: 'at most 2 s',
      midwatch: more('agreedAfterFirstKnewMs'),
      serf: '-',
      pass: atMost(agreedP99, 2_000),
      raw: {},
    },
    {
      event: '  the same, after the last change itself',
      bar: '',
      midwatch: more('agreedAfterLastChangeMs'),
      serf: '-',
      pass: null,
      raw: {},
    },
    { event: '  the same, after the kill', bar: '', midwatch: more('agreedMs'), serf: '-', pass: null, raw: {} },
    { event: '  killed node started again: all agree', bar: '', midwatch: more('backMs'), serf: '-', pass: null, raw: {} },
    {
      event: '  other nodes accused meanwhile',
      bar: '',
      midwatch: String(results.reduce((sum, round) => sum + round.bystandersAccused, 0)),
      serf: '-',
      pass: null,
      raw: {},
    },
  ]
}

async function killOnce(fleet: Fleet, index: number, withSerf: boolean): Promise<Round> {
  const victim = fleet.nodes[index] as LabNode
  const agent = withSerf ? fleet.agents[index] : undefined
  const others = fleet.nodes.filter((node) => node !== victim)
  const watches = await watchAll(others)
  const told = watches.map((watch) => watch.changes.length)

  const killedMs = performance.now()
  await Promise.all([victim.kill(), agent?.process.kill()])
  const isDown = (watch: (typeof watches)[number]): boolean => watch.nodes.get(victim.id)?.state === 'down'
  const [knew, agreed, serfKnew] = await Promise.all([
    untilEach(watches, isDown, GIVE_UP_MS),
    agreement(others, GIVE_UP_MS, () => watches.every(isDown)),
    agent === undefined
      ? []
      : Promise.all(
          fleet.agents.filter((other) => other !== agent).map((other) => other.until((alive) => !alive.has(agent.name), GIVE_UP_MS)),
        ),
  ])
  const since = (atMs: number | null | undefined, fromMs: number): number | null =>
    atMs === null || atMs === undefined ? null : atMs - fromMs
  const firstKnew = quantile(knew, 0)
  const bystandersAccused = watches
    .flatMap((watch, i) => watch.changes.slice(told[i]))
    .filter(({ event }) => event.type === 'member.changed' && event.id !== victim.id && event.to !== 'up').length

  const startedMs = performance.now()
  await victim.start()
  if (agent !== undefined) agent.start(fleet.agents.find((other) => other !== agent)?.host.address ?? null)
  const back = await settle(fleet.nodes, GIVE_UP_MS)
  if (back === null) say(`not all agree ${GIVE_UP_MS / 1_000} s after ${victim.id} started again\n${await troubles(fleet.nodes)}`)
  if (agent !== undefined && (await settleSerf(fleet, 60_000)) === null) say(`Serf has not settled after ${victim.id} started again`)
  return {
    victim: victim.id,
    firstKnewMs: since(firstKnew, killedMs),
    lastKnewMs: since(worst(knew), killedMs),
    agreedMs: since(agreed?.agreedAtMs, killedMs),
    agreedAfterFirstKnewMs: firstKnew === null ? null : since(agreed && Math.max(agreed.agreedAtMs, firstKnew), firstKnew),
    agreedAfterLastChangeMs: agreed === null ? null : agreed.agreedAtMs - agreed.firstSeenAtMs,
    serfLastKnewMs: serfKnew.length === 0 ? null : since(worst(serfKnew), killedMs),
    backMs: since(back?.agreedAtMs, startedMs),
    bystandersAccused,
  }
}
