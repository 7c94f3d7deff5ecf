import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Graph, type GraphLink, History, Past } from '../../src/contract/index.ts'
import { startGrid, type RealGrid, type RealNode } from '../support/nodes.ts'
import { until } from '../support/until.ts'

// Nodes as people run them, a service that fails, and the graph of before.

let shop: Server
let isOpen = true
let grid: RealGrid
let a: RealNode
beforeAll(async () => {
  shop = createServer((_, response) => response.writeHead(isOpen ? 200 : 503).end())
  await new Promise<void>((done) => shop.listen(0, '127.0.0.1', done))
  const target = { kind: 'http', name: 'shop', url: `http://127.0.0.1:${(shop.address() as AddressInfo).port}/`, every: '200ms' }
  grid = await startGrid([
    { id: 'a', site: 's1', targets: [target] },
    { id: 'b', site: 's2' },
  ])
  a = grid.nodes[0] as RealNode
}, 60_000)
afterAll(async () => {
  await grid?.close()
  shop.closeAllConnections()
  await new Promise((done) => shop.close(done))
})

const ask = async (words: readonly string[]): Promise<unknown> => JSON.parse(await a.command(...words, '--json'))
const graphOf = async (...words: string[]): Promise<Graph> => Graph.parse(await ask(['graph', ...words]))
const shopLink = ({ links }: Graph): GraphLink | undefined => links.find(({ to }) => to === 'shop')
const api = async (path: string): Promise<unknown> => {
  const token = (await a.command('token')).trim()
  return (await fetch(new URL(path, a.url), { headers: { authorization: `Bearer ${token}` } })).json()
}

/** Changes of a node within a second are kept as one. */
const MOMENT_MS = 1_500

test('the graph before and after a service failed, its history, and the gap after a kill', { timeout: 120_000 }, async () => {
  const settled = async (state: string): Promise<Graph> => {
    let graph: Graph | null = null
    let changed = { hash: '', atMs: 0 }
    await until(
      `shop is ${state}, and has been so for longer than a moment of the past lasts`,
      async () => {
        graph = await graphOf()
        if (graph.hash !== changed.hash) changed = { hash: graph.hash, atMs: Date.now() }
        return (
          Date.now() - changed.atMs > MOMENT_MS &&
          shopLink(graph)?.state === state &&
          graph.links.filter(({ toType }) => toType === 'node').every((link) => link.state === 'up') &&
          graph.links.length === 3
        )
      },
      30_000,
    )
    return graph as unknown as Graph
  }
  const up = await settled('up')
  isOpen = false
  const down = await settled('down')

  // What was is shown as it was, hash included, while the live graph goes on.
  const before = await graphOf('--at', up.at)
  expect(before).toMatchObject({ hash: up.hash, at: up.at, grid: up.grid, self: 'a' })
  expect(before.links.map(({ from, to, state, since }) => [from, to, state, since])).toEqual(
    up.links.map(({ from, to, state, since }) => [from, to, state, since]),
  )
  const after = await graphOf('--at', down.at)
  expect([after.hash, shopLink(after)?.state, shopLink(after)?.detail]).toEqual([down.hash, 'down', 'status 503, wanted 200-399'])
  expect(await a.command('graph', '--at', up.at)).toMatch(/^As it was on \w+day \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(UTC.*\), \d+ s ago\n/)

  const history = History.parse(await ask(['history', 'a', 'shop', '--window', '15m']))
  expect(history.turns.map(({ event }) => event.type === 'link.changed' && event.to)).toEqual(['up', 'down'])
  expect(await a.command('history', 'a', 'shop', '--window', '15m')).toMatch(/^a → shop: up .* of the last 15 minutes, 1 outage of \d+ s/)

  const past = Past.parse(await api('/api/past'))
  expect(Date.parse(past.from ?? '')).toBeLessThanOrEqual(Date.parse(up.at))
  expect(past.moments.filter(({ bad }) => bad > 0).length).toBeGreaterThan(0)

  // Killed: what was known is known still, and of the time in between it says that nobody looked.
  await a.kill()
  await new Promise((done) => setTimeout(done, 4_000))
  const betweenMs = Date.now() - 2_000
  isOpen = true
  await a.startAgain()
  expect(shopLink(await graphOf('--at', up.at))?.state).toBe('up')
  expect(await api(`/api/graph?at=${new Date(betweenMs).toISOString()}`)).toMatchObject({
    error: {
      code: 'MW_NO_PAST',
      message: expect.stringMatching(/^This node was not running from .* to .*\. The past reaches back to /) as string,
    },
  })
  await settled('up')
})
