import { describe, expect, test } from 'vitest'
import {
  type Graph,
  type GraphLink,
  type GraphNode,
  type JournalEvent,
  LINK_DETAILS,
  Rundown,
  type SamplePoint,
} from '../contract/index.ts'
import { findings, rundown, statusText, timelineText, whySentences, type WhyContext } from './index.ts'

const AT = '2026-03-01T03:24:41.000Z'
const SINCE = '2026-03-01T03:20:41.000Z'
const WHEN = 'since 03:20:41 UTC (4 min)'

/** Five nodes in three sites, every one looking at every other and at one shop. */
function grid(
  change: (link: GraphLink) => Partial<GraphLink> = () => ({}),
  nodeChange: (id: string) => Partial<GraphNode> = () => ({}),
): Graph {
  const sites: Record<string, string> = { fra1: 'fra', fra2: 'fra', nyc1: 'nyc', nyc2: 'nyc', syd1: 'syd' }
  const ids = Object.keys(sites)
  const nodes = ids.map((id, i): GraphNode => ({
    id,
    identity: String(i).repeat(32) as GraphNode['identity'],
    site: sites[id] as string,
    state: 'up',
    since: SINCE,
    address: null,
    program: '0.1.0',
    incarnation: 1,
    rowVersion: 1,
    rowAgeMs: 100,
    degraded: [],
    wantedId: null,
    callsOut: false,
    lies: [],
    self: id === 'nyc1',
    ...nodeChange(id),
  }))
  const links = ids.flatMap((from) => [...ids.filter((to) => to !== from), 'shop'].map((to) => link(from, to)))
  return {
    hash: '0'.repeat(32),
    at: AT,
    grid: 'test',
    self: 'nyc1',
    simulated: false,
    nodes,
    targets: [{ id: 'shop', kind: 'http', address: 'http://shop/', site: null }],
    links: links.map((each) => ({ ...each, ...change(each) })),
  }
}

function link(from: string, to: string, more: Partial<GraphLink> = {}): GraphLink {
  const toType = to === 'shop' ? 'target' : 'node'
  const common = { state: 'up', says: 'up', dead: null, since: SINCE, lossRatio: 0, rttMsP50: 1, detail: null } as const
  return { from, to, toType, kind: toType === 'node' ? 'udp' : 'http', ...common, ...more }
}

const between = (siteA: string, siteB: string, { from, to }: GraphLink) =>
  (from.startsWith(siteA) && to.startsWith(siteB)) || (from.startsWith(siteB) && to.startsWith(siteA))

