import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { settle, troubles } from './support/agreement.ts'
import { labNode, type LabNode } from './support/midwatch.ts'
import { openLab, type Lab } from './support/namespaces.ts'
import { cutAndHeal } from './support/partition.ts'

const SETTLE_MS = 20_000

let lab: Lab
const nodes: LabNode[] = []

beforeAll(async () => {
  lab = await openLab()
  const gridKeyFile = join(lab.folder, 'grid-key')
  await writeFile(gridKeyFile, randomBytes(32).toString('hex'), { mode: 0o600 })
  for (const id of ['n1', 'n2', 'n3', 'n4']) {
    const host = await lab.addHost(id)
    const join1 = nodes[0] ? ['--join', `${nodes[0].host.address}:8777`] : []
    const node = labNode({ id, host, dataDir: join(lab.folder, id), args: ['--grid-key-file', gridKeyFile, ...join1] })
    await node.start()
    nodes.push(node)
  }
})
afterAll(() => lab?.close())

it('two halves that are cut are each right about themselves, and one again soon after the heal', async () => {
  if ((await settle(nodes, SETTLE_MS)) === null) throw new Error(`the nodes do not agree that all is well\n${await troubles(nodes)}`)
  const round = await cutAndHeal(lab, nodes, nodes.slice(2), { cutMs: 15_000, settleMs: SETTLE_MS, lookEveryMs: 500 })
  expect(round.otherHalfDownMs).not.toBeNull()
  expect(round.looks).toBeGreaterThan(20)
  expect(round.wrong).toEqual([])
  expect(round.falseVerdicts).toEqual([])
  expect(round.agreedMs ?? Infinity, await troubles(nodes)).toBeLessThan(5_000)
})
