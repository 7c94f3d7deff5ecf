import type { Graph } from '../contract/index.ts'
import type { NetworkCounters } from '../platform/index.ts'
import type { Metric } from '../serve/index.ts'
import type { Store } from '../store/index.ts'
import type { Seat } from './seat.ts'
import type { Watch } from './watch.ts'

/** A name in snake case from one in camel case. */
const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** A set of counters as metrics: `midwatch_<family>_<name>_total`. */
function counterMetrics(family: string, help: string, counters: Readonly<Record<string, number>>): Metric[] {
  return Object.entries(counters).map(([name, value]) => ({
    name: `midwatch_${family}_${snake(name)}_total`,
    help: `${help}: ${snake(name).replaceAll('_', ' ')}`,
    type: 'counter',
    values: [{ value }],
  }))
}

function gauge(name: string, help: string, value: number): Metric {
  return { name: `midwatch_${name}`, help, type: 'gauge', values: [{ value }] }
}

/** The graph as metrics: a 1 for the state that holds, and the figures where there are any. */
function graphMetrics(graph: Graph): Metric[] {
  const ends = graph.links.map((link) => ({ link, labels: { from: link.from, to: link.to, kind: link.kind } }))
  return [
    {
      name: 'midwatch_node_state',
      help: '1 for the state that the node is in',
      type: 'gauge',
      values: graph.nodes.map((node) => ({ labels: { node: node.id, site: node.site, state: node.state }, value: 1 })),
    },
    {
      name: 'midwatch_link_state',
      help: '1 for the state that the link is in',
      type: 'gauge',
      values: ends.map(({ link, labels }) => ({ labels: { ...labels, state: link.state }, value: 1 })),
    },
    {
      name: 'midwatch_link_loss_ratio',
      help: 'share of the last probes that was lost',
      type: 'gauge',
      values: ends.filter(({ link }) => link.lossRatio !== null).map(({ link, labels }) => ({ labels, value: link.lossRatio as number })),
    },
    {
      name: 'midwatch_link_rtt_seconds',
      help: 'median round trip of the last probes',
      type: 'gauge',
      values: ends
        .filter(({ link }) => link.rttMsP50 !== null)
        .map(({ link, labels }) => ({ labels, value: (link.rttMsP50 as number) / 1_000 })),
    },
  ]
}

/** Everything that /metrics tells, but for the API's own figures. */
export function nodeMetrics(facts: { graph: Graph; seat: Seat; watch: Watch; store: Store; network: NetworkCounters }): Metric[] {
  const { graph, seat, watch, store, network } = facts
  const { queued, ...storeCounters } = store.counters()
  const { nodes, targets } = watch.counters()
  const { targets: targetCount, underWay, waiting, ...targetCounters } = targets
  const { userCPUTime, systemCPUTime } = process.resourceUsage()
  const cpuSeconds = (userCPUTime + systemCPUTime) / 1e6
  const firstProbeMs = watch.firstProbeMs()
  return [
    ...graphMetrics(graph),
    gauge('resident_memory_bytes', 'memory of this process', process.memoryUsage.rss()),
    { name: 'midwatch_cpu_seconds_total', help: 'processor time of this process', type: 'counter', values: [{ value: cpuSeconds }] },
    gauge(
      'first_probe_seconds',
      'from the start of the process to the first probe of another node; -1 before',
      firstProbeMs === null ? -1 : firstProbeMs / 1_000,
    ),
    gauge('store_queued', 'samples and events that wait for the disk', queued),
    gauge('targets', 'targets that this node probes', targetCount ?? 0),
    gauge('target_probes_under_way', 'probes of targets under way', underWay ?? 0),
    gauge('target_probes_waiting', 'probes of targets that wait for a place', waiting ?? 0),
    ...counterMetrics('datagrams', 'datagrams of the grid', {
      sent: network.sent,
      received: network.received,
      sendErrors: network.sendErrors,
    }),
    ...counterMetrics('datagram_bytes', 'bytes of datagrams', { sent: network.sentBytes, received: network.receivedBytes }),
    ...counterMetrics('grid', 'grid', seat.grid.counters),
    ...counterMetrics('node_probes', 'probes of other nodes', nodes),
    ...counterMetrics('target_probes', 'probes of targets', targetCounters),
    ...counterMetrics('store', 'storage', storeCounters),
  ]
}
