import type { Graph, GraphLink, GraphNode, JournalEvent, TimelineEntry } from '../../src/contract/index.ts'

/** A night to replay: what the graph was from when on, and the journal, newest first. */
export type Night = { readonly kept: { at: string; graph: Graph }[]; readonly changes: TimelineEntry[] }

/**
 * Five hours ago nothing was wrong; an hour later b died, twenty minutes after that a heard c no more, and both came back. `endMs` is now.
 */
export function makeNight(now: Graph, endMs: number): Night {
  const MIN_MS = 60_000
  const kept: Night['kept'] = []
  const changes: TimelineEntry[] = []
  let graph = now
  const at = (minutesAgo: number): string => new Date(endMs - minutesAgo * MIN_MS).toISOString()
  const note = (when: string, event: JournalEvent, text: string, tone: TimelineEntry['tone']): void => {
    changes.unshift({ seq: changes.length + 1, at: when, text, tone, event })
    kept.push({ at: when, graph })
  }
  const node = (id: string, change: Partial<GraphNode>): GraphNode[] =>
    graph.nodes.map((each) => (each.id === id ? { ...each, ...change } : each))
  const link = (to: string, change: Partial<GraphLink>): GraphLink[] =>
    graph.links.map((each) => (each.to === to ? { ...each, says: change.state ?? each.says, ...change } : each))
  const member = (id: string, from: GraphNode['state'], to: GraphNode['state']): JournalEvent => ({
    type: 'member.changed',
    identity: (now.nodes.find((each) => each.id === id) as GraphNode).identity,
    id,
    site: 'north',
    from,
    to,
  })
  const turn = (to: string, before: GraphLink['state'], after: GraphLink['state'], detail: string | null): JournalEvent => ({
    type: 'link.changed',
    fromNode: 'a',
    toName: to,
    toType: 'node',
    kind: 'udp',
    from: before,
    to: after,
    dead: null,
    detail,
  })

  note(at(300), { type: 'node.started', id: 'a', site: 'east', incarnation: 1, program: '0.2.0' }, 'a (site east) started.', 'plain')
  const died = at(240)
  graph = { ...graph, nodes: node('b', { state: 'down', since: died }), links: link('b', { state: 'down', since: died, rttMsP50: null }) }
  note(died, member('b', 'up', 'down'), 'b is down.', 'bad')
  note(at(239.9), turn('b', 'up', 'down', 'no answer'), 'a to b: down, was up (no answer).', 'bad')
  const lossy = at(220)
  graph = { ...graph, links: link('c', { state: 'lossy', since: lossy, lossRatio: 0.4 }) }
  note(lossy, turn('c', 'up', 'lossy', null), 'a to c: lossy, was up.', 'bad')
  graph = { ...now, links: link('b', { state: 'up', since: at(200), rttMsP50: 1 }) }
  note(at(200), member('b', 'down', 'up'), 'b is back.', 'good')
  note(at(199.9), turn('b', 'down', 'up', null), 'a reaches b again; it was down.', 'good')
  graph = now
  note(at(190), turn('c', 'lossy', 'up', null), 'a reaches c again; it was lossy.', 'good')
  return { kept, changes }
}
