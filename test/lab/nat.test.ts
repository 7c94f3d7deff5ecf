import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LINK_DETAILS, type Doctor, type Rundown, type Why } from '../../src/contract/index.ts'
import { agreement, watchAll } from './support/agreement.ts'
import { hashOf, journalSince, labNode, lastSeq, untilEach, type LabNode, type Watch } from './support/midwatch.ts'
import { openLab, type Lab } from './support/namespaces.ts'

const SETTLE_MS = 20_000
const SHOP_PORT = 9_999

describe.each([
  ['where the router passes no UDP', false],
  ['where UDP passes out', true],
] as const)('real nodes behind a router that translates addresses, %s', (_, passesUdp) => {
  let lab: Lab
  const open: LabNode[] = []
  const behind: LabNode[] = []
  const all = (): LabNode[] => [...open, ...behind]
  const ids = (nodes: readonly LabNode[]): string[] => nodes.map(({ id }) => id)

  /** What this view has wrong: who is behind cannot be probed, all else is up. */
  function wrong(watch: Watch): string[] {
    const found = ids(all()).flatMap((id) => (watch.nodes.get(id)?.state === 'up' ? [] : [`${id} is ${watch.nodes.get(id)?.state}`]))
    for (const hidden of ids(behind))
      if (watch.nodes.get(hidden)?.callsOut !== true) found.push(`${hidden} is not told as one that only calls out`)
    for (const from of ids(all())) {
      for (const to of ids(all())) {
        const link = watch.link(from, to)
        const isRight =
          from === to ||
          (ids(behind).includes(to)
            ? link?.state === 'unknown' && link.detail === LINK_DETAILS.callsOut
            : ids(open).includes(from) || passesUdp
              ? link?.state === 'up'
              : link?.state === 'unknown' && link.detail?.startsWith(LINK_DETAILS.noDatagrams))
        if (!isRight) found.push(`${from}>${to} is ${link?.state} (${link?.detail})`)
      }
    }
    return found
  }

  async function settled(): Promise<void> {
    const watches = await watchAll(all())
    const isRight = (watch: Watch): boolean => wrong(watch).length === 0
    const agreed = await agreement(all(), SETTLE_MS, () => watches.every(isRight))
    expect(agreed, watches.map((watch) => `${watch.id}: ${wrong(watch).join(', ')}`).join('\n')).not.toBeNull()
  }

  /** Who holds a line of it, by its own word. */
  async function holdersOf(hidden: LabNode): Promise<LabNode[]> {
    const [watch] = await watchAll([open[0] as LabNode])
    return open.filter(({ id }) => watch?.link(hidden.id, id)?.detail?.endsWith(LINK_DETAILS.line))
  }

  beforeAll(async () => {
    lab = await openLab()
    const gridKeyFile = join(lab.folder, 'grid-key')
    await writeFile(gridKeyFile, randomBytes(32).toString('hex'), { mode: 0o600 })
    for (let number = 1; number <= 4; number++) {
      const id = `n${number}`
      const join1 = number === 1 ? [] : ['--join', `${open[0]?.host.address}:8777`]
      const args = ['--site', number % 2 === 0 ? 'even' : 'odd', '--grid-key-file', gridKeyFile, ...join1]
      open.push(labNode({ id, host: await lab.addHost(id), dataDir: join(lab.folder, id), args }))
    }
    const router = await lab.addRouter('router', { passesUdp })
    for (const id of ['cellar', 'attic']) {
      const config = join(lab.folder, `${id}.yaml`)
      await writeFile(config, `targets:\n  - { kind: tcp, name: shop-${id}, host: 127.0.0.1, port: ${SHOP_PORT}, every: 500ms }\n`)
      const args = ['--site', 'home', '--grid-key-file', gridKeyFile, '--config', config, '--join', `${open[0]?.host.address}:8777`]
      behind.push(labNode({ id, host: await router.addHost(id), dataDir: join(lab.folder, id), args }))
    }
    await open[0]?.start()
    await Promise.all(open.slice(1).map((one) => one.start()))
    await Promise.all(behind.map((one) => one.start()))
  })
  afterAll(() => lab?.close())

  it('are on every map, alive; links toward them cannot be probed, and that is no trouble', async () => {
    await settled()
    expect(new Set(await Promise.all(all().map(hashOf))).size).toBe(1)
    for (const node of all()) {
      const { troubles } = await node.get<Rundown>('/api/status')
      expect(troubles.filter(({ what }) => !what.startsWith('shop-'))).toEqual([])
    }
    const why = await (open[1] as LabNode).get<Why>(`/api/why?from=n2&to=cellar`)
    expect(why.sentences.join(' ')).toContain('only calls out')
    const { checks } = await (behind[0] as LabNode).get<Doctor>('/api/doctor')
    expect(checks.find(({ name }) => name === 'address')?.found).toContain('only calls out')
  })

  it('say what they see, and all hear it', async () => {
    const [cellar] = behind
    const watches = await watchAll(all())
    await untilEach(watches, (watch) => watch.link('cellar', 'shop-cellar')?.state === 'down', SETTLE_MS)
    cellar?.host.start([process.execPath, '-e', `require('node:net').createServer((socket) => socket.end()).listen(${SHOP_PORT})`])
    const heard = await untilEach(watches, (watch) => watch.link('cellar', 'shop-cellar')?.state === 'up', SETTLE_MS)
    expect(heard).not.toContain(null)
    const spreadMs = Math.max(...heard.map((atMs) => atMs ?? Infinity)) - Math.min(...heard.map((atMs) => atMs ?? Infinity))
    expect(spreadMs).toBeLessThan(2_000)
  })

  it('move their line when its holder dies, and nobody takes them for dead', async () => {
    await settled()
    const [cellar] = behind as [LabNode]
    const holder = (await holdersOf(cellar)).find(({ id }) => id !== 'n1') as LabNode
    expect(holder).toBeDefined()
    const others = all().filter((node) => node !== holder)
    const watches = await watchAll(others)
    const seqs = await Promise.all(others.map(lastSeq))
    await holder.kill()
    expect(await untilEach(watches, (watch) => watch.nodes.get(holder.id)?.state === 'down', SETTLE_MS)).not.toContain(null)
    await sleep(8_000)
    const journals = await Promise.all(others.map((other, at) => journalSince(other, seqs[at] ?? 0)))
    const turns = journals.flat().flatMap(({ event }) => (event.type === 'member.changed' ? [`${event.id} ${event.to}`] : []))
    expect(turns.filter((turn) => !turn.startsWith(`${holder.id} `))).toEqual([])
    await holder.start()
    await settled()
  })

  it('die, which all know in seconds, and come back', async () => {
    const [cellar] = behind as [LabNode]
    const watches = await watchAll(all().filter((node) => node !== cellar))
    const killedMs = performance.now()
    await cellar.kill()
    const knew = await untilEach(watches, (watch) => watch.nodes.get('cellar')?.state === 'down', SETTLE_MS)
    for (const atMs of knew) expect((atMs ?? Infinity) - killedMs).toBeLessThan(8_000)
    await cellar.start()
    await settled()
  })

  it('are missed when their cable is pulled, and found again when it is plugged in', async () => {
    const [, attic] = behind as [LabNode, LabNode]
    const watches = await watchAll(open)
    const pulledMs = performance.now()
    await attic.host.pullCable()
    const knew = await untilEach(watches, (watch) => watch.nodes.get('attic')?.state === 'down', SETTLE_MS)
    for (const atMs of knew) expect((atMs ?? Infinity) - pulledMs).toBeLessThan(10_000)
    await attic.host.plugCable()
    await settled()
  })
})
