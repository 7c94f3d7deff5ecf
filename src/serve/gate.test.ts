import type { IncomingMessage } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ApiError, MidwatchError } from '../contract/index.ts'
import { systemClock, systemRandomness, type Clock } from '../platform/index.ts'
import { BEARER, TOKEN, ask, listen, startServer, type Answer, type AskOptions, type TestServer } from '../../test/support/serve-fixture.ts'
import { createCredentials } from './credentials.ts'
import { createGate } from './gate.ts'

const codeOf = (answer: Answer): string => ApiError.parse(answer.json()).error.code
const PROTECTED = [
  ['GET', '/api/graph'],
  ['GET', '/api/status'],
  ['GET', '/api/nodes'],
  ['GET', '/api/targets'],
  ['GET', '/api/why?from=a&to=c'],
  ['GET', '/api/history?from=a&to=c'],
  ['GET', '/api/timeline'],
  ['GET', '/api/doctor'],
  ['GET', '/api/demo'],
  ['GET', '/api/events'],
  ['GET', '/api/openapi.json'],
  ['GET', '/api/none'],
  ['GET', '/metrics'],
  ['POST', '/api/invite'],
  ['POST', '/api/leave'],
  ['POST', '/api/console-link'],
  ['POST', '/api/demo'],
] as const

