import { atMost, quantile, seconds, worst, type Figure } from '../report.ts'
import type { Fleet } from './fleet.ts'

/** From the start of the process to the first probe it sent, as each node that had somebody to join counted it itself. */
export async function benchStart(fleet: Fleet): Promise<Figure[]> {
  const firstProbeMs = await Promise.all(
    fleet.nodes.slice(1).map(async (node) => {
      const text = await node.getText('/metrics')
      const value = Number(/^midwatch_first_probe_seconds (\S+)$/m.exec(text)?.[1] ?? -1)
      return value < 0 ? null : value * 1_000
    }),
  )
  const slowest = worst(firstProbeMs)
  const readyMs = fleet.readyMs.slice(1)
  return [
    {
      event: `start to first probe, ${firstProbeMs.length} nodes joining one by one`,
      bar: 'at most 1 s',
      midwatch: `p50 ${seconds(quantile(firstProbeMs, 0.5))}, worst ${seconds(slowest)}`,
      serf: '-',
      pass: atMost(slowest, 1_000),
      raw: { firstProbeMs },
    },
    {
      event: '  from outside: command given to /readyz answered',
      bar: '',
      midwatch: `p50 ${seconds(quantile(readyMs, 0.5))}, worst ${seconds(worst(readyMs))}`,
      serf: '-',
      pass: null,
      raw: { readyMs },
    },
  ]
}
