import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type {
  Doctor,
  Graph,
  GraphLink,
  GraphNode,
  History,
  Invitation,
  Keys,
  LinkState,
  Rundown,
  Targets,
  TimelineEntry,
  Why,
} from '../../src/contract/index.ts'

/** An API that answers as a node would, so that the command line can be tried without one. */
export type FakeNode = {
  readonly url: string
  /** Data folder with node.json and token, as a running node leaves it. */
  readonly dataDir: string
  /** Requests so far: "GET /api/graph". */
  readonly requests: string[]
  /** What was said in those that said something, as JSON. */
  readonly bodies: unknown[]
  /** What to answer, by "GET /api/graph"; null closes the connection. */
  readonly answers: Map<string, unknown>
  close(): Promise<void>
}

export const FAKE_TOKEN = 'a-token-that-nobody-can-guess'
const AT = '2026-01-01T00:03:00.000Z'
const SINCE = '2026-01-01T00:00:00.000Z'

const node = (id: string, site: string, self: boolean): GraphNode => ({
  id,
  identity: id.charCodeAt(0).toString(16).repeat(16) as GraphNode['identity'],
  site,
  state: 'up',
  since: SINCE,
  address: '10.0.0.1:8777',
  program: '0.1.0',
  incarnation: 1,
  rowVersion: 7,
  rowAgeMs: 1_200,
  degraded: [],
  wantedId: null,
  callsOut: false,
  lies: [],
  self,
})

const link = (from: string, to: string, more: Partial<GraphLink> = {}): GraphLink => ({
  from,
  to,
  toType: 'node',
  kind: 'udp',
  state: 'up',
  says: 'up',
  dead: null,
  since: SINCE,
  lossRatio: 0,
  rttMsP50: 1.25,
  detail: null,
  ...more,
})

const oneWay = link('fra-1', 'ams-2', { state: 'one-way', says: 'one-way', dead: 'in', lossRatio: 1, rttMsP50: null })
const shopDown = link('ams-2', 'shop', { toType: 'target', kind: 'http', state: 'down', says: 'down', detail: 'status 503, wanted 200' })
const shopUp = link('fra-1', 'shop', { toType: 'target', kind: 'http' })

export const fakeGraph: Graph = {
  hash: '0123456789abcdef0123456789abcdef',
  at: AT,
  grid: 'calm-otter',
  self: 'fra-1',
  simulated: false,
  nodes: [node('fra-1', 'fra', true), node('ams-2', 'ams', false)],
  targets: [{ id: 'shop', kind: 'http', address: 'https://shop.example/', site: null }],
  links: [oneWay, link('ams-2', 'fra-1'), shopDown, shopUp],
}

export const fakeRundown: Rundown = {
  well: false,
  headline: 'Nothing comes back from ams-2 to fra-1',
  at: AT,
  self: 'fra-1',
  hash: fakeGraph.hash,
  counts: { nodes: 2, nodesUp: 2, targets: 1, targetsUp: 0, links: 4, linksTroubled: 2 },
  troubles: [],
  nodes: [],
  links: [oneWay, shopDown],
}

export const fakeWhy: Why = {
  link: oneWay,
  sentences: ['60 of 60 probes in the last minute had no answer.', 'ams-2 hears fra-1, so the way there is fine.'],
  otherWay: link('ams-2', 'fra-1'),
  viaOthers: [],
  points: [1, 2, null].map((ms, i) => ({ atMs: i * 1_000, sent: 1, lost: ms === null ? 1 : 0, rttMsMin: ms, rttMsP50: ms, rttMsMax: ms })),
}

