import type { GraphLink, GraphNode, LinkState } from '../../../src/contract/index.ts'
import type { Links } from './links.ts'
import type { Selection } from './route.ts'
import { LOOKS, degradedWords, isTroubled, percent, stateWords, worst } from './states.ts'

/** One thing that is wrong, as a person would say it; many links may stand behind it. */
export type Trouble = {
  readonly key: string
  readonly title: string
  readonly detail: string
  readonly state: LinkState
  readonly since: string | null
  readonly selection: Selection
}

/**
 * Folds troubled links into few lines: a dead node swallows the links to and from it, a target that several nodes miss is
 * one line, two directions in the same state are one line. Worst first, then the longest-lasting.
 */
export function troubles(nodes: readonly GraphNode[], links: Links): Trouble[] {
  const found: Trouble[] = []
  const gone = new Set<string>()
  for (const node of nodes) {
    if (node.state === 'down' || node.state === 'suspect') {
      found.push(nodeTrouble(node))
      if (node.state === 'down') gone.add(node.id)
    } else if (node.state === 'left') gone.add(node.id)
    else if (node.degraded.length > 0) found.push(degradedTrouble(node))
  }

  const left = [...links.values()].filter(
    (link) => isTroubled(link.state) && !gone.has(link.from) && !(link.toType === 'node' && gone.has(link.to)),
  )
  const byEnd = Map.groupBy(left, (link) => `${link.toType} ${link.to}`)
  const observersOf = Map.groupBy(links.values(), (link) => `${link.toType} ${link.to}`)
  for (const [end, group] of byEnd) {
    const observers = observersOf.get(end)?.filter((link) => !gone.has(link.from)).length ?? group.length
    const first = group[0] as GraphLink
    // Most of those who look agree: the trouble is at the end they look at, not between.
    if (group.length > 1 && group.length * 2 > observers && (first.toType === 'target' || group.length > 2)) {
      found.push(endTrouble(first, group, observers))
      byEnd.delete(end)
    }
  }
  const pairs = Map.groupBy([...byEnd.values()].flat(), pairKey)
  for (const pair of pairs.values()) found.push(pairTrouble(pair))
  return found.sort((a, b) => LOOKS[b.state].severity - LOOKS[a.state].severity || (a.since ?? '~').localeCompare(b.since ?? '~'))
}

function nodeTrouble(node: GraphNode): Trouble {
  const down = node.state === 'down'
  return {
    key: `node ${node.id}`,
    title: down ? `${node.id} is down` : `${node.id} may be down`,
    detail: down ? `Node in ${node.site}; nobody hears it.` : `Node in ${node.site}; others are being asked.`,
    state: down ? 'down' : 'slow',
    since: node.since,
    selection: { type: 'node', id: node.id },
  }
}

function degradedTrouble(node: GraphNode): Trouble {
  return {
    key: `degraded ${node.id}`,
    title: `${node.id} cannot judge for now`,
    detail: `It ${degradedWords(node)}; what it says of others does not count.`,
    state: 'stale',
    since: null,
    selection: { type: 'node', id: node.id },
  }
}

function endTrouble(first: GraphLink, group: readonly GraphLink[], observers: number): Trouble {
  const state = worst(group.map((link) => link.state)) as LinkState
  const details = new Set(group.map((link) => link.detail).filter((detail) => detail !== null))
  return {
    key: `end ${first.toType} ${first.to}`,
    title: `${first.to} is ${LOOKS[state].word} for ${group.length === observers ? 'everyone' : `${group.length} of ${observers}`}`,
    detail: details.size === 1 ? sentence([...details][0] as string) : sentence(LOOKS[state].meaning),
    state,
    since: earliest(group),
    selection: { type: first.toType, id: first.to },
  }
}

function pairTrouble(pair: readonly GraphLink[]): Trouble {
  const first = pair.toSorted((a, b) => LOOKS[b.state].severity - LOOKS[a.state].severity)[0] as GraphLink
  const same = pair.length === 2 && pair[0]?.state === pair[1]?.state && first.state !== 'one-way'
  const loss = first.state === 'lossy' && first.lossRatio !== null ? ` (${percent(first.lossRatio)})` : ''
  const words = stateWords(first)
  return {
    key: `pair ${pairKey(first)}`,
    title: `${first.from} ${same ? '⇄' : '→'} ${first.to} is ${LOOKS[first.state].word}${loss}`,
    detail: sentence(words.slice(words.indexOf(': ') + 2)),
    state: first.state,
    since: earliest(pair),
    selection: { type: 'link', from: first.from, to: first.to },
  }
}

function pairKey(link: GraphLink): string {
  return link.toType === 'target' || link.from < link.to ? `${link.from} ${link.toType}:${link.to}` : `${link.to} node:${link.from}`
}

function earliest(links: readonly GraphLink[]): string | null {
  const times = links.map((link) => link.since).filter((time) => time !== null)
  return times.length === 0 ? null : times.reduce((a, b) => (a < b ? a : b))
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
}
