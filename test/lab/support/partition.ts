import { setTimeout as sleep } from 'node:timers/promises'
import type { JournalEvent } from '../../../src/contract/index.ts'
import { settle, watchAll } from './agreement.ts'
import { hashOf, journalSince, lastSeq, type LabNode, type Watch } from './midwatch.ts'
import type { Lab } from './namespaces.ts'

/** What was seen of one cut between two halves of a grid, and of its end. */
export type PartitionRound = {
  /** From the cut until every node showed all of the other half as down. */
  readonly otherHalfDownMs: number | null
  /** Looks at all nodes during the cut, and what a node showed wrongly of its own half, or after `otherHalfDownMs` of the other one. */
  readonly looks: number
  readonly wrong: readonly string[]
  /** Looks since a half first had one hash, and how many of those found another one somewhere: both halves together. */
  readonly hashLooks: number
  readonly hashesApart: number
  /** Verdicts in the journals against nodes and links within a half, from the cut until the end of the round. */
  readonly falseVerdicts: readonly string[]
  /** From the heal until every node showed every node and link up, and until all held one hash besides. */
  readonly allUpMs: number | null
  readonly agreedMs: number | null
  readonly cutAtMs: number
  readonly healedAtMs: number
}

export type PartitionOptions = { readonly cutMs: number; readonly settleMs: number; readonly lookEveryMs: number }

/** Parts a settled grid in two, looks at both halves meanwhile, heals it and waits until all is one again. */
export async function cutAndHeal(
  lab: Lab,
  nodes: readonly LabNode[],
  apart: readonly LabNode[],
  { cutMs, settleMs, lookEveryMs }: PartitionOptions,
): Promise<PartitionRound> {
  const halves = [nodes.filter((node) => !apart.includes(node)), apart]
  const watches = await watchAll(nodes)
  const seqs = await Promise.all(nodes.map(lastSeq))
  const views = watches.map((watch) => {
    const own = (halves.find((half) => half.some(({ id }) => id === watch.id)) ?? []).map(({ id }) => id)
    return { watch, own, other: nodes.map(({ id }) => id).filter((id) => !own.includes(id)) }
  })

  const cutAtMs = performance.now()
  await lab.split(apart.map(({ host }) => host))
  let otherHalfDownMs: number | null = null
  const noteDown = async (): Promise<void> => {
    const isDown = ({ watch, other }: (typeof views)[number]): boolean => other.every((id) => watch.nodes.get(id)?.state === 'down')
    const times = await Promise.all(views.map((view) => view.watch.until(() => isDown(view), cutMs)))
    if (!times.includes(null)) otherHalfDownMs = Math.max(...times.map((atMs) => atMs ?? 0)) - cutAtMs
  }
  void noteDown()
  const wrong: string[] = []
  const hadOneHash = halves.map(() => false)
  let [looks, hashLooks, hashesApart] = [0, 0, 0]
  for (let nextMs = cutAtMs + lookEveryMs; nextMs < cutAtMs + cutMs; nextMs += lookEveryMs) {
    await sleep(Math.max(0, nextMs - performance.now()))
    const isKnown = otherHalfDownMs !== null
    const at = `${((performance.now() - cutAtMs) / 1_000).toFixed(1)} s`
    looks++
    for (const { watch, own, other } of views) {
      wrong.push(...wrongWithin(watch, own).map((what) => `${at} ${watch.id}: ${what}`))
      if (isKnown) wrong.push(...notDown(watch, other).map((what) => `${at} ${watch.id}: ${what}`))
    }
    const hashes = await Promise.all(halves.map((half) => Promise.all(half.map(hashOf))))
    for (const [i, half] of hashes.entries()) {
      const isOne = new Set(half).size === 1
      if (hadOneHash[i]) {
        hashLooks++
        if (!isOne) hashesApart++
      } else if (isKnown && isOne) hadOneHash[i] = true
    }
  }
  await sleep(Math.max(0, cutAtMs + cutMs - performance.now()))

  const healedAtMs = performance.now()
  await lab.heal()
  const settled = await settle(nodes, settleMs)
  const journals = await Promise.all(nodes.map((node, i) => journalSince(node, seqs[i] ?? 0)))
  const isWithin = (a: string, b: string): boolean => views.some(({ own }) => own.includes(a) && own.includes(b))
  return {
    otherHalfDownMs,
    looks,
    wrong,
    hashLooks,
    hashesApart,
    falseVerdicts: journals.flatMap((entries, i) =>
      entries
        .filter(({ event }) => isFalse(event, nodes[i]?.id ?? '', isWithin))
        .map(({ at, text }) => `${nodes[i]?.id} at ${at}: ${text}`),
    ),
    allUpMs: settled && settled.allUpAtMs - healedAtMs,
    agreedMs: settled && settled.agreedAtMs - healedAtMs,
    cutAtMs,
    healedAtMs,
  }
}

function wrongWithin(watch: Watch, own: readonly string[]): string[] {
  const nodes = own.filter((id) => watch.nodes.get(id)?.state !== 'up').map((id) => `${id} ${watch.nodes.get(id)?.state}`)
  const pairs = own.flatMap((from) => own.filter((to) => to !== from).map((to) => [from, to] as const))
  const links = pairs.filter(([from, to]) => watch.link(from, to)?.state !== 'up')
  return [...nodes, ...links.map(([from, to]) => `${from}>${to} ${watch.link(from, to)?.state}`)]
}

function notDown(watch: Watch, other: readonly string[]): string[] {
  return other.filter((id) => watch.nodes.get(id)?.state !== 'down').map((id) => `${id} of the other half ${watch.nodes.get(id)?.state}`)
}

const WELL: ReadonlySet<string> = new Set(['up', 'unknown'])
/** An accusation of a node or a link in the half of the node that wrote it down. */
function isFalse(event: JournalEvent, by: string, isWithin: (a: string, b: string) => boolean): boolean {
  if (event.type === 'member.changed') return !WELL.has(event.to) && isWithin(by, event.id)
  return event.type === 'link.changed' && !WELL.has(event.to) && isWithin(event.fromNode, event.toName)
}
