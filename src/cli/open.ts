import { ConsoleLink } from '../contract/index.ts'
import { openInBrowser } from './browser.ts'
import { findNode } from './client.ts'
import { clean } from './output.ts'
import { findOptions, type CommandSpec } from './command.ts'

export const command: CommandSpec = {
  name: 'open',
  summary: 'print the link that opens the console, and open it on a desktop',
  about: 'The link lets in whoever has it, until the node stops.',
  examples: [
    ['midwatch open', 'print it; on a desktop the browser opens too'],
    [
      'ssh -t -L 8777:127.0.0.1:8777 db-1 "midwatch open; bash"',
      'the console of another host: open the printed link here while that shell stays',
    ],
  ],
  options: async () => findOptions,
  run: async (call) => {
    const link = await (await findNode(call)).post('/api/console-link', ConsoleLink)
    if (call.json) call.out.json(link)
    else {
      call.out.line(clean(link.url))
      if (call.out.isTty) await openInBrowser(link.url, call.machine.env)
    }
    return 0
  },
}
