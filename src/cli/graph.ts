import { Graph } from '../contract/index.ts'
import { findNode } from './client.ts'
import { findOptions, type CommandSpec } from './command.ts'
import { matrixLines } from './matrix.ts'
import { dayText, parseWhen } from './when.ts'
import { spanText } from './words.ts'

export const command: CommandSpec = {
  name: 'graph',
  summary: 'the graph: who sees whom, and its hash, which is the same on every node',
  examples: [
    ['midwatch graph', 'as a matrix'],
    ['midwatch graph --at "2026-11-23 03:20"', 'as it was then, by the clock on your wall'],
    ['midwatch graph --at "yesterday 03:20"', 'also: 03:20, -2h, 2026-11-23T03:20Z'],
    ['midwatch graph --json', '{hash, at, nodes, targets, links}'],
    ['midwatch graph --json | jq -r .hash', 'compare it between nodes'],
  ],
  options: async () => [...findOptions, { flags: '--at <time>', about: 'the graph as it was at a time; local unless the time ends in Z' }],
  run: async (call) => {
    const { at } = call.options
    const nowMs = Date.now()
    const atMs = typeof at === 'string' ? parseWhen(at, nowMs) : null
    const query = atMs === null ? '' : `?${new URLSearchParams({ at: new Date(atMs).toISOString() })}`
    const graph = await (await findNode(call)).get(`/api/graph${query}`, Graph)
    if (call.json) {
      call.out.json(graph)
      return 0
    }
    if (atMs !== null) call.out.line(`As it was on ${dayText(atMs)}, ${spanText(nowMs - atMs)} ago`)
    for (const line of matrixLines(call.out, graph)) call.out.line(line)
    return 0
  },
}
