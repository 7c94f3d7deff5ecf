import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Graph, Invitation, Timeline } from '../../src/contract/index.ts'
import { agreement, misnamed, seesAllUp, settle, troubles, watchAll } from './support/agreement.ts'
import { hashOf, journalSince, labNode, lastSeq, untilEach, type LabNode } from './support/midwatch.ts'
import { openLab, type Lab } from './support/namespaces.ts'

const COUNT = 5
const SETTLE_MS = 20_000

describe('real nodes, each in a network namespace of its own', () => {
  let lab: Lab
  const nodes: LabNode[] = []
  const [N1, N3, N4, N5] = [0, 2, 3, 4]
  const node = (index: number): LabNode => nodes[index] as LabNode
  const except = (one: LabNode): LabNode[] => nodes.filter((other) => other !== one)
  const settled = async (): Promise<void> => {
    if ((await settle(nodes, SETTLE_MS)) === null) throw new Error(`the nodes do not agree that all is well\n${await troubles(nodes)}`)
  }

  beforeAll(async () => {
    lab = await openLab()
    const gridKeyFile = join(lab.folder, 'grid-key')
    await writeFile(gridKeyFile, randomBytes(32).toString('hex'), { mode: 0o600 })
    for (let number = 1; number <= COUNT; number++) {
      const id = `n${number}`
      const host = await lab.addHost(id)
      const join1 = number === 1 ? [] : ['--join', `${node(N1).host.address}:8777`]
      const args = ['--site', number % 2 === 0 ? 'even' : 'odd', '--grid-key-file', gridKeyFile, ...join1]
      nodes.push(labNode({ id, host, dataDir: join(lab.folder, id), args }))
    }
    await node(N1).start()
    await Promise.all(except(node(N1)).map((one) => one.start()))
  })
  afterAll(() => lab?.close())

  it('all hold one graph, in which everyone reaches everyone', async () => {
    await settled()
    expect(new Set(await Promise.all(nodes.map(hashOf))).size).toBe(1)
  })

  it('a killed node is known to be down by all, and comes back as itself with its history', async () => {
    const victim = node(N5)
    const others = except(victim)
    const selfOf = async (): Promise<Graph['nodes'][number] | undefined> =>
      (await victim.get<Graph>('/api/graph')).nodes.find((seen) => seen.self)
    const before = await selfOf()
    const history = await journalSince(victim, 0)
    const watches = await watchAll(others)

    const killedMs = performance.now()
    await victim.kill()
    const isDown = (watch: (typeof watches)[number]): boolean => watch.nodes.get(victim.id)?.state === 'down'
    const [knew, agreed] = await Promise.all([
      untilEach(watches, isDown, SETTLE_MS),
      agreement(others, SETTLE_MS, () => watches.every(isDown)),
    ])
    for (const atMs of knew) expect((atMs ?? Infinity) - killedMs).toBeLessThan(6_000)
    expect(agreed).not.toBeNull()

    await victim.start()
    await settled()
    const after = await selfOf()
    expect(after?.identity).toBe(before?.identity)
    expect(after?.incarnation).toBeGreaterThan(before?.incarnation ?? Infinity)
    const told = (await journalSince(victim, 0)).slice(0, history.length)
    expect(told).toEqual(history)
  })

  it('a node that sends but hears nothing is alive to all the others, and both directions are named right', async () => {
    const deaf = node(N4)
    const others = except(deaf)
    const watches = await watchAll(others)
    const seqs = await Promise.all(others.map(lastSeq))
    await deaf.host.drop('input')
    const isNamed = (watch: (typeof watches)[number]): boolean => misnamed(watch, deaf.id, others).length === 0
    const named = await untilEach(watches, isNamed, 15_000)
    expect(named, watches.flatMap((watch) => misnamed(watch, deaf.id, others)).join('\n')).not.toContain(null)
    await sleep(15_000)
    expect(watches.flatMap((watch) => misnamed(watch, deaf.id, others))).toEqual([])
    const journals = await Promise.all(others.map((other, i) => journalSince(other, seqs[i] ?? 0)))
    expect(journals.flat().filter(({ event }) => event.type === 'member.changed')).toEqual([])
    await deaf.host.dropNothing()
    await settled()
  })

  it('a cable pulled and plugged in again leaves all of one mind', async () => {
    const { id, host } = node(N3)
    const watches = await watchAll(except(node(N3)))
    await host.pullCable()
    expect(await untilEach(watches, (watch) => watch.nodes.get(id)?.state === 'down', SETTLE_MS)).not.toContain(null)
    await host.plugCable()
    await settled()
  })

  it('an invitation brings a new host onto every map, once', async () => {
    const { token } = await node(N1).post<Invitation>('/api/invite')
    const watches = await watchAll(nodes)
    const guest = async (id: string): Promise<LabNode> =>
      labNode({ id, host: await lab.addHost(id), dataDir: join(lab.folder, id), args: ['--site', 'new', token], verb: ['join'] })
    const [n6, n7] = [await guest('n6'), await guest('n7')]
    const isOnMap = (watch: (typeof watches)[number]): boolean => watch.nodes.get('n6')?.state === 'up'
    const pastedMs = performance.now()
    const [, ...onMap] = await Promise.all([n6.start(), ...watches.map((watch) => watch.until(() => isOnMap(watch), SETTLE_MS))])
    for (const atMs of onMap) expect((atMs ?? Infinity) - pastedMs).toBeLessThan(5_000)
    nodes.push(n6)
    await settled()
    expect(watches.every((watch) => seesAllUp(watch, COUNT + 1))).toBe(true)

    await expect(n7.start()).rejects.toThrow('MW_JOIN_REFUSED')
    const { entries } = await node(N1).get<Timeline>('/api/timeline?limit=20')
    expect(entries.map(({ event }) => event.type)).toEqual(expect.arrayContaining(['invitation.used', 'invitation.refused']))
  })
})
