import { parseArgs } from 'node:util'
import { settle, troubles } from '../test/lab/support/agreement.ts'
import { onPath, openLab } from '../test/lab/support/namespaces.ts'
import { cutAndHeal, type PartitionRound } from '../test/lab/support/partition.ts'
import { settleSerf, startFleet, type Fleet } from './grid/fleet.ts'
import { TrafficMeter } from './grid/traffic.ts'
import { busyBefore, say, sleep, tell } from './machine.ts'
import { atMost, quantile, seconds, worst, type Figure } from './report.ts'

const HELP = `npm run bench -- partition [options]     needs root, iproute2, nftables and, with --serf, serf (Debian packages)

  --nodes 8         nodes, each in a network namespace of its own; half of them are cut off from the others
  --rounds 30       cuts; the halves are others each time
  --cut-seconds 60  how long each lasts
  --serf            a serf agent beside each node: how long it needs after the heal
  --json            print JSON instead of the table

The default run takes about 45 minutes. Figures also go to bench/results/.
`

const SETTLE_MS = 60_000
/** Serf calls a member that it lost every 30 s. */
const SERF_SETTLE_MS = 120_000
/** Steady state before each cut, and what counts as "after the heal". */
const STEADY_MS = 10_000
const AFTER_MS = 10_000
const LOOK_EVERY_MS = 1_000
/** From the heal until all is one again. */
const BAR_MS = 5_000

type Peak = { readonly bytesPerSecond: number; readonly packetsPerSecond: number }
type Round = PartitionRound & { readonly serfMs: number | null; readonly steady: Peak; readonly cut: Peak; readonly healed: Peak }

/** Two halves of a real grid, cut and healed, again and again. */
export async function benchPartition(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      nodes: { type: 'string', default: '8' },
      rounds: { type: 'string', default: '30' },
      'cut-seconds': { type: 'string', default: '60' },
      serf: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return void process.stdout.write(HELP)
  const withSerf = values.serf && onPath('serf')
  if (values.serf && !withSerf) say('serf is missing (Debian package serf): measuring without it')
  const rounds: Round[] = []
  const busy = await busyBefore()
  const lab = await openLab()
  try {
    const fleet = await startFleet(lab, Number(values.nodes), withSerf)
    const meter = new TrafficMeter(lab)
    for (let number = 1; number <= Number(values.rounds); number++) {
      const round = await oneRound(fleet, meter, number, Number(values['cut-seconds']) * 1_000)
      rounds.push(round)
      const times = [round.otherHalfDownMs, round.agreedMs, ...(withSerf ? [round.serfMs] : [])].map(seconds).join(', ')
      say(`cut ${number}/${values.rounds}: other half down, one again${withSerf ? ', Serf' : ''}: ${times}`)
      for (const line of [...round.wrong, ...round.falseVerdicts].slice(0, 5)) say(`  wrong: ${line}`)
      if (round.agreedMs === null) say(`  not one again after ${SETTLE_MS / 1_000} s\n${await troubles(fleet.nodes)}`)
    }
    await meter.stop()
  } finally {
    await lab.close()
  }
  await tell('partition', values, busy, figuresOf(rounds, withSerf), values.json)
}

