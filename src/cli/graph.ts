import { Graph } from '../contract/index.ts'
import { findNode } from './client.ts'
import { findOptions, type CommandSpec } from './command.ts'
import { matrixLines } from './matrix.ts'

export const command: CommandSpec = {
  name: 'graph',
  summary: 'the graph: who sees whom, and its hash, which is the same on every node',
  examples: [
    ['midwatch graph', 'as a matrix'],
    ['midwatch graph --json', '{hash, at, nodes, targets, links}'],
    ['midwatch graph --json | jq -r .hash', 'compare it between nodes'],
  ],
  options: async () => findOptions,
  run: async (call) => {
    const graph = await (await findNode(call)).get('/api/graph', Graph)
    if (call.json) call.out.json(graph)
    else for (const line of matrixLines(call.out, graph)) call.out.line(line)
    return 0
  },
}
