import { Why } from '../contract/index.ts'
import { findNode } from './client.ts'
import { findOptions, type CommandSpec } from './command.ts'
import { clean, table, type Output } from './output.ts'
import { arrowText, msText, sinceText, sparkline, stateCell, symbolOf, toneOf, troubleText } from './words.ts'

export const command: CommandSpec = {
  name: 'why',
  args: '<from> <to>',
  summary: "the samples behind a link's state, in words",
  examples: [
    ['midwatch why fra-1 ams-2', 'why that link is in the state it is in'],
    ['midwatch why fra-1 shop', 'the same for a target'],
    ['midwatch why fra-1 ams-2 --json', 'with every second of the last minute'],
  ],
  options: async () => findOptions,
  run: async (call) => {
    const [from = '', to = ''] = call.args
    const why = await (await findNode(call)).get(`/api/why?${new URLSearchParams({ from, to })}`, Why)
    if (call.json) call.out.json(why)
    else for (const line of whyLines(call.out, why, new Date().toISOString())) call.out.line(line)
    return 0
  },
}

export function whyLines(out: Output, why: Why, at: string): string[] {
  const { link, otherWay, viaOthers, points } = why
  const lines = [
    `${out.paint(toneOf(link.state), `${symbolOf(link.state)} ${link.state}`)} ${out.paint('strong', arrowText(link))} (${link.kind}) ${sinceText(link.since, at)}`.trimEnd(),
  ]
  lines.push(...why.sentences.map((sentence) => `  ${clean(sentence)}`))
  if (points.length > 0) {
    const sent = points.reduce((sum, point) => sum + point.sent, 0)
    const lost = points.reduce((sum, point) => sum + point.lost, 0)
    const times = points.flatMap((point) => [point.rttMsMin, point.rttMsMax].filter((ms) => ms !== null))
    const range = times.length > 0 ? `${msText(Math.min(...times))} to ${msText(Math.max(...times))}, ` : ''
    lines.push('', `  ${sparkline(points)}`, out.paint('dim', `  last minute: ${range}${lost} of ${sent} lost`))
  }
  const others = [...(otherWay ? [otherWay] : []), ...viaOthers]
  if (others.length > 0) {
    lines.push('', 'As others see it')
    lines.push(
      ...table(
        out,
        others.map((other) => [stateCell(other.state), arrowText(other), other.kind, sinceText(other.since, at), troubleText(other)]),
      ),
    )
  }
  return lines
}
