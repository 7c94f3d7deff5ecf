import type { Graph } from '../contract/index.ts'
import type { Metric } from '../serve/index.ts'

/** A name in snake case from one in camel case. */
const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** A set of counters as metrics: `midwatch_<family>_<name>_total`. */
export function counterMetrics(family: string, help: string, counters: Readonly<Record<string, number>>): Metric[] {
  return Object.entries(counters).map(([name, value]) => ({ name: `midwatch_${family}_${snake(name)}_total`, help: `${help}: ${snake(name).replaceAll('_', ' ')}`, type: 'counter', values: [{ value }] }))
}

export function gauge(name: string, help: string, value: number): Metric {
  return { name: `midwatch_${name}`, help, type: 'gauge', values: [{ value }] }
}

/** The graph as metrics: a 1 for the state that holds, and the figures where there are any. */
export function graphMetrics(graph: Graph): Metric[] {
  const ends = graph.links.map((link) => ({ link, labels: { from: link.from, to: link.to, kind: link.kind } }))
  return [
    { name: 'midwatch_node_state', help: '1 for the state that the node is in', type: 'gauge', values: graph.nodes.map((node) => ({ labels: { node: node.id, site: node.site, state: node.state }, value: 1 })) },
    { name: 'midwatch_link_state', help: '1 for the state that the link is in', type: 'gauge', values: ends.map(({ link, labels }) => ({ labels: { ...labels, state: link.state }, value: 1 })) },
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
      values: ends.filter(({ link }) => link.rttMsP50 !== null).map(({ link, labels }) => ({ labels, value: (link.rttMsP50 as number) / 1_000 })),
    },
  ]
}
