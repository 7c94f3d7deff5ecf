import type { GraphLink, Rundown } from '../contract/index.ts'

/** The rundown for `curl`: what is wrong first, in columns, no escape codes. */
export function textPage(rundown: Rundown): string {
  const { counts } = rundown
  const blocks = [
    [`midwatch ${rundown.self}: ${rundown.well ? 'all is well' : 'not well'}`, rundown.headline],
    section(
      'LINKS',
      `${counts.links - counts.linksTroubled} of ${counts.links} without trouble`,
      rundown.links.map((link) => linkRow(link, rundown.at)),
    ),
    section(
      'NODES',
      `${counts.nodesUp} of ${counts.nodes} up`,
      rundown.nodes.map((node) => [node.id, `at ${node.site}`, node.state, node.degraded.join(', '), sinceText(node.since, rundown.at)]),
    ),
    section('TARGETS', `${counts.targetsUp} of ${counts.targets} up`, []),
    [`graph ${rundown.hash}, ${rundown.at}`],
  ]
  return `${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`
}

function linkRow(link: GraphLink, at: string): string[] {
  const figures = [
    link.lossRatio === null ? '' : `${percent(link.lossRatio)} lost`,
    link.rttMsP50 === null ? '' : `${link.rttMsP50.toFixed(1)} ms`,
    link.detail ?? '',
  ]
  const state = link.dead === null ? link.state : `${link.state} (${link.dead} dead)`
  return [`${link.from} > ${link.to}`, link.kind, state, sinceText(link.since, at), figures.filter((text) => text !== '').join(', ')]
}

function section(title: string, summary: string, rows: string[][]): string[] {
  return [`${title}  ${summary}`, ...columns(rows)]
}

function columns(rows: string[][]): string[] {
  const widths: number[] = []
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  const used = [...widths.keys()].filter((i) => (widths[i] ?? 0) > 0)
  return rows.map((row) => `  ${used.map((i) => (row[i] ?? '').padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd())
}

function percent(ratio: number): string {
  const value = ratio * 100
  return `${value >= 10 || value === 0 ? value.toFixed(0) : value.toFixed(1)} %`
}

function sinceText(since: string | null, at: string): string {
  if (since === null) return ''
  const seconds = Math.max(0, Math.round((Date.parse(at) - Date.parse(since)) / 1_000))
  if (seconds < 120) return `for ${seconds} s`
  if (seconds < 7_200) return `for ${Math.round(seconds / 60)} min`
  if (seconds < 172_800) return `for ${Math.round(seconds / 3_600)} h`
  return `for ${Math.round(seconds / 86_400)} days`
}