describe('rundown', () => {
  test('all well is one short line', () => {
    const told = rundown(grid())
    expect(Rundown.parse(told)).toEqual(told)
    expect(told).toMatchObject({ well: true, headline: 'All well: 5 nodes, 1 target, 25 links up.', nodes: [], links: [] })
    expect(told.counts).toEqual({ nodes: 5, nodesUp: 5, targets: 1, targetsUp: 1, links: 25, linksTroubled: 0 })
  })

  test('a node alone has nothing to watch, and links not probed yet are no trouble', () => {
    const one = grid()
    expect(rundown({ ...one, nodes: one.nodes.slice(0, 1), targets: [], links: [] }).headline).toBe(
      'All well: 1 node, nothing to watch yet.',
    )
    expect(rundown(grid((l) => (l.from === 'fra1' ? { state: 'unknown' } : {}))).headline).toBe(
      'All well: 5 nodes, 1 target, 20 links up, 5 not probed yet.',
    )
  })

  test('a node that only calls out is no trouble, and its links are not counted as missing', () => {
    const unknown = { state: 'unknown', says: 'unknown', detail: LINK_DETAILS.callsOut } as const
    const graph = grid(
      (l) => (l.to === 'syd1' ? unknown : {}),
      (id) => (id === 'syd1' ? { callsOut: true } : {}),
    )
    const told = rundown(graph)
    expect(told).toMatchObject({ well: true, troubles: [], nodes: [], links: [] })
    expect(told.headline).toBe('All well: 5 nodes, 1 target, 21 links up. syd1 only calls out: it is heard, but cannot be probed.')
  })

  test('a node that is down explains its links', () => {
    const told = rundown(
      grid(
        (l) => (l.to === 'fra2' ? { state: 'down' } : l.from === 'fra2' ? { state: 'stale' } : {}),
        (id) => (id === 'fra2' ? { state: 'down' } : {}),
      ),
    )
    expect(told).toMatchObject({ well: false, headline: `fra2 is down ${WHEN}. 4 links to it are dead.` })
    expect(told.nodes.map((n) => n.id)).toEqual(['fra2'])
    expect(told.troubles).toMatchObject([{ what: 'fra2 is down', since: SINCE, state: 'down', about: { type: 'node', id: 'fra2' } }])
    expect(told.links.map((l) => l.state)).toEqual([...Array(4).fill('down'), ...Array(5).fill('stale')])
    expect(told.counts).toMatchObject({ nodesUp: 4, targetsUp: 1, linksTroubled: 9 })
  })

  test('a site whose nodes are all unheard is one trouble', () => {
    const graph = grid(
      (l) => (l.to.startsWith('fra') ? { state: 'down' } : l.from.startsWith('fra') ? { state: 'stale' } : {}),
      (id) => (id.startsWith('fra') ? { state: 'down' } : {}),
    )
    expect(rundown(graph).headline).toBe(`Site fra is cut off or down ${WHEN}. None of its 2 nodes is heard.`)
  })

  test('a node that hears none of the others doubts itself', () => {
    const graph = grid(
      () => ({ state: 'down' }),
      (id) => (id === 'nyc1' ? { degraded: ['hears-nobody'] } : { state: 'down' }),
    )
    expect(findings(graph)[0]?.text).toBe(`This node hears none of the 4 others ${WHEN}. Either they are down or it is cut off.`)
  })

  test('a deaf node is named, with both directions', () => {
    const deaf = (l: GraphLink): Partial<GraphLink> =>
      l.to === 'fra1' ? { state: 'one-way', dead: 'out' } : l.from === 'fra1' && l.toType === 'node' ? { state: 'one-way', dead: 'in' } : {}
    expect(rundown(grid(deaf)).headline).toBe(`fra1 hears nobody ${WHEN}. Packets to it are lost, packets from it arrive.`)
  })

  test('one dead direction between two sites is one trouble', () => {
    const dead = (l: GraphLink): Partial<GraphLink> => {
      if (l.from.startsWith('fra') && l.to.startsWith('nyc')) return { state: 'one-way', dead: 'out' }
      return l.from.startsWith('nyc') && l.to.startsWith('fra') ? { state: 'one-way', dead: 'in' } : {}
    }
    const found = findings(grid(dead))
    expect(found.map((f) => f.text)).toEqual([`Packets from site fra to site nyc are lost ${WHEN}. The other way they arrive.`])
    expect(found[0]?.links).toHaveLength(8)
  })

  test('loss between sites, and slow ways to a site, are one trouble each; the worse comes first', () => {
    const graph = grid((l) => {
      if (between('fra', 'nyc', l)) return { state: 'lossy', lossRatio: 0.31 }
      return l.toType === 'node' && (l.from === 'syd1' || l.to === 'syd1') ? { state: 'slow', rttMsP50: 212 } : {}
    })
    expect(findings(graph).map((f) => f.text)).toEqual([
      `Packets between sites fra and nyc get lost (up to 31 %) ${WHEN}.`,
      `Answers to and from syd1 are slow (up to 212 ms) ${WHEN}.`,
    ])
    expect(rundown(graph).headline).toMatch(/And 1 more trouble\.$/)
  })

  test('a single link is named by its ends', () => {
    expect(rundown(grid((l) => (l.from === 'fra1' && l.to === 'nyc2' ? { state: 'down' } : {}))).headline).toBe(
      `fra1 cannot reach nyc2 ${WHEN}.`,
    )
  })

  test('a target that fails for everyone, and one that fails for some', () => {
    const detail = 'status 503, wanted 200'
    expect(rundown(grid((l) => (l.to === 'shop' ? { state: 'down', detail } : {}))).headline).toBe(
      `shop is down for everyone ${WHEN}. Status 503, wanted 200.`,
    )
    expect(rundown(grid((l) => (l.to === 'shop' && l.from < 'g' ? { state: 'down' } : {}))).headline).toBe(
      `shop is down for fra1 and fra2 (2 of 5) ${WHEN}.`,
    )
  })

  test('a deaf node is no witness against a target', () => {
    const graph = grid(
      (l) => (l.from === 'fra1' && l.to === 'shop' ? { state: 'down' } : {}),
      (id) => (id === 'fra1' ? { degraded: ['hears-nobody'] } : {}),
    )
    expect(rundown(graph)).toMatchObject({ well: false, headline: 'fra1 says that it hears nobody.' })
  })

  test('a node that has just gone quiet or is busy is told, and is no trouble yet', () => {
    const graph = grid(undefined, (id) => (id === 'fra1' ? { state: 'suspect' } : id === 'fra2' ? { degraded: ['busy'] } : {}))
    expect(rundown(graph)).toMatchObject({
      well: true,
      headline: 'All well: 5 nodes, 1 target, 25 links up. fra1 has gone quiet and is being asked again. fra2 is too busy to measure well.',
    })
  })

  test('a node that was caught lying is named, above what is only slow', () => {
    const lying = (id: string) => (id === 'syd1' ? { lies: ['two-rows' as const] } : {})
    const told = rundown(grid(({ from, to }) => (from === 'fra1' && to === 'nyc2' ? { state: 'slow' } : {}), lying))
    expect(told.well).toBe(false)
    expect(told.headline).toBe(
      'syd1 says two different things at once: its key is in use twice, on a copied disk say, or it lies. What it says is not to be trusted. And 1 more trouble.',
    )
    expect(told.troubles[0]).toMatchObject({ about: { type: 'node', id: 'syd1' }, state: 'partial' })
    expect(rundown(grid(undefined, (id) => ({ ...lying(id), ...(id === 'syd1' ? { state: 'left' as const } : {}) }))).well).toBe(true)
  })

  test('an id that two nodes want is told, unless one of them is gone', () => {
    const shared = (state: GraphNode['state']) => (id: string) => (id === 'fra2' ? { wantedId: 'fra1', state } : {})
    expect(rundown(grid(undefined, shared('up'))).headline).toBe(
      'Two nodes want to be called fra1; one is shown as fra2. Give one of them another id.',
    )
    expect(rundown(grid(undefined, shared('down'))).troubles.map(({ what }) => what)).toEqual(['fra2 is down'])
  })

  test('a node that was removed from its grid says so before all else', () => {
    const told = rundown(grid(), { by: 'fra1', atMs: Date.parse(SINCE) })
    expect(told).toMatchObject({
      well: false,
      headline: expect.stringContaining(`This node was removed from the grid on fra1 ${WHEN}.`) as string,
    })
  })

  test('200 nodes that all have trouble are told quickly', () => {
    const ids = Array.from({ length: 200 }, (_, i) => `n${String(i).padStart(3, '0')}`)
    const [some] = grid().nodes
    const nodes = ids.map((id, i) => ({ ...(some as GraphNode), id, site: `s${i % 10}` }))
    const links = ids.flatMap((from) => ids.filter((to) => to !== from).map((to) => link(from, to, { state: 'lossy' })))
    const startedAt = performance.now()
    expect(findings({ ...grid(), nodes, links })).toHaveLength(1)
    expect(performance.now() - startedAt).toBeLessThan(2_000)
  })

  test('as text it says what is not up, and stays short', () => {
    const text = statusText(
      rundown(grid((l) => (l.from === 'fra1' && l.to === 'nyc2' ? { state: 'one-way', dead: 'out', detail: 'no answer' } : {}))),
    )
    expect(text).toContain('nodes    5 of 5 up')
    expect(text).toContain(`  fra1 > nyc2  one-way (dead: out)  ${WHEN}  no answer`)
    const many = grid(() => ({ state: 'down' }))
    many.links = Array.from({ length: 100 }, (_, i) => link('fra1', `x${i}`, { state: 'down' }))
    expect(statusText(rundown(many))).toContain('and 60 more lines')
  })
})

