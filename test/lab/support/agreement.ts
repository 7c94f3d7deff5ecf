import { setTimeout as sleep } from 'node:timers/promises'
import { hashOf, untilEach, type LabNode, type Watch } from './midwatch.ts'

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

/**
 * How often hashes are asked for, and so the resolution of what is measured with them. Asking sixteen nodes on two cores ten times a
 * second cost them more than the event that was to be measured.
 */
const POLL_MS = 250
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
export async function settle(nodes: readonly LabNode[], timeoutMs: number): Promise<{ allUpAtMs: number; agreedAtMs: number } | null> {
  const watches = await watchAll(nodes)
  const allUp = (watch: Watch): boolean => seesAllUp(watch, nodes.length)
  const [seen, agreed] = await Promise.all([untilEach(watches, allUp, timeoutMs), agreement(nodes, timeoutMs, () => watches.every(allUp))])
  if (agreed === null || seen.includes(null)) return null
  const allUpAtMs = Math.max(...seen.map((atMs) => atMs ?? 0))
  return { allUpAtMs, agreedAtMs: Math.max(allUpAtMs, agreed.agreedAtMs) }
}

/** Links to and from the deaf node that this view does not call by their name: dead towards it, alive from it. */
export function misnamed(watch: Watch, deaf: string, others: readonly { id: string }[]): string[] {
  return others.flatMap(({ id }) => {
    const towards = watch.link(id, deaf)
    const from = watch.link(deaf, id)
    return [
      ...(towards?.state === 'one-way' && towards.dead === 'out'
        ? []
        : [`${watch.id}: ${id}>${deaf} is ${towards?.state} ${towards?.dead ?? ''}`]),
      ...(from?.state === 'one-way' && from.dead === 'in' ? [] : [`${watch.id}: ${deaf}>${id} is ${from?.state} ${from?.dead ?? ''}`]),
    ]
  })
}

/** What is not as it should be, for the log of a run that went wrong. Views that are the same are told once. */
export async function troubles(nodes: readonly LabNode[]): Promise<string> {
  const views = new Map<string, string[]>()
  for (const watch of await watchAll(nodes)) {
    const nodes = [...watch.nodes.values()].filter((node) => node.state !== 'up').map((node) => `${node.id} ${node.state}`)
    const links = [...watch.links.values()].filter((link) => link.state !== 'up').map((link) => `${link.from}>${link.to} ${link.state}`)
    const view = `${watch.hash.slice(0, 6)}, ${watch.nodes.size} nodes: ${[...nodes, ...links].join(', ').slice(0, 300)}`
    views.set(view, [...(views.get(view) ?? []), watch.id])
  }
  return [...views].map(([view, ids]) => `  ${ids.join(' ')} (${view})`).join('\n')
}