async function oneRound(fleet: Fleet, meter: TrafficMeter, number: number, cutMs: number): Promise<Round> {
  const { lab, nodes, agents } = fleet
  if ((await settle(nodes, SETTLE_MS)) === null) throw new Error(`the nodes do not agree before cut ${number}\n${await troubles(nodes)}`)
  if (agents.length > 0 && (await settleSerf(fleet, SERF_SETTLE_MS)) === null) say(`Serf has not settled before cut ${number}`)
  await sleep(STEADY_MS)
  const half = Math.floor(nodes.length / 2)
  // Node by node and every other one by turns, so that over the rounds each pair is cut and each pair stays together.
  const order = number % 2 === 0 ? nodes : [...nodes.filter((_, i) => i % 2 === 0), ...nodes.filter((_, i) => i % 2 === 1)]
  const apart = Array.from({ length: half }, (_, i) => order[(i + number) % order.length] as (typeof nodes)[number])
  const beganMs = performance.now() - STEADY_MS
  const round = await cutAndHeal(lab, nodes, apart, { cutMs, settleMs: SETTLE_MS, lookEveryMs: LOOK_EVERY_MS })
  const serfAtMs = agents.length > 0 ? await settleSerf(fleet, SERF_SETTLE_MS) : null
  await sleep(Math.max(0, round.healedAtMs + AFTER_MS - performance.now()))
  return {
    ...round,
    serfMs: serfAtMs && serfAtMs - round.healedAtMs,
    steady: meter.peak(beganMs, round.cutAtMs),
    cut: meter.peak(round.cutAtMs, round.healedAtMs),
    healed: meter.peak(round.healedAtMs, round.healedAtMs + AFTER_MS),
  }
}

function figuresOf(rounds: readonly Round[], withSerf: boolean): Figure[] {
  const quantiles = (of: (round: Round) => number | null): string => {
    const values = rounds.map(of)
    return `p50 ${seconds(quantile(values, 0.5))}, p99 ${seconds(quantile(values, 0.99))}, worst ${seconds(worst(values))}`
  }
  const sum = (of: (round: Round) => number): number => rounds.reduce((total, round) => total + of(round), 0)
  const peak = (which: 'steady' | 'cut' | 'healed'): string => {
    const bytes = Math.max(...rounds.map((round) => round[which].bytesPerSecond))
    const packets = Math.max(...rounds.map((round) => round[which].packetsPerSecond))
    return `${(bytes / 1_000).toFixed(1)} kB/s, ${Math.round(packets)} packets/s`
  }
  const plain = { bar: '', serf: '-', pass: null, raw: {} }
  const wrong = sum((round) => round.wrong.length)
  const falseVerdicts = sum((round) => round.falseVerdicts.length)
  const neverKnew = rounds.filter((round) => round.otherHalfDownMs === null).length
  return [
    {
      event: `heal to one hash on all and everyone up, ${rounds.length} rounds`,
      bar: `at most ${BAR_MS / 1_000} s, each`,
      midwatch: quantiles((round) => round.agreedMs),
      serf: withSerf ? quantiles((round) => round.serfMs) : '-',
      pass: atMost(worst(rounds.map((round) => round.agreedMs)), BAR_MS),
      raw: { rounds },
    },
    { ...plain, event: '  the same, until every node and link is up', midwatch: quantiles((round) => round.allUpMs) },
    { ...plain, event: '  cut to all of the other half down, on all', midwatch: quantiles((round) => round.otherHalfDownMs) },
    {
      ...plain,
      event: `each half right about itself: wrong in ${sum((round) => round.looks)} looks during the cuts`,
      bar: '0',
      midwatch: `${wrong}${neverKnew > 0 ? `, and ${neverKnew} rounds in which not all saw the other half down` : ''}`,
      pass: wrong === 0 && neverKnew === 0,
    },
    {
      ...plain,
      event: '  one hash within a half, once it had one',
      midwatch: `${sum((round) => round.hashLooks - round.hashesApart)} of ${sum((round) => round.hashLooks)} looks`,
    },
    {
      ...plain,
      event: '  false verdicts within a half, from cut to settled',
      bar: '0',
      midwatch: String(falseVerdicts),
      pass: falseVerdicts === 0,
    },
    { ...plain, event: `peak of what one host sends in a second${withSerf ? ', serf included' : ''}: steady`, midwatch: peak('steady') },
    { ...plain, event: '  during the cut', midwatch: peak('cut') },
    { ...plain, event: `  in the ${AFTER_MS / 1_000} s after the heal`, bar: 'stated', midwatch: peak('healed') },
  ]
}