describe('why', () => {
  const nobody: WhyContext = { at: AT, from: null, to: null, otherWay: null, viaOthers: [], points: [] }
  const points = Array.from({ length: 60 }, (_, i): SamplePoint => ({
    atMs: i,
    sent: 1,
    lost: i < 12 ? 1 : 0,
    rttMsMin: 1,
    rttMsP50: 1,
    rttMsMax: 1,
  }))

  test('a link that is down: since when, what was seen, and who else sees it', () => {
    const down = link('fra1', 'nyc1', { state: 'down', says: 'down', detail: 'no answer', rttMsP50: 12.4 })
    const viaOthers = [link('fra2', 'nyc1'), link('syd1', 'nyc1'), link('nyc2', 'nyc1')]
    expect(whySentences(down, { ...nobody, points, viaOthers, rttMsUsual: 12 })).toEqual([
      `fra1 gets no answer from nyc1 ${WHEN}.`,
      'The last probe said: no answer.',
      'In the last minute 60 probes went out; 12 got no answer (20 %).',
      'An answer took 12 ms; 12 ms is usual.',
      'Only fra1 has this trouble with nyc1: all 3 others reach it.',
      'It counts as up again after a few answers in a row; more of them if it keeps failing.',
    ])
  })

  test('nobody reaches it, or some do', () => {
    const down = link('fra1', 'nyc1', { state: 'down', says: 'down' })
    const lost = [link('fra2', 'nyc1', { state: 'down' }), link('syd1', 'nyc1', { state: 'stale' })]
    expect(whySentences(down, { ...nobody, viaOthers: lost })).toContain('Nobody reaches nyc1: 1 other node tried.')
    const mixed = [link('fra2', 'nyc1', { state: 'down' }), link('nyc2', 'nyc1')]
    expect(whySentences(down, { ...nobody, viaOthers: mixed })).toContain('1 of 2 others reach it; fra2 does not.')
  })

  test('a direction that another row revealed says where it comes from', () => {
    const told = whySentences(link('fra1', 'nyc1', { state: 'one-way', says: 'down', dead: 'in' }), nobody)
    expect(told[0]).toBe(`Packets from nyc1 to fra1 are lost ${WHEN}. The other way they arrive.`)
    expect(told).toContain('fra1 itself only knows that nothing comes back; nyc1 says that it hears fra1.')
  })

  test('a stale link says how long its node has been silent, and its last word', () => {
    const from = { ...(grid().nodes[0] as GraphNode), rowAgeMs: 125_000 }
    const told = whySentences(link('fra1', 'nyc1', { state: 'stale', says: 'up' }), { ...nobody, from })
    expect(told.slice(0, 2)).toEqual(['Nothing has been heard of fra1 for 2 min, so nobody can say.', 'Its last word was: up.'])
  })

  test('a degraded observer and a node that is down are told', () => {
    const [from, to] = grid(undefined, (id) => (id === 'fra1' ? { degraded: ['busy'] } : { state: 'down' })).nodes as [GraphNode, GraphNode]
    const told = whySentences(link('fra1', 'fra2', { state: 'down', says: 'down' }), { ...nobody, from, to })
    expect(told).toContain('fra1 is too busy to measure well, so its word counts less.')
    expect(told).toContain(`The grid holds fra2 for down ${WHEN}.`)
  })

  test('every state has words, and every line is a sentence', () => {
    for (const state of ['up', 'slow', 'lossy', 'partial', 'one-way', 'down', 'stale', 'unknown'] as const) {
      const told = whySentences(link('a', 'b', { state, says: state, dead: state === 'one-way' ? 'out' : null }), { ...nobody, points })
      for (const line of told) expect(line).toMatch(/^[^ ].*[^ ]\.$/)
    }
  })
})

