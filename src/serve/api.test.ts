import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  ApiError,
  ConsoleLink,
  Demo,
  Doctor,
  Graph,
  History,
  Invitation,
  Keys,
  LIMITS,
  MidwatchError,
  Nodes,
  Past,
  Rundown,
  Targets,
  Timeline,
  Why,
} from '../contract/index.ts'
import {
  BEARER,
  TOKEN,
  ask,
  fakeGraph,
  graphLink,
  startServer,
  type Answer,
  type AskOptions,
  type TestServer,
} from '../../test/support/serve-fixture.ts'

let server: TestServer
let unexpected: unknown[]
beforeEach(async () => {
  unexpected = []
  server = await startServer({ unexpected: (error) => unexpected.push(error) })
})
afterEach(() => server.close())

const call = (path: string, options: AskOptions = {}): Promise<Answer> =>
  ask(server, path, { ...options, headers: { ...BEARER, ...options.headers } })
const post = (path: string, body: unknown): Promise<Answer> =>
  call(path, { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } })

describe('answers fit their schemas', () => {
  it.each([
    ['/api/graph', Graph],
    ['/api/status', Rundown],
    ['/api/nodes', Nodes],
    ['/api/targets', Targets],
    ['/api/why?from=a&to=c', Why],
    ['/api/history?from=a&to=c&window=1h', History],
    ['/api/timeline', Timeline],
    ['/api/past', Past],
    ['/api/graph?at=2026-03-01T03:20:00Z', Graph],
    ['/api/doctor', Doctor],
    ['/api/demo', Demo],
  ])('GET %s', async (path, schema) => {
    const answer = await call(path)
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toMatch(/^application\/json/)
    expect(answer.headers['cache-control']).toBe('no-store')
    schema.parse(answer.json())
  })

  it('POST /api/invite makes an invitation', async () => {
    Invitation.parse((await post('/api/invite', {})).json())
  })

  it('POST /api/leave leaves, without a body too', async () => {
    const answer = await call('/api/leave', { method: 'POST' })
    expect(answer.status).toBe(200)
    expect(answer.json()).toEqual({})
    expect(server.node.calls).toContain('leave')
  })

  it('GET /api/keys tells the key by its name, POST changes it', async () => {
    expect(Keys.parse((await call('/api/keys')).json()).waiting).toEqual(['c'])
    expect(Keys.parse((await post('/api/keys', { remove: 'c', force: true })).json()).generation).toBe(3)
    expect(server.node.calls).toContain('keys {"remove":"c","force":true}')
    const answers = [await post('/api/keys', { remove: 'nobody' }), await post('/api/keys', {})]
    expect(answers.map(({ status, text }) => [status, /MW_\w+/.exec(text)?.[0]])).toEqual([
      [404, 'MW_UNKNOWN_NAME'],
      [409, 'MW_OLD_NODES'],
    ])
  })

  it('POST /api/demo switches a fault', async () => {
    const answer = await post('/api/demo', { id: 'cut', on: true })
    expect(Demo.parse(answer.json()).faults[0]?.on).toBe(true)
    expect(server.node.calls).toContain('demo cut true')
  })

  it('POST /api/console-link answers a link to where the request came in', async () => {
    const answer = await call('/api/console-link', { method: 'POST', headers: { Host: `localhost:${server.port}` } })
    const { url } = ConsoleLink.parse(answer.json())
    expect(url).toBe(server.serve.consoleLink(`http://localhost:${server.port}/`))
    expect(url).not.toContain(TOKEN)
  })
})

