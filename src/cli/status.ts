import { setTimeout as pause } from 'node:timers/promises'
import { asMidwatchError, Rundown } from '../contract/index.ts'
import { findNode, type Client } from './client.ts'
import { findOptions, type Call, type CommandSpec, type ExitCode } from './command.ts'
import { clean, reportError, table, type Output } from './output.ts'
import { arrowText, sinceText, spanText, stateCell, troubleText } from './words.ts'

export const command: CommandSpec = {
  name: 'status',
  summary: 'the rundown: what is not well, and since when',
  about: 'Exit code 0: all is well. 1: something is not, or no node answers. 2: the command was used wrongly.',
  examples: [
    ['midwatch status', 'the rundown of the node on this machine'],
    ['midwatch status --watch', 'the same, again every two seconds'],
    ['midwatch status --json', 'for scripts'],
    ['midwatch status || notify-send "look at the map"', 'the exit code says whether all is well'],
  ],
  options: async () => [...findOptions, { flags: '--watch', about: 'show it again every two seconds, until Ctrl-C' }],
  run: async (call) => (call.options['watch'] === true ? watch(call) : show(call, await findNode(call))),
}

const WATCH_MS = 2_000
/** Lines of one table; the rest is counted. */
const ROWS_MAX = 30

async function show(call: Call, client: Client, before = ''): Promise<ExitCode> {
  const rundown = await client.get('/api/status', Rundown)
  if (call.json) call.out.json(rundown)
  else call.out.line(before + rundownLines(call.out, rundown).join('\n'))
  return rundown.well ? 0 : 1
}

async function watch(call: Call): Promise<ExitCode> {
  const { out } = call
  const clear = out.isTty ? '\x1b[H\x1b[2J' : ''
  process.once('SIGINT', () => process.exit(0))
  for (;;) {
    try {
      await show(call, await findNode(call), clear)
    } catch (error) {
      if (clear) out.line(clear)
      reportError(out, asMidwatchError(error), call.json)
    }
    await pause(WATCH_MS)
  }
}

export function rundownLines(out: Output, rundown: Rundown): string[] {
  const { counts, nodes, links, at } = rundown
  const mark = rundown.well ? out.paint('good', '✓') : out.paint('bad', '✗')
  const lines = [`${mark} ${out.paint('strong', clean(rundown.headline))}`]
  const parts = [`${counts.nodesUp} of ${counts.nodes} nodes up`]
  if (counts.targets > 0) parts.push(`${counts.targetsUp} of ${counts.targets} targets up`)
  parts.push(`${counts.linksTroubled} of ${counts.links} links not well`)
  lines.push(out.paint('dim', `  ${parts.join(', ')}; seen by ${rundown.self}, graph ${rundown.hash.slice(0, 8)}`))
  if (nodes.length > 0) {
    const rows = nodes.map((node) => {
      const doubt =
        node.degraded.length > 0 ? `own view not to be trusted: ${node.degraded.join(', ')}` : `last heard ${spanText(node.rowAgeMs)} ago`
      return [stateCell(node.state), node.id, `in ${node.site}`, sinceText(node.since, at), doubt]
    })
    lines.push('', 'Nodes', ...shortened(table(out, rows)))
  }
  if (links.length > 0) {
    const rows = links.map((link) => [stateCell(link.state), arrowText(link), link.kind, sinceText(link.since, at), troubleText(link)])
    lines.push('', 'Links', ...shortened(table(out, rows)))
  }
  return lines
}

function shortened(lines: string[]): string[] {
  return lines.length <= ROWS_MAX ? lines : [...lines.slice(0, ROWS_MAX), `  … and ${lines.length - ROWS_MAX} more; --json has them all`]
}
