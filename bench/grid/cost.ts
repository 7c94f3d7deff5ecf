import type { LabProcess } from '../../test/lab/support/processes.ts'
import type { Figure } from '../report.ts'
import { sleep } from '../machine.ts'
import type { Fleet } from './fleet.ts'

type Cost = { readonly cpuPercent: number[]; readonly residentMb: number[] }

/** What a settled node costs while nobody looks at it. */
export async function benchCost(fleet: Fleet, warmUpMs: number, forMs: number): Promise<Figure[]> {
  await sleep(warmUpMs)
  const [midwatch, serf] = await Promise.all([
    costOf(
      fleet.nodes.map((node) => node.process),
      forMs,
    ),
    costOf(
      fleet.agents.map((agent) => agent.process),
      forMs,
    ),
  ])
  const withSerf = fleet.agents.length > 0
  return [
    {
      event: `cost of a node over ${forMs / 1_000} s, mean of ${fleet.nodes.length}: processor`,
      bar: 'at most 2 % of a core',
      midwatch: `${mean(midwatch.cpuPercent).toFixed(2)} % (worst ${Math.max(...midwatch.cpuPercent).toFixed(2)} %)`,
      serf: withSerf ? `${mean(serf.cpuPercent).toFixed(2)} %` : '-',
      pass: mean(midwatch.cpuPercent) <= 2,
      raw: { ...midwatch, serfCpuPercent: serf.cpuPercent },
    },
    {
      event: '  resident memory',
      bar: 'at most 120 MB',
      midwatch: `${mean(midwatch.residentMb).toFixed(0)} MB (worst ${Math.max(...midwatch.residentMb).toFixed(0)} MB)`,
      serf: withSerf ? `${mean(serf.residentMb).toFixed(0)} MB` : '-',
      pass: Math.max(...midwatch.residentMb) <= 120,
      raw: { serfResidentMb: serf.residentMb },
    },
  ]
}

async function costOf(processes: readonly LabProcess[], forMs: number): Promise<Cost> {
  const beforeMs = performance.now()
  const before = processes.map((process) => process.cost())
  await sleep(forMs)
  const tookMs = performance.now() - beforeMs
  const after = processes.map((process) => process.cost())
  return {
    cpuPercent: after.map((cost, i) => ((cost.cpuSeconds - (before[i]?.cpuSeconds ?? 0)) * 100_000) / tookMs),
    residentMb: after.map((cost) => cost.residentBytes / 1_048_576),
  }
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