describe('queries', () => {
  it('takes the defaults', async () => {
    await call('/api/timeline')
    await call('/api/history?from=a&to=b')
    expect(server.node.calls).toEqual(['timeline {"limit":100}', 'history 15m'])
  })

  it('passes limit and before on as numbers', async () => {
    await call('/api/timeline?limit=7&before=40')
    expect(server.node.calls).toEqual(['timeline {"limit":7,"before":40}'])
  })

  it('passes times on as moments, whatever their zone', async () => {
    const answer = await call('/api/graph?at=2026-03-01T04:20:00%2B01:00')
    expect(Graph.parse(answer.json()).at).toBe('2026-03-01T03:20:00.000Z')
    await call('/api/past')
    await call('/api/past?from=2026-03-01T03:00:00Z&to=2026-03-01T04:00:00.5Z')
    await call('/api/timeline?until=2026-03-01T03:00:00Z')
    const threeMs = Date.parse('2026-03-01T03:00:00Z')
    expect(server.node.calls.slice(1)).toEqual([
      'past null null',
      `past ${threeMs} ${threeMs + 3_600_500}`,
      `timeline {"limit":100,"untilMs":${threeMs}}`,
    ])
  })

  it.each([
    ['/api/why?from=a', 'to'],
    ['/api/graph?at=yesterday', 'at'],
    ['/api/graph?at=2026-02-30T03:20:00Z', 'at'],
    ['/api/past?to=12', 'to'],
    ['/api/timeline?until=', 'until'],
    ['/api/why?from=a&to=%00', 'to'],
    ['/api/history?from=a&to=b&window=2y', 'window'],
    [`/api/timeline?limit=${LIMITS.timelineEntries + 1}`, 'limit'],
    ['/api/timeline?limit=many', 'limit'],
    ['/api/timeline?before=0', 'before'],
    [`/api/why?to=a&from=${'x'.repeat(LIMITS.labelChars + 1)}`, 'from'],
  ])('refuses %s and names the field', async (path, field) => {
    const answer = await call(path)
    expect(answer.status).toBe(400)
    const { error } = ApiError.parse(answer.json())
    expect(error.code).toBe('MW_BAD_REQUEST')
    expect(error.message).toMatch(new RegExp(`^${field}: `))
  })
})

describe('failures', () => {
  const codeOf = (answer: Answer): string => ApiError.parse(answer.json()).error.code

  it('names that do not exist are MW_UNKNOWN_NAME', async () => {
    const answer = await call('/api/why?from=a&to=nowhere')
    expect([answer.status, codeOf(answer)]).toEqual([404, 'MW_UNKNOWN_NAME'])
  })

  it('a time of which nothing is kept is MW_NO_PAST', async () => {
    const answer = await call('/api/graph?at=2020-01-01T00:00:00Z')
    expect([answer.status, codeOf(answer)]).toEqual([404, 'MW_NO_PAST'])
  })

  it('an unknown path is MW_NOT_FOUND, whatever the method', async () => {
    for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const answer = await call('/api/none', { method })
      expect([method, answer.status, codeOf(answer)]).toEqual([method, 404, 'MW_NOT_FOUND'])
    }
  })

  it('what nobody expected is told to the node, not to the client', async () => {
    server.node.calls.push('break')
    const answer = await call('/api/doctor')
    expect([answer.status, codeOf(answer)]).toEqual([500, 'MW_INTERNAL'])
    expect(answer.text).not.toContain('secret')
    expect(unexpected).toHaveLength(1)
  })

  it.each([
    ['MW_LIMIT', 429],
    ['MW_STORE', 503],
    ['MW_IN_GRID', 409],
    ['MW_CONFIG', 500],
  ] as const)('%s from the node is status %d', async (code, status) => {
    server.node.invite = () => Promise.reject(new MidwatchError(code, 'for a reason'))
    const answer = await post('/api/invite', {})
    expect([answer.status, codeOf(answer)]).toEqual([status, code])
  })

  it('without a demo there are no faults', async () => {
    server.node.demo = null
    for (const answer of [await call('/api/demo'), await post('/api/demo', { id: 'cut', on: true })]) {
      expect([answer.status, codeOf(answer)]).toEqual([404, 'MW_NOT_FOUND'])
    }
  })
})

describe('bodies', () => {
  it('a body beyond the limit is refused, announced or not', async () => {
    const body = JSON.stringify({ id: 'x'.repeat(LIMITS.apiBodyBytes), on: true })
    const announced = await call('/api/demo', { method: 'POST', body, headers: { 'Content-Type': 'application/json' } })
    const chunked = await call('/api/demo', {
      method: 'POST',
      body,
      headers: { 'Content-Type': 'application/json', 'Transfer-Encoding': 'chunked' },
    })
    for (const answer of [announced, chunked]) {
      expect(answer.status).toBe(413)
      expect(ApiError.parse(answer.json()).error.code).toBe('MW_LIMIT')
    }
    expect(server.node.calls).toEqual([])
  })

  it.each([
    ['{"id":"cut"', 'application/json', 400],
    ['{"id":"cut"}', 'application/json', 400],
    ['{"id":"cut","on":"yes"}', 'application/json', 400],
    ['', 'application/json', 400],
    ['id=cut&on=true', 'application/x-www-form-urlencoded', 415],
    ['{"id":"cut","on":true}', 'text/plain', 415],
  ])('refuses %j as %s', async (body, type, status) => {
    const answer = await call('/api/demo', { method: 'POST', body, headers: { 'Content-Type': type } })
    expect(answer.status).toBe(status)
    expect(ApiError.parse(answer.json()).error.code).toBe('MW_BAD_REQUEST')
    expect(server.node.calls).toEqual([])
  })
})

