import { MidwatchError, SECRET_ENV } from '../contract/index.ts'
import { dataDirOf, readToken } from './client.ts'
import type { CommandSpec } from './command.ts'

export const command: CommandSpec = {
  name: 'token',
  summary: "print the API's bearer token, and nothing else",
  about: 'It is read from the data folder; the node need not run. Whoever has it can read and steer the node.',
  examples: [
    ['curl -H "Authorization: Bearer $(midwatch token)" http://127.0.0.1:8777/api/graph', 'ask the API'],
    ['midwatch token --data /var/lib/midwatch', "another node's"],
  ],
  options: async () => [{ flags: '--data <folder>', about: 'data folder of the node' }],
  run: async (call) => {
    const dataDir = await dataDirOf(call)
    const token = readToken(call, dataDir) ?? call.machine.env[SECRET_ENV.token]
    if (!token) throw new MidwatchError('MW_NO_NODE', `There is no token in ${dataDir}: no node has run there yet.`)
    if (call.json) call.out.json({ token })
    else call.out.line(token)
    return 0
  },
}