describe('over loopback', () => {
  let server: TestServer
  let cookie: string
  beforeEach(async () => {
    server = await startServer({ hosts: ['watch.example:443', 'Other.Example'] })
    cookie = await signIn()
  })
  afterEach(() => server.close())

  async function signIn(headers: Record<string, string> = {}): Promise<string> {
    const answer = await ask(server, new URL(server.serve.consoleLink(server.url)).pathname, { headers })
    return (answer.headers['set-cookie']?.[0] ?? '').split(';')[0] as string
  }
  const withCookie = (path: string, options: AskOptions = {}): Promise<Answer> =>
    ask(server, path, { ...options, headers: { Cookie: cookie, ...options.headers } })
  const own = (): string => `http://127.0.0.1:${server.port}`

  it.each(PROTECTED)('%s %s needs the token', async (method, path) => {
    const wrong: Record<string, string>[] = [
      {},
      { Authorization: 'Bearer' },
      { Authorization: `Bearer ${TOKEN}x` },
      { Authorization: `Bearer ${TOKEN.slice(1)}` },
      { Authorization: `Basic ${TOKEN}` },
      { Authorization: TOKEN },
      { Cookie: `midwatch=${TOKEN}` },
      { Cookie: `${cookie.split('=')[0]}=${TOKEN}` },
      { Cookie: `${cookie.slice(0, -2)}xx` },
      { Cookie: cookie, Authorization: 'Bearer wrong' },
      { 'X-Forwarded-For': '127.0.0.1' },
    ]
    for (const headers of wrong) {
      const answer = await ask(server, path, { method, headers })
      expect([headers, answer.status, codeOf(answer)]).toEqual([headers, 401, 'MW_TOKEN'])
      expect(answer.headers['www-authenticate']).toBe('Bearer')
      expect(answer.text).not.toContain(TOKEN)
    }
    expect(server.node.calls).toEqual([])
  })

  it('never takes the token from a query', async () => {
    for (const path of [`/api/graph?token=${TOKEN}`, `/metrics?token=${TOKEN}`, `/?token=${TOKEN}`, `/open/${TOKEN}`]) {
      expect((await ask(server, path)).status).toBeGreaterThanOrEqual(400)
    }
  })

  it.each(PROTECTED.filter(([, path]) => path !== '/api/none' && path !== '/api/events'))(
    '%s %s takes the bearer token',
    async (method, path) => {
      const body = path === '/api/demo' && method === 'POST' ? '{"id":"cut","on":true}' : undefined
      const headers: Record<string, string> = body === undefined ? BEARER : { ...BEARER, 'Content-Type': 'application/json' }
      expect((await ask(server, path, { method, headers, ...(body === undefined ? {} : { body }) })).status).toBe(200)
    },
  )

  it('a console link sets a cookie that opens the API, again and again', async () => {
    const path = new URL(server.serve.consoleLink(server.url)).pathname
    for (let i = 0; i < 2; i++) {
      const answer = await ask(server, path)
      expect([answer.status, answer.headers.location]).toEqual([303, '../'])
      expect(answer.headers['set-cookie']?.[0]).toMatch(
        /^midwatch-[\w-]{8}=\d+\.[\w-]{43}; Path=\/; Max-Age=2592000; HttpOnly; SameSite=Strict$/,
      )
    }
    expect((await withCookie('/api/graph')).status).toBe(200)
  })

  it('a link followed from another site leads on by a page of our own, since a redirect would lose the strict cookie', async () => {
    const answer = await ask(server, new URL(server.serve.consoleLink(server.url)).pathname, {
      headers: { 'Sec-Fetch-Site': 'cross-site' },
    })
    expect(answer.status).toBe(200)
    expect(answer.headers['set-cookie']).toHaveLength(1)
    expect(answer.text).toContain('http-equiv="refresh"')
  })

  it('refuses a wrong code', async () => {
    const answer = await ask(server, '/open/not-the-code')
    expect([answer.status, answer.headers['set-cookie']]).toEqual([403, undefined])
  })

  it('a cookie without Origin may read but not act', async () => {
    expect((await withCookie('/api/status')).status).toBe(200)
    const answer = await withCookie('/api/leave', { method: 'POST' })
    expect([answer.status, codeOf(answer)]).toEqual([403, 'MW_FORBIDDEN'])
  })

  it('a cookie acts from the console itself', async () => {
    const answer = await withCookie('/api/leave', { method: 'POST', headers: { Origin: own(), 'Sec-Fetch-Site': 'same-origin' } })
    expect(answer.status).toBe(200)
  })

  it.each([
    ['another site', { Origin: 'https://evil.example' }],
    ['another port of this host', { Origin: 'http://127.0.0.1:1' }],
    ['a sandboxed page', { Origin: 'null' }],
    ['another port, as the browser says', { 'Sec-Fetch-Site': 'same-site' }],
    ['another site, as the browser says', { 'Sec-Fetch-Site': 'cross-site' }],
  ])("refuses the cookie from %s's page, for reading, acting and events", async (_, headers: Record<string, string>) => {
    for (const [method, path] of [
      ['POST', '/api/invite'],
      ['GET', '/api/graph'],
      ['GET', '/api/events'],
    ] as const) {
      const answer = await withCookie(path, { method, headers })
      expect([path, answer.status, codeOf(answer)]).toEqual([path, 403, 'MW_FORBIDDEN'])
    }
  })

  it('events take the cookie', async () => {
    const client = await listen(server, { Cookie: cookie, Origin: own() })
    expect(client.status).toBe(200)
    client.close()
  })

  it.each([
    'localhost',
    'localhost:8777',
    '127.0.0.1',
    '127.0.0.2:80',
    '[::1]:8777',
    'watch.example',
    'WATCH.example:8777',
    'other.example',
  ])('answers for the host %s', async (host) => {
    expect((await ask(server, '/api/graph', { headers: { ...BEARER, Host: host } })).status).toBe(200)
  })

  it.each([
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '10.9.8.7',
    '[2001:db8::1]',
    'evil.example:8777',
    '127.0.0.1@evil.example',
  ])('refuses the host %s, token or not (DNS rebinding)', async (host) => {
    for (const path of ['/api/graph', '/', '/metrics', '/api/none', new URL(server.serve.consoleLink(server.url)).pathname]) {
      const answer = await ask(server, path, { headers: { ...BEARER, Host: host } })
      expect([403, 400]).toContain(answer.status)
      expect(['MW_FORBIDDEN', 'MW_BAD_REQUEST']).toContain(codeOf(answer))
      expect(answer.headers['set-cookie']).toBeUndefined()
    }
  })

  it('a request target that names another host does not get past Host', async () => {
    const answer = await ask(server, 'http://evil.example/api/graph', { headers: { ...BEARER, Host: 'evil.example' } })
    expect(answer.status).toBe(403)
  })

  it('every answer carries the security headers, errors too', async () => {
    for (const path of ['/', '/api/graph', '/api/none', '/healthz', '/open/x', '/none']) {
      const { headers } = await ask(server, path)
      expect(headers['content-security-policy']).toContain("default-src 'self'")
      expect(headers['content-security-policy']).toContain("frame-ancestors 'none'")
      expect(headers['x-content-type-options']).toBe('nosniff')
      expect(headers['referrer-policy']).toBe('no-referrer')
      expect(headers['cross-origin-opener-policy']).toBe('same-origin')
      expect(headers['access-control-allow-origin']).toBeUndefined()
      expect(headers['strict-transport-security']).toBeUndefined()
    }
  })

  it('metrics answer without a token only when told so', async () => {
    const open = await startServer({ metricsOpen: true })
    try {
      expect((await ask(open, '/metrics')).status).toBe(200)
      expect((await ask(open, '/api/graph')).status).toBe(401)
    } finally {
      await open.close()
    }
  })
})

