import { readFile, writeFile } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Doctor, Invitation, Keys, Rundown } from '../../src/contract/index.ts'
import { until } from '../support/until.ts'
import { settle, troubles, watchAll } from './support/agreement.ts'
import { journalSince, labNode, lastSeq, MIDWATCH, untilEach, type LabNode } from './support/midwatch.ts'
import { openLab, type Lab } from './support/namespaces.ts'

const COUNT = 5
const SETTLE_MS = 30_000

describe('the key of a real grid', { timeout: 120_000 }, () => {
  let lab: Lab
  let gridKeyFile: string
  const nodes: LabNode[] = []
  const node = (index: number): LabNode => nodes[index] as LabNode
  const command = async (at: LabNode, ...words: string[]): Promise<string> =>
    at.host.run(MIDWATCH, ...(words as [string]), '--data', at.dataDir)
  const keysOf = (at: LabNode): Promise<Keys> => at.get<Keys>('/api/keys')
  const settled = async (those: readonly LabNode[]): Promise<void> => {
    if ((await settle(those, SETTLE_MS)) === null) throw new Error(`the nodes do not agree that all is well\n${await troubles(those)}`)
  }

  beforeAll(async () => {
    lab = await openLab()
    gridKeyFile = join(lab.folder, 'grid-key')
    await writeFile(gridKeyFile, randomBytes(32).toString('hex'), { mode: 0o600 })
    for (let number = 1; number <= COUNT; number++) {
      const id = `n${number}`
      const host = await lab.addHost(id)
      const join1 = number === 1 ? [] : ['--join', `${node(0).host.address}:8777`]
      nodes.push(labNode({ id, host, dataDir: join(lab.folder, id), args: ['--grid-key-file', gridKeyFile, ...join1] }))
    }
    await node(0).start()
    await Promise.all(nodes.slice(1).map((each) => each.start()))
    await settled(nodes)
  }, 120_000)
  afterAll(() => lab?.close())

  it('is changed by one command, and no link or node turns meanwhile', async () => {
    const before = await keysOf(node(0))
    const seqs = await Promise.all(nodes.map(lastSeq))
    const after = JSON.parse(await command(node(2), 'keys', 'rotate', '--json')) as Keys
    expect(after).toMatchObject({ grid: before.grid, generation: 2, by: 'n3', waiting: [], removed: [] })
    expect(after.key).not.toBe(before.key)
    // Beyond the time in which the old key is read.
    await until(
      'the old key is off the disk',
      async () => {
        const rings = await Promise.all(
          nodes.map(async ({ dataDir }) => JSON.parse(await readFile(join(dataDir, 'grid-ring.json'), 'utf8')) as { previous: [] }),
        )
        return rings.every((ring) => ring.previous.length === 0)
      },
      25_000,
    )
    for (const each of nodes) expect((await keysOf(each)).key, each.id).toBe(after.key)
    const journals = await Promise.all(nodes.map((each, i) => journalSince(each, seqs[i] ?? 0)))
    for (const journal of journals) expect(journal.map(({ event }) => event.type)).toEqual(['key.changed'])
    await settled(nodes)
  })

  it('is taken by a node that was killed meanwhile, though its settings still name the first one', async () => {
    const away = node(3)
    await away.kill()
    await command(node(0), 'keys', 'rotate').catch(() => {})
    await away.start()
    await settled(nodes)
    expect((await keysOf(away)).key).toBe((await keysOf(node(0))).key)
    expect((await keysOf(away)).generation).toBe(3)
  })

  it('does not go to a node that is removed: it hears nobody, says why, and its invitation is void', async () => {
    const [out, rest] = [node(4), nodes.slice(0, 4)]
    const { token } = await node(1).post<Invitation>('/api/invite')
    const watches = await watchAll(rest)
    const told = await command(node(0), 'keys', 'remove', 'n5')
    expect(told).toContain('n5 is removed. The grid has a new key: number 4')
    expect(told).toContain('All nodes have it.')
    const isGone = (watch: (typeof watches)[number]): boolean => !watch.nodes.has('n5')
    expect(await untilEach(watches, isGone, 10_000)).not.toContain(null)
    await settled(rest)
    for (const each of rest)
      expect(
        (await keysOf(each)).removed.map(({ id }) => id),
        each.id,
      ).toEqual(['n5'])

    await until('the removed node says why', async () =>
      (await out.get<Rundown>('/api/status')).headline.includes('removed from the grid on n1'),
    )
    const { checks } = await out.get<Doctor>('/api/doctor')
    expect(checks.find(({ name }) => name === 'key')).toMatchObject({ ok: false })
    expect((await journalSince(out, 0)).filter(({ event }) => event.type === 'grid.removed')).toHaveLength(1)
    await expect(out.post('/api/invite')).rejects.toThrow('MW_REMOVED')

    const guest = labNode({ id: 'n6', host: await lab.addHost('n6'), dataDir: join(lab.folder, 'n6'), args: [token], verb: ['join'] })
    await expect(guest.start()).rejects.toThrow('MW_JOIN_REFUSED')
  })

  it('keeps a removed node out after a start too, until it leaves; an invitation lets it in as a new node', async () => {
    const [out, rest] = [node(4), nodes.slice(0, 4)]
    await out.kill()
    await out.start()
    expect((await out.get<Rundown>('/api/status')).headline).toContain('removed from the grid on n1')
    await command(out, 'leave')
    expect((await out.get<Rundown>('/api/status')).well).toBe(true)
    expect(await keysOf(out)).toMatchObject({ generation: 1, removed: [] })
    await out.kill()
    const { token } = await node(1).post<Invitation>('/api/invite')
    const again = labNode({ id: 'n5', host: out.host, dataDir: out.dataDir, args: [token], verb: ['join'] })
    await again.start()
    nodes[4] = again
    await settled([...rest, again])
    expect(await keysOf(again)).toMatchObject({ grid: (await keysOf(node(0))).grid, generation: 4 })
  })
})
