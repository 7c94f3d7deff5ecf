import { Targets, TROUBLED, type TargetView } from '../contract/index.ts'
import { findNode } from './client.ts'
import { findOptions, type CommandSpec } from './command.ts'
import { table } from './output.ts'
import { sinceText, stateCell, troubleText } from './words.ts'

export const command: CommandSpec = {
  name: 'targets',
  summary: 'the services that are probed, and who sees them how',
  examples: [
    ['midwatch targets', 'one line for each target'],
    ['midwatch targets --json', "with every node's view"],
  ],
  options: async () => findOptions,
  run: async (call) => {
    const { out } = call
    const answer = await (await findNode(call)).get('/api/targets', Targets)
    if (call.json) out.json(answer)
    else if (answer.targets.length === 0)
      out.line('No targets. Name some under targets: in midwatch.yaml; docs/configuration.md shows how.')
    else
      for (const line of table(
        out,
        answer.targets.map((target) => targetRow(target, new Date().toISOString())),
      ))
        out.line(line)
    return 0
  },
}

function targetRow(target: TargetView, at: string): Parameters<typeof table>[1][number] {
  const { links } = target
  const worst = links.find(({ state }) => state === 'down') ?? links.find(({ state }) => TROUBLED.has(state)) ?? links[0]
  const up = links.filter(({ state }) => state === 'up').length
  const state = stateCell(worst?.state ?? 'unknown')
  const trouble = worst && TROUBLED.has(worst.state) ? `${worst.from}: ${troubleText(worst)}` : ''
  return [
    state,
    target.id,
    target.kind,
    target.address,
    `${up} of ${links.length} see it up`,
    worst ? sinceText(worst.since, at) : '',
    trouble,
  ]
}
