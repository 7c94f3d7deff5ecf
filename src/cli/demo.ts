import type { CommandSpec } from './command.ts'
import { untilSignal, writesToLog } from './foreground.ts'

export const command: CommandSpec = {
  name: 'demo',
  summary: 'run a grid of 5 nodes in 3 sites on this machine, with faults to switch on and off',
  about: 'Needs no root and leaves nothing behind. The faults are made by a relay, and the console says "simulated".',
  examples: [
    ['midwatch demo', 'then open the link that it prints'],
    ['midwatch demo --listen 127.0.0.1:9000', 'with the console on another port'],
  ],
  options: async () => [{ flags: '--listen <host:port>', about: 'address of the console (default: 127.0.0.1:8777)' }],
  run: async ({ options, out, json, machine }) => {
    const { HostPort, MidwatchError } = await import('../contract/index.ts')
    const listen = HostPort.safeParse(options['listen'] ?? '127.0.0.1:8777')
    if (!listen.success) throw new MidwatchError('MW_USAGE', `--listen: ${listen.error.issues[0]?.message}`)
    return untilSignal(async () => {
      const { startDemo } = await import('../node/index.ts')
      const demo = await startDemo({ listen: listen.data })
      const link = writesToLog(machine.env) ? null : demo.consoleLink
      if (json) out.json({ simulated: true, consoleLink: link })
      else {
        out.line(`${out.paint('strong', 'midwatch demo')}: 5 nodes in 3 sites on this machine, simulated`)
        out.line(`  console  ${link ?? new URL(demo.consoleLink).origin}`)
        out.line()
        out.line('Switch faults on and off in the console. Ctrl-C ends the demo.')
      }
      return demo
    })
  },
}
