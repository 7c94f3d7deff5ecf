import { connect } from 'node:net'
import * as fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { LIMITS } from '../../src/contract/index.ts'
import { ask, BEARER, listen, startServer, TOKEN, type Listener, type TestServer } from '../support/serve-fixture.ts'
import { until } from '../support/until.ts'
import { fuzz, heapBytes } from './support/fuzz.ts'
import { anyBytes, damaged } from './support/inputs.ts'

let server: TestServer
const strange: unknown[] = []

beforeAll(async () => {
  server = await startServer({
    bounds: { headersTimeoutMs: 300, requestTimeoutMs: 300, checkEveryMs: 100 },
    unexpected: (error) => strange.push(error),
  })
})
afterAll(() => server.close())
afterEach(() => expect(strange.splice(0)).toEqual([]))

/** Says these bytes on a connection of its own and gives what came back by the time it was closed. */
function exchange(input: Uint8Array, withinMs = 5_000): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, '127.0.0.1')
    const chunks: Buffer[] = []
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`not closed within ${withinMs} ms`))
    }, withinMs)
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    // Hanging up on who still speaks resets the connection.
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(Buffer.concat(chunks).toString('latin1'))
    })
    socket.end(input)
  })
}

const asBytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))
const statusesOf = (answer: string): number[] => [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status))
const refusals = (): number => Object.values(server.serve.refusals()).reduce((sum, { count }) => sum + count, 0)

const HEAD = `Host: 127.0.0.1\r\nConnection: close\r\n`
const SAMPLES = [
  `GET /api/graph HTTP/1.1\r\n${HEAD}Authorization: Bearer ${TOKEN}x\r\n\r\n`,
  `GET /?code=abc HTTP/1.1\r\n${HEAD}Cookie: midwatch=abc; midwatch=def\r\n\r\n`,
  `POST /api/demo HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nContent-Length: 21\r\n\r\n{"id":"cut","on":tru}`,
  `POST /api/demo HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\n{"id"\r\n0\r\n\r\n`,
  `GET /api/why?from=a&to=b HTTP/1.1\r\n${HEAD}Origin: http://evil.example\r\n\r\n`,
].map(asBytes)

describe('what comes on the HTTP port', { timeout: 60_000 }, () => {
  it('is answered or refused, tells nothing without the token, and leaves nothing open', async () => {
    const path = fc.oneof(
      fc.webUrl({ withQueryParameters: true }).map((url) => new URL(url).pathname),
      fc
        .array(fc.constantFrom('..', '.', '%2e%2e', '%2f', '\\', '', 'api', 'graph', 'assets', '%00', '~', ';', 'index.html'))
        .map((parts) => `/${parts.join('/')}`),
      fc.string({ maxLength: 40 }),
    )
    const header = fc.tuple(
      fc.constantFrom(
        'Authorization',
        'Cookie',
        'Content-Length',
        'Transfer-Encoding',
        'Content-Type',
        'Origin',
        'Sec-Fetch-Site',
        'Last-Event-ID',
        'Range',
        'X',
      ),
      fc.oneof(
        fc.string({ maxLength: 60 }),
        fc.constantFrom('Bearer ', 'Bearer x', 'chunked', 'gzip', '-1', '99999999999', 'null', 'same-origin', 'bytes=0-'),
      ),
    )
    const request = fc
      .tuple(
        fc.constantFrom('GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS', 'FOO'),
        path,
        fc.array(header, { maxLength: 6 }),
        fc.string({ maxLength: 60 }),
      )
      .map(([method, target, headers, body]) =>
        asBytes(`${method} ${target} HTTP/1.1\r\n${HEAD}${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`),
      )
    const inputs = fc.oneof({ arbitrary: request, weight: 3 }, damaged(SAMPLES), anyBytes(400))
    const run = (): Promise<void> =>
      fuzz('http', inputs, 150, async (input) => {
        const before = refusals()
        const answer = await exchange(input)
        const statuses = statusesOf(answer)
        for (const status of statuses) expect(status).toBeLessThan(500)
        expect(answer).not.toMatch(/"identity"|node_modules|\.ts:\d/)
        // What is neither answered well nor redirected is counted; of no bytes there is nothing to say.
        if (input.length > 0 && !statuses.some((status) => status < 400)) await until('it is counted', () => refusals() > before, 2_000, 2)
      })
    await run()
    const before = await heapBytes()
    await run()
    expect((await heapBytes()) - before).toBeLessThan(8 * 2 ** 20)
    await until('all is closed', async () => (await openConnections()) === 0)
    expect((await ask(server, '/api/graph', { headers: BEARER })).status).toBe(200)
  })

  it('that is too long or too slow is cut', async () => {
    const long = await exchange(asBytes(`GET / HTTP/1.1\r\n${HEAD}X: ${'x'.repeat(20_000)}\r\n\r\n`))
    expect(statusesOf(long)).toEqual([431])
    const body = `POST /api/demo HTTP/1.1\r\n${HEAD}Authorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\n`
    const big = JSON.stringify({ id: 'x'.repeat(LIMITS.apiBodyBytes), on: true })
    expect(statusesOf(await exchange(asBytes(`${body}Content-Length: ${big.length}\r\n\r\n${big}`)))).toEqual([413])
    const chunks = `${big.length.toString(16)}\r\n${big}\r\n0\r\n\r\n`
    expect(statusesOf(await exchange(asBytes(`${body}Transfer-Encoding: chunked\r\n\r\n${chunks}`)))).toEqual([413])
    // A body that never ends, without hanging up.
    const socket = connect(server.port, '127.0.0.1')
    const closed = new Promise((resolve) => socket.on('close', resolve))
    socket.on('error', () => {}).resume()
    socket.write(`${body}Content-Length: 60000\r\n\r\n{`)
    await closed
  })

  it('as a flood of event clients gets no further than the bound, and makes room again', async () => {
    const clients: Listener[] = []
    try {
      for (let n = 0; n < LIMITS.eventClients + 5; n++) clients.push(await listen(server))
      expect(clients.filter(({ status }) => status === 200)).toHaveLength(LIMITS.eventClients)
      expect(clients.filter(({ status }) => status === 429)).toHaveLength(5)
    } finally {
      for (const client of clients) client.close()
    }
    await until('all have gone', async () => (await openConnections()) === 0)
    const again = await listen(server)
    expect(again.status).toBe(200)
    again.close()
  })
})

/** Other than the one that asks. */
async function openConnections(): Promise<number> {
  const { text } = await ask(server, '/metrics', { headers: BEARER })
  return Number(/^midwatch_http_connections (\d+)$/m.exec(text)?.[1]) - 1
}
