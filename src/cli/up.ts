import { settingOptions, type CommandSpec } from './command.ts'
import { runNode } from './run-node.ts'

export const command: CommandSpec = {
  name: 'up',
  summary: "run this machine's node",
  about: 'Runs in the foreground until Ctrl-C or SIGTERM. It needs no configuration. Each option is a setting of docs/configuration.md.',
  examples: [
    ['midwatch up', 'a node with default settings'],
    ['midwatch up --id db-1 --site fra', 'with a name and a place'],
    ['midwatch up --ephemeral --join 10.0.0.5:8777', 'without a disk; the grid key comes from MIDWATCH_GRID_KEY'],
  ],
  options: settingOptions,
  run: (call) => runNode(call),
}
