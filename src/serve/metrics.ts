import type { Graph } from '../contract/index.ts'
import type { Metric } from './ports.ts'

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Prometheus' text format. Of two metrics with one name the first counts: a scrape with a name twice is refused whole. */
export function exposition(metrics: readonly Metric[]): string {
  const lines: string[] = []
  const seen = new Set<string>()
  for (const metric of metrics) {
    if (seen.has(metric.name)) continue
    seen.add(metric.name)
    lines.push(
      `# HELP ${metric.name} ${metric.help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
      `# TYPE ${metric.name} ${metric.type}`,
    )
    for (const { labels, value } of metric.values) lines.push(`${metric.name}${labelText(labels)} ${numberText(value)}`)
  }
  return `${lines.join('\n')}\n`
}

/**
 * The graph in figures. Links are this node's own: Prometheus asks every node, and a full mesh times a full mesh would be too much.
 * A state is a series that is 1 while it lasts and then goes away.
 */
export function graphMetrics(graph: Graph): Metric[] {
  const own = graph.links
    .filter((link) => link.from === graph.self)
    .map((link) => ({ link, labels: { from: link.from, to: link.to, kind: link.kind } }))
  return [
    {
      name: 'midwatch_link_state',
      help: '1 for the state that a link of this node is in',
      type: 'gauge',
      values: own.map(({ link, labels }) => ({ labels: { ...labels, state: link.state }, value: 1 })),
    },
    {
      name: 'midwatch_link_loss_ratio',
      help: 'part of the recent probes that was lost, 0 to 1',
      type: 'gauge',
      values: own.flatMap(({ link, labels }) => (link.lossRatio === null ? [] : [{ labels, value: link.lossRatio }])),
    },
    {
      name: 'midwatch_link_rtt_seconds',
      help: 'median round-trip time of the recent probes',
      type: 'gauge',
      values: own.flatMap(({ link, labels }) => (link.rttMsP50 === null ? [] : [{ labels, value: link.rttMsP50 / 1_000 }])),
    },
    {
      name: 'midwatch_node_state',
      help: '1 for the state that a node of the grid is in, as this node sees it',
      type: 'gauge',
      values: graph.nodes.map((node) => ({ labels: { node: node.id, site: node.site, state: node.state }, value: 1 })),
    },
  ]
}

function labelText(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([name, value]) => `${name}="${escapeLabel(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (Number.isFinite(value)) return String(value)
  return value > 0 ? '+Inf' : '-Inf'
}
