import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { labNode, type LabNode } from '../../test/lab/support/midwatch.ts'
import type { Lab } from '../../test/lab/support/namespaces.ts'
import { SerfAgent } from '../../test/lab/support/serf.ts'
import { say } from '../machine.ts'

/** The nodes under test, and a serf agent beside each: same host, same cable, same fate. `agents` is empty without serf. */
export type Fleet = {
  readonly lab: Lab
  readonly nodes: readonly LabNode[]
  readonly agents: readonly SerfAgent[]
  readonly readyMs: number[]
}

export async function startFleet(lab: Lab, count: number, withSerf: boolean): Promise<Fleet> {
  const gridKeyFile = join(lab.folder, 'grid-key')
  await writeFile(gridKeyFile, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 })
  const fleet = { lab, nodes: [] as LabNode[], agents: [] as SerfAgent[], readyMs: [] as number[] }
  for (let number = 1; number <= count; number++) {
    const id = `n${number}`
    const host = await lab.addHost(id)
    const join1 = number === 1 ? [] : ['--join', `${fleet.nodes[0]?.host.address}:8777`]
    const args = ['--site', `s${((number - 1) % 4) + 1}`, '--grid-key-file', gridKeyFile, ...join1]
    const node = labNode({ id, host, dataDir: join(lab.folder, id), args })
    fleet.nodes.push(node)
    fleet.readyMs.push(await node.start())
    if (withSerf) {
      const agent = new SerfAgent(id, host)
      fleet.agents.push(agent)
      agent.start(fleet.agents[0] === agent ? null : (fleet.agents[0]?.host.address ?? null))
    }
    say(`${id} is ready after ${Math.round(fleet.readyMs.at(-1) ?? 0)} ms`)
  }
  return fleet
}

export async function settleSerf(fleet: Fleet, timeoutMs: number): Promise<number | null> {
  const seen = await Promise.all(fleet.agents.map((agent) => agent.until((alive) => alive.size === fleet.agents.length, timeoutMs)))
  return seen.includes(null) ? null : Math.max(...seen.map((atMs) => atMs ?? 0))
}