describe('timeline', () => {
  const told = (event: JournalEvent) => timelineText({ seq: 1, at: AT, hash: '', event })
  const changed = {
    type: 'link.changed',
    fromNode: 'a',
    toName: 'b',
    toType: 'node',
    kind: 'udp',
    dead: null,
    detail: 'no answer',
  } as const
  const member = { type: 'member.changed', identity: '0'.repeat(32) as GraphNode['identity'], id: 'a', site: 'fra' } as const

  test.each([
    [{ ...changed, from: 'up', to: 'down' }, 'bad', 'a to b: down, was up (no answer).'],
    [{ ...changed, from: 'down', to: 'up' }, 'good', 'a reaches b again; it was down.'],
    [
      { ...changed, from: 'down', to: 'one-way', dead: 'in', detail: null },
      'bad',
      'Packets from b to a are lost; the other way they arrive.',
    ],
    [{ ...changed, from: 'up', to: 'unknown', detail: null }, 'plain', 'a to b: unknown, was up.'],
    [{ ...member, from: null, to: 'up' }, 'good', 'a (site fra) joined.'],
    [{ ...member, from: 'up', to: 'suspect' }, 'plain', 'a has gone quiet; the others are asking it again.'],
    [{ ...member, from: 'suspect', to: 'down' }, 'bad', 'a is down.'],
    [{ ...member, from: 'down', to: 'up' }, 'good', 'a is back.'],
    [{ type: 'observer.degraded', id: 'a', reasons: ['busy', 'hears-nobody'] }, 'bad', 'a is too busy to measure well and hears nobody.'],
    [{ type: 'observer.degraded', id: 'a', reasons: [] }, 'good', 'a can trust its own measurements again.'],
    [{ type: 'fault.switched', fault: 'unplug-nyc2', on: true }, 'plain', 'Simulated fault unplug-nyc2 switched on.'],
  ] satisfies [JournalEvent, string, string][])('%j is %s', (event, tone, text) => {
    expect(told(event)).toEqual({ text, tone })
  })
})

