import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hashOf, labNode, untilEach, type LabNode, type Watch } from '../../test/lab/support/midwatch.ts'
import type { Lab } from '../../test/lab/support/namespaces.ts'
import { SerfAgent } from '../../test/lab/support/serf.ts'

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
export const say = (text: string): void => void process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`)

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

export const watchAll = (nodes: readonly LabNode[]): Promise<Watch[]> => Promise.all(nodes.map((node) => node.watch()))

/** Everyone alive, and every link up, in this node's eyes. */
export function seesAllUp(watch: Watch, count: number): boolean {
  if (watch.nodes.size !== count) return false
  for (const node of watch.nodes.values()) if (node.state !== 'up') return false
  let up = 0
  for (const link of watch.links.values()) if (link.state === 'up') up++
  return up === count * (count - 1)
}

export type Agreement = {
  /** From when on all hashes were equal. */
  readonly agreedAtMs: number
  /** When the hash that they agreed on was first seen on any node: the last change. */
  readonly firstSeenAtMs: number
}

/** How often hashes are asked for, and so the resolution of what is measured with them. */
const POLL_MS = 100
const QUIET_MS = 1_500

/**
 * Waits until `isOver` holds, all hashes are equal, and both have been so for a while. Null when the time was up. Hashes that
 * were equal before and never moved count from when they were first asked for.
 */
export async function agreement(nodes: readonly LabNode[], timeoutMs: number, isOver: () => boolean): Promise<Agreement | null> {
  const firstSeen = new Map<string, number>()
  const deadlineMs = performance.now() + timeoutMs
  let agreed = { hash: '', atMs: Infinity }
  let overMs: number | null = null
  while (performance.now() < deadlineMs) {
    const turnMs = performance.now()
    const hashes = await Promise.all(nodes.map(hashOf))
    const nowMs = performance.now()
    for (const hash of hashes) if (!firstSeen.has(hash)) firstSeen.set(hash, nowMs)
    const [hash = ''] = hashes
    if (hashes.some((other) => other !== hash)) agreed = { hash: '', atMs: Infinity }
    else if (agreed.hash !== hash) agreed = { hash, atMs: nowMs }
    overMs = isOver() ? (overMs ?? nowMs) : null
    if (overMs !== null && nowMs - Math.max(agreed.atMs, overMs) > QUIET_MS) {
      return { agreedAtMs: agreed.atMs, firstSeenAtMs: firstSeen.get(hash) ?? agreed.atMs }
    }
    await sleep(Math.max(0, POLL_MS - (performance.now() - turnMs)))
  }
  return null
}

/** Waits until every node sees every node and link up and all hold one hash; when that was, or null. */
export async function settle(fleet: Fleet, timeoutMs: number): Promise<{ allUpAtMs: number; agreedAtMs: number } | null> {
  const watches = await watchAll(fleet.nodes)
  const allUp = (watch: Watch): boolean => seesAllUp(watch, fleet.nodes.length)
  const [seen, agreed] = await Promise.all([
    untilEach(watches, allUp, timeoutMs),
    agreement(fleet.nodes, timeoutMs, () => watches.every(allUp)),
  ])
  if (agreed === null || seen.includes(null)) return null
  const allUpAtMs = Math.max(...seen.map((atMs) => atMs ?? 0))
  return { allUpAtMs, agreedAtMs: Math.max(allUpAtMs, agreed.agreedAtMs) }
}

export async function settleSerf(fleet: Fleet, timeoutMs: number): Promise<number | null> {
  const seen = await Promise.all(fleet.agents.map((agent) => agent.until((alive) => alive.size === fleet.agents.length, timeoutMs)))
  return seen.includes(null) ? null : Math.max(...seen.map((atMs) => atMs ?? 0))
}

/** What is not as it should be, for the log of a run that went wrong. Views that are the same are told once. */
export async function troubles(fleet: Fleet): Promise<string> {
  const views = new Map<string, string[]>()
  for (const watch of await watchAll(fleet.nodes)) {
    const nodes = [...watch.nodes.values()].filter((node) => node.state !== 'up').map((node) => `${node.id} ${node.state}`)
    const links = [...watch.links.values()].filter((link) => link.state !== 'up').map((link) => `${link.from}>${link.to} ${link.state}`)
    const view = `${watch.hash.slice(0, 6)}, ${watch.nodes.size} nodes: ${[...nodes, ...links].join(', ').slice(0, 300)}`
    views.set(view, [...(views.get(view) ?? []), watch.id])
  }
  return [...views].map(([view, ids]) => `  ${ids.join(' ')} (${view})`).join('\n')
}
