import { z } from 'zod'
import { findNode } from './client.ts'
import { findOptions, type CommandSpec } from './command.ts'

export const command: CommandSpec = {
  name: 'leave',
  summary: 'leave the grid: say goodbye and forget its key; the node runs on alone',
  about: 'The way back is a new invitation.',
  examples: [
    ['midwatch leave', 'this machine leaves'],
    ['midwatch leave --data /var/lib/midwatch', 'another node of this machine leaves'],
  ],
  options: async () => findOptions,
  run: async (call) => {
    await (await findNode(call)).post('/api/leave', z.unknown())
    if (call.json) call.out.json({ left: true })
    else call.out.line('Left the grid. The node runs on alone; `midwatch invite` on a node of the grid lets it back in.')
    return 0
  },
}
