import { Nodes } from '../contract/index.ts'
import { findNode } from './client.ts'
import { findOptions, type CommandSpec } from './command.ts'
import { table } from './output.ts'
import { sinceText, spanText, stateCell } from './words.ts'

export const command: CommandSpec = {
  name: 'nodes',
  summary: 'the nodes of the grid',
  examples: [
    ['midwatch nodes', 'each with its site, state and address'],
    ['midwatch nodes --json', 'with identities, versions and ages'],
  ],
  options: async () => findOptions,
  run: async (call) => {
    const { out } = call
    const answer = await (await findNode(call)).get('/api/nodes', Nodes)
    if (call.json) out.json(answer)
    else {
      const at = new Date().toISOString()
      const rows = answer.nodes.map((node) => {
        const remarks = [
          node.self ? 'this node' : `heard ${spanText(node.rowAgeMs)} ago`,
          ...(node.callsOut ? ['only calls out, cannot be probed'] : []),
          ...(node.degraded.length > 0 ? [`degraded: ${node.degraded.join(', ')}`] : []),
          ...(node.wantedId === null ? [] : [`wanted the id ${node.wantedId}, which another node holds`]),
        ]
        return [stateCell(node.state), node.id, node.site, node.address ?? '-', node.program, sinceText(node.since, at), remarks.join('; ')]
      })
      for (const line of table(out, rows)) out.line(line)
    }
    return 0
  },
}