describe('health', () => {
  it('answers without a token, for any host', async () => {
    const answer = await ask(server, '/healthz', { headers: { Host: 'elsewhere.example' } })
    expect([answer.status, answer.text]).toEqual([200, 'ok\n'])
  })

  it('answers a probe of HTTP/1.0 that names no host', async () => {
    const text = await new Promise<string>((resolve, reject) => {
      const socket = connect(server.port, '127.0.0.1', () => socket.write('GET /healthz HTTP/1.0\r\n\r\n'))
      let got = ''
      socket.on('data', (chunk: Buffer) => (got += chunk.toString()))
      socket.on('error', reject)
      socket.on('close', () => resolve(got))
    })
    expect(text).toMatch(/^HTTP\/1\.1 200 /)
  })

  it('says what a node that is not ready waits for', async () => {
    expect((await ask(server, '/readyz')).status).toBe(200)
    server.node.isReady = false
    const answer = await ask(server, '/readyz')
    expect([answer.status, answer.text]).toEqual([503, 'not ready: the first probe\n'])
  })
})

it('says nothing on the console, even when a client leaves in the middle of an answer', async () => {
  const words = ['log', 'info', 'warn', 'error'].map((method) => vi.spyOn(console, method as 'log').mockImplementation(() => {}))
  try {
    server.node.current = fakeGraph({ links: Array.from({ length: 30_000 }, (_, i) => graphLink('a', `n${i}`)) })
    const before = server.node.graphs
    const socket = connect(server.port, '127.0.0.1', () => {
      socket.write(`GET /api/graph HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`)
    })
    await new Promise((resolve) => socket.once('data', resolve))
    socket.destroy()
    expect(server.node.graphs).toBe(before + 1)
    server.node.current = fakeGraph()
    await vi.waitUntil(async () => /^midwatch_http_connections 1$/m.test((await call('/metrics')).text))
    expect(words.flatMap((word) => word.mock.calls)).toEqual([])
    expect(unexpected).toEqual([])
  } finally {
    for (const word of words) word.mockRestore()
  }
})

describe('the OpenAPI document', () => {
  it('lists every route with its schema, and every reference leads somewhere', async () => {
    const answer = await call('/api/openapi.json')
    const document = answer.json() as { openapi: string; paths: Record<string, Record<string, unknown>>; components: { schemas: object } }
    expect(document.openapi).toBe('3.1.0')
    const listed = Object.entries(document.paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`))
    expect(listed.toSorted()).toEqual([
      'get /api/demo',
      'get /api/doctor',
      'get /api/events',
      'get /api/graph',
      'get /api/history',
      'get /api/keys',
      'get /api/nodes',
      'get /api/openapi.json',
      'get /api/past',
      'get /api/status',
      'get /api/targets',
      'get /api/timeline',
      'get /api/why',
      'get /healthz',
      'get /metrics',
      'get /readyz',
      'post /api/console-link',
      'post /api/demo',
      'post /api/invite',
      'post /api/keys',
      'post /api/leave',
    ])
    const names = new Set(Object.keys(document.components.schemas))
    const references = [...answer.text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map((match) => match[1] as string)
    expect(references.filter((name) => !names.has(name))).toEqual([])
    for (const name of [
      'ApiError',
      'Demo',
      'Doctor',
      'Graph',
      'GraphLink',
      'History',
      'Invitation',
      'Nodes',
      'Rundown',
      'Targets',
      'Timeline',
      'Why',
    ]) {
      expect(references).toContain(name)
    }
    for (const [, pattern] of answer.text.matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)) {
      expect(JSON.parse(pattern as string)).not.toMatch(/\/u$/)
    }
  })

  it('describes a nullable word by reference', async () => {
    const document = (await call('/api/openapi.json')).json() as { components: { schemas: { Why: { properties: { otherWay: unknown } } } } }
    expect(document.components.schemas.Why.properties.otherWay).toEqual({
      anyOf: [{ $ref: '#/components/schemas/GraphLink' }, { type: 'null' }],
      description: 'the link in the other direction, between nodes',
    })
  })
})
