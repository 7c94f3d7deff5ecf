import { availableParallelism } from 'node:os'
import type { TimelineEntry } from '../../src/contract/index.ts'
import { journalSince, lastSeq } from '../../test/lab/support/midwatch.ts'
import type { Host } from '../../test/lab/support/namespaces.ts'
import type { Figure } from '../report.ts'
import { say, sleep } from '../machine.ts'
import type { Fleet } from './fleet.ts'

/** Every core busy with something else, and nothing wrong with the network: whatever is reported is false. */
export async function benchBusy(fleet: Fleet, forMs: number): Promise<Figure[]> {
  const cores = availableParallelism()
  const seqs = await Promise.all(fleet.nodes.map(lastSeq))
  const serfFrom = fleet.agents.map((agent) => agent.verdicts.length)
  const host = fleet.nodes[0]?.host as Host
  const loops = Array.from({ length: cores }, () => host.start(['sh', '-c', 'while :; do :; done']))
  say(`${cores} busy loops for ${forMs / 1_000} s`)
  await sleep(forMs)
  const journals = await Promise.all(fleet.nodes.map((node, i) => journalSince(node, seqs[i] ?? 0)))
  await Promise.all(loops.map((loop) => loop.kill()))

  const all = journals.flat()
  const accused = all.filter(isAccusation)
  const members = accused.filter(({ event }) => event.type === 'member.changed')
  const down = members.filter(({ event }) => event.type === 'member.changed' && event.to === 'down')
  const degraded = all.filter(({ event }) => event.type === 'observer.degraded' && event.reasons.length > 0)
  const serfFailed = fleet.agents.flatMap((agent, i) => agent.verdicts.slice(serfFrom[i]).filter((verdict) => verdict.says === 'failed'))
  return [
    {
      event: `${forMs / 60_000} min with ${cores} cores busy: false verdicts about nodes and links`,
      bar: '0',
      midwatch: `${accused.length} (nodes ${members.length}, of them down ${down.length}; links ${accused.length - members.length})`,
      serf: fleet.agents.length > 0 ? `${serfFailed.length} nodes failed` : '-',
      pass: accused.length === 0,
      raw: {
        accused: accused.slice(0, 200).map(({ at, text }) => `${at} ${text}`),
        degraded: degraded.length,
        serfFailed: serfFailed.length,
      },
    },
    { event: '  observers that called themselves degraded', bar: '', midwatch: `${degraded.length} times`, serf: '-', pass: null, raw: {} },
  ]
}

const WELL: ReadonlySet<string> = new Set(['up', 'unknown'])
function isAccusation({ event }: TimelineEntry): boolean {
  return (event.type === 'member.changed' || event.type === 'link.changed') && !WELL.has(event.to)
}