/** The day before AT: lost for four minutes, four hours ago. */
const minuteMs = (minute: number): number => Date.parse(AT) - (1_440 - minute) * 60_000
const turn = (seq: number, minute: number, from: LinkState, to: LinkState): TimelineEntry => ({
  seq,
  at: new Date(minuteMs(minute)).toISOString(),
  text: `${from} ${to}`,
  tone: 'plain',
  event: { type: 'link.changed', fromNode: 'fra-1', toName: 'ams-2', toType: 'node', kind: 'udp', from, to, dead: null, detail: null },
})
export const fakeHistory: History = {
  from: 'fra-1',
  to: 'ams-2',
  stepMs: 60_000,
  points: Array.from({ length: 1_440 }, (_, minute) => {
    const ms = minute >= 1_200 && minute < 1_204 ? null : 1 + (minute % 3)
    return { atMs: minuteMs(minute), sent: 60, lost: ms === null ? 60 : 0, rttMsMin: ms, rttMsP50: ms, rttMsMax: ms }
  }),
  turns: [turn(7, 1_200, 'up', 'down'), turn(8, 1_204, 'down', 'up')],
}

export const fakeTargets: Targets = {
  targets: [{ id: 'shop', kind: 'http', address: 'https://shop.example/', site: null, links: [shopDown, shopUp] }],
}
export const fakeInvitation: Invitation = {
  command: 'midwatch join mw1.AbCdEfGh',
  token: 'mw1.AbCdEfGh',
  expiresAt: '2026-01-01T00:13:00.000Z',
}
export const fakeKeys: Keys = {
  grid: '0123abcd',
  generation: 2,
  key: '0123456789abcdef',
  since: SINCE,
  by: 'fra-1',
  waiting: [],
  removed: [{ identity: 'ab'.repeat(16) as GraphNode['identity'], id: 'old-1', by: 'fra-1', at: SINCE }],
}
const fakeDoctor: Doctor = { checks: [{ name: 'store', ok: true, found: '3 MB of 512 MB', next: null }] }

export async function startFakeNode(): Promise<FakeNode> {
  const requests: string[] = []
  const bodies: unknown[] = []
  const answers = new Map<string, unknown>([
    ['GET /api/status', fakeRundown],
    ['GET /api/graph', fakeGraph],
    ['GET /api/nodes', { nodes: fakeGraph.nodes }],
    ['GET /api/targets', fakeTargets],
    ['GET /api/why', fakeWhy],
    ['GET /api/history', fakeHistory],
    ['GET /api/doctor', fakeDoctor],
    ['POST /api/invite', fakeInvitation],
    ['POST /api/leave', {}],
    ['GET /api/keys', fakeKeys],
    ['POST /api/keys', { ...fakeKeys, waiting: ['ams-2'] }],
    ['POST /api/console-link', { url: 'http://127.0.0.1:1/open/code' }],
  ])
  const server = createServer((request, response) => {
    const path = (request.url ?? '').replace(/\?.*/, '')
    requests.push(`${request.method} ${request.url}`)
    let said = ''
    request.setEncoding('utf8').on('data', (text: string) => (said += text))
    request.on('end', () => said !== '' && bodies.push(JSON.parse(said)))
    const answer = answers.get(`${request.method} ${path}`)
    if (answer === null) return request.socket.destroy()
    const [status, body] = refusal(request, answer) ?? [200, answer]
    response.writeHead(status, { 'content-type': 'application/json' }).end(typeof body === 'string' ? body : JSON.stringify(body))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const dataDir = await mkdtemp(join(tmpdir(), 'midwatch-fake-'))
  const file = { url, pid: process.pid, id: 'fra-1', startedAt: SINCE }
  await writeFile(join(dataDir, 'node.json'), JSON.stringify(file), { mode: 0o600 })
  await writeFile(join(dataDir, 'token'), `${FAKE_TOKEN}\n`, { mode: 0o600 })
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    await new Promise((done) => server.close(done))
    await rm(dataDir, { recursive: true, force: true })
  }
  return { url, dataDir, requests, bodies, answers, close }
}

function refusal(request: IncomingMessage, answer: unknown): [status: number, body: unknown] | null {
  const error = (code: string, message: string): unknown => ({ error: { code, message, next: 'x' } })
  if (request.headers.authorization !== `Bearer ${FAKE_TOKEN}`) return [401, error('MW_TOKEN', 'No token.')]
  if (answer === undefined) return [404, error('MW_NOT_FOUND', 'Nothing there.')]
  if (request.url?.includes('from=nobody')) return [404, error('MW_UNKNOWN_NAME', 'There is no node "nobody".')]
  return null
}
