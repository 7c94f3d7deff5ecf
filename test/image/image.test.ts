import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { baseTar } from './support/base.ts'
import { buildContext, builderContext } from './support/context.ts'
import { type Daemon, startDaemon } from './support/daemon.ts'
import { ownFolder, removeFolder } from './support/folders.ts'
import { until } from './support/run.ts'

type Graph = { hash: string; nodes: { id: string; state: string }[]; links: { from: string; to: string; state: string }[] }

const NAMES = ['one', 'two', 'three']
const LARGEST_BYTES = 300_000_000

describe('the image', () => {
  const folder = ownFolder()
  let daemon: Daemon | undefined
  const docker = (...args: string[]): Promise<string> => daemon!.docker(...args)
  const graph = async (name: string): Promise<Graph> => JSON.parse(await docker('exec', name, 'midwatch', 'graph', '--json')) as Graph

  beforeAll(async () => {
    daemon = await startDaemon(folder)
    const [base, context] = await Promise.all([baseTar(folder), buildContext(folder)])
    await docker('import', base, 'midwatch-base')
    await docker('build', '--tag', 'midwatch-builder', builderContext(folder, 'midwatch-base'))
    const from = ['--build-arg', 'BUILDER=midwatch-builder', '--build-arg', 'BASE=midwatch-base']
    await docker('build', '--network', 'none', ...from, '--tag', 'midwatch', context)
    const key = randomBytes(32).toString('hex')
    for (const name of NAMES) {
      const env = {
        MIDWATCH_ID: name,
        MIDWATCH_SITE: `site-${name}`,
        MIDWATCH_GRID_KEY: key,
        ...(name === 'one' ? {} : { MIDWATCH_JOIN: 'one:8777' }),
      }
      const settings = Object.entries(env).flatMap(([setting, value]) => ['--env', `${setting}=${value}`])
      await docker('run', '--detach', '--name', name, '--network', daemon.network, '--health-interval', '2s', ...settings, 'midwatch')
    }
  }, 480_000)

  afterAll(async () => {
    if (daemon !== undefined) {
      await docker('rm', '--force', '--volumes', ...NAMES).catch(() => '')
      await docker('network', 'rm', daemon.network).catch(() => '')
      await daemon.stop()
    }
    removeFolder(folder)
  }, 60_000)

  test('three containers with one grid key agree on the graph', async () => {
    const graphs = await until(
      'three nodes, six links up, one hash',
      () => Promise.all(NAMES.map(graph)),
      (all) =>
        new Set(all.map(({ hash }) => hash)).size === 1 &&
        all.every(({ nodes, links }) => nodes.length === NAMES.length && links.length === 6 && links.every(({ state }) => state === 'up')),
      60_000,
    )
    expect(graphs[0]!.nodes.map(({ id }) => id).toSorted()).toEqual(NAMES.toSorted())
  })

  test('its health check finds each of them healthy', async () => {
    for (const name of NAMES) {
      await until(
        `${name} is healthy`,
        () => docker('inspect', '--format', '{{.State.Health.Status}}', name),
        (status) => status.trim() === 'healthy',
        60_000,
      )
    }
  })

  test('the node is not root, and may write nowhere but in its volume', async () => {
    expect((await docker('exec', 'one', 'id', '-u')).trim()).toBe('8777')
    expect((await docker('top', 'one', '-eo', 'uid,pid,comm')).split('\n').slice(1).join('\n')).not.toMatch(/^\s*0\s/m)
    await expect(docker('exec', 'one', 'touch', '/opt/midwatch/bin/midwatch')).rejects.toThrow()
    await docker('exec', 'one', 'touch', '/var/lib/midwatch/mark')
  })

  test('no secret stands in the command line of its process', async () => {
    expect(await docker('top', 'one', '-eo', 'pid,args')).not.toMatch(/[0-9a-f]{64}/)
  })

  test('asked to stop, it says goodbye within the time that Docker gives', async () => {
    await docker('stop', '--time', '9', 'three')
    expect((await docker('inspect', '--format', '{{.State.ExitCode}}', 'three')).trim()).toBe('0')
    await until(
      'the others know',
      () => graph('one'),
      ({ nodes }) => nodes.every(({ id, state }) => id !== 'three' || state !== 'up'),
      10_000,
    )
  })

  test('it is small', async () => {
    const bytes = Number(await docker('image', 'inspect', '--format', '{{.Size}}', 'midwatch'))
    const ownBytes = bytes - Number(await docker('image', 'inspect', '--format', '{{.Size}}', 'midwatch-base'))
    console.log(`image: ${(bytes / 1e6).toFixed(0)} MB, of which the program and its runtime are ${(ownBytes / 1e6).toFixed(0)} MB`)
    expect(bytes).toBeLessThan(LARGEST_BYTES)
  })
})