describe('from other hosts', () => {
  const credentials = createCredentials({ token: TOKEN, clock: systemClock, random: systemRandomness })
  const from = (
    remoteAddress: string | undefined,
    more: { host?: string; localAddress?: string; encrypted?: boolean } = {},
  ): IncomingMessage => {
    const { host = '10.0.0.5:8777', localAddress = '::ffff:10.0.0.5', encrypted = false } = more
    return { method: 'GET', headers: { host }, socket: { remoteAddress, localAddress, encrypted } } as unknown as IncomingMessage
  }
  const gate = (open: boolean, tls: boolean) => createGate({ credentials, open, tls, hosts: [] })

  it.each(['10.0.0.9', '::ffff:10.0.0.9', 'fe80::1%eth0', '2001:db8::1', '::ffff:128.0.0.1', undefined])(
    'a closed node refuses %s',
    (address) => {
      expect(() => gate(false, false).checkPlace(from(address))).toThrow(MidwatchError)
    },
  )

  it.each(['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'])('%s is the host itself', (address) => {
    expect(() => gate(false, false).checkPlace(from(address))).not.toThrow()
  })

  it('an open node answers by its own address, and not by another', () => {
    expect(() => gate(true, false).checkPlace(from('10.0.0.9'))).not.toThrow()
    expect(() => gate(true, false).checkPlace(from('10.0.0.9', { host: '10.0.0.6:8777' }))).toThrow(/hosts/)
    expect(() =>
      gate(true, false).checkPlace(from('2001:db8::9', { host: '[2001:db8::5]:8777', localAddress: '2001:db8::5' })),
    ).not.toThrow()
  })

  it('an open node with a certificate wants https from others, and takes plain http from its own host', () => {
    expect(() => gate(true, true).checkPlace(from('10.0.0.9'))).toThrow(/https/)
    expect(() => gate(true, true).checkPlace(from('10.0.0.9', { encrypted: true }))).not.toThrow()
    expect(() => gate(true, true).checkPlace(from('127.0.0.1'))).not.toThrow()
  })
})

describe('cookies', () => {
  const at = (wallMs: number): Clock => ({ ...systemClock, wallMs: () => wallMs })
  const NOW = 1_772_335_200_000
  const made = (token: string, wallMs: number) => createCredentials({ token, clock: at(wallMs), random: systemRandomness })

  it('are good for thirty days, across restarts', () => {
    const cookie = made(TOKEN, NOW).makeCookie()
    expect(made(TOKEN, NOW + 30 * 86_400_000 - 1).isCookie(cookie)).toBe(true)
    expect(made(TOKEN, NOW + 30 * 86_400_000).isCookie(cookie)).toBe(false)
  })

  it('die with the token', () => {
    const cookie = made(TOKEN, NOW).makeCookie()
    expect(made(`${TOKEN}2`, NOW).isCookie(cookie)).toBe(false)
    expect(made(`${TOKEN}2`, NOW).cookieName).not.toBe(made(TOKEN, NOW).cookieName)
  })

  it('cannot be given a longer life', () => {
    const credentials = made(TOKEN, NOW)
    const cookie = credentials.makeCookie()
    expect(credentials.isCookie(cookie.replace(/^\d/, '9'))).toBe(false)
    for (const odd of ['', '.', 'x', cookie.replace('.', ''), `${cookie}x`, cookie.slice(0, -1), `-1${cookie.slice(13)}`]) {
      expect([odd, credentials.isCookie(odd)]).toEqual([odd, false])
    }
  })

  it('a link dies with the process', () => {
    const link = made(TOKEN, NOW).linkCode()
    expect(made(TOKEN, NOW).isLinkCode(link)).toBe(false)
  })

  it('a token that could be guessed is refused', () => {
    expect(() => made('short', NOW)).toThrow(/token/)
    expect(() => made('', NOW)).toThrow(/token/)
  })
})
