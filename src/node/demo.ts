import { Label, Settings, type Demo } from '../contract/index.ts'
import { createDemoService, createRelay } from '../drill/index.ts'
import { systemClock, systemRandomness } from '../platform/index.ts'
import { startNode, type RunningNode } from './node.ts'

export type DemoOptions = { readonly listen: string }
export type RunningDemo = { readonly consoleLink: string; stop(reason: string): Promise<void> }

/** The first one serves the console. */
const NODES = [
  { id: 'nyc1', site: 'nyc' },
  { id: 'nyc2', site: 'nyc' },
  { id: 'fra1', site: 'fra' },
  { id: 'fra2', site: 'fra' },
  { id: 'sin1', site: 'sin' },
].map(({ id, site }) => ({ id: Label.parse(id), site: Label.parse(site) }))

/** Five real nodes in this process, in three sites, with a relay between them that makes faults on demand. Errors: MW_PORT. */
export async function startDemo(options: DemoOptions): Promise<RunningDemo> {
  const clock = systemClock
  const random = systemRandomness
  const service = await createDemoService(clock, 'shop')
  const relay = await createRelay({ clock, random, nodes: NODES, service })
  const running: RunningNode[] = []
  const stop = async (reason: string): Promise<void> => {
    await Promise.all(running.map((node) => node.stop(reason)))
    await relay.close()
    await service.close()
  }
  const gridKeyHex = Buffer.from(random.bytes(32)).toString('hex')
  const list = (): Demo => ({ simulated: true, faults: relay.faults() })
  const demo = {
    list,
    async set(id: string, on: boolean) {
      relay.setFault(id, on)
      return list()
    },
  }
  try {
    for (const { id, site } of NODES) {
      const isFirst = running.length === 0
      const first = running[0]
      const settings = Settings.parse({
        id,
        site,
        listen: isFirst ? options.listen : '127.0.0.1:0',
        data: '/nonexistent',
        ephemeral: true,
        join: first ? [first.listen] : [],
        logLevel: 'error',
        targets: [{ kind: 'http', name: service.name, url: service.url, everyMs: 2_000, timeoutMs: 1_500 }],
      })
      running.push(
        await startNode({
          settings,
          gridKeyHex,
          log: 'pretty',
          simulation: { wrap: (network) => relay.through(id, network), demo: isFirst ? demo : null },
        }),
      )
    }
  } catch (error) {
    await stop('the demo could not start')
    throw error
  }
  return { consoleLink: (running[0] as RunningNode).consoleLink, stop }
}