describe('a link that nobody can probe', () => {
  const to: GraphNode = { ...(grid().nodes[4] as GraphNode), callsOut: true, rowAgeMs: 2_000 }
  const context: WhyContext = { at: AT, from: null, to, otherWay: null, viaOthers: [], points: [], lines: ['fra1', 'nyc1'] }
  const unknown = (detail: string): GraphLink =>
    link('fra2', 'syd1', { state: 'unknown', says: 'unknown', since: null, rttMsP50: null, detail })

  test('says why, that the node is alive, and over whom it is heard', () => {
    expect(whySentences(unknown(LINK_DETAILS.callsOut), context)).toEqual([
      'syd1 only calls out, so nobody can probe it, and fra2 cannot either.',
      'syd1 is alive: it was heard 2 s ago.',
      'syd1 keeps 2 lines open, over which it hears and is heard: to fra1 and nyc1.',
    ])
  })

  test('is told from its own side too', () => {
    const there = { ...context, to: null, lines: [] }
    const [noUdp] = whySentences(unknown(`${LINK_DETAILS.noDatagrams}; ${LINK_DETAILS.line}`), there)
    expect(noUdp).toBe('fra2 only calls out and no UDP comes through to it, so it cannot probe syd1.')
    const [old] = whySentences(unknown(LINK_DETAILS.oldVersion), { ...there, otherWay: unknown(LINK_DETAILS.callsOut) })
    expect(old).toBe('fra2 only calls out, and the version that syd1 runs answers no probes of such a node.')
  })
})
