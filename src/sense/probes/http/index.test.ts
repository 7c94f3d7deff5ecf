import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { afterEach, expect, test } from 'vitest'
import { LIMITS } from '../../../contract/index.ts'
import { systemOutbound, type Outbound } from '../../../platform/index.ts'
import { makeCertificate } from '../../../../test/support/certificates.ts'
import { loopback, makeTarget, probeContext } from '../../../../test/support/probing.ts'
import { probeHttp } from './index.ts'

const local = loopback()
afterEach(() => local.close())

const probe = (url: string, settings: Record<string, unknown> = {}, timeoutMs = 5_000) =>
  probeHttp(makeTarget('http', { url, ...settings }), probeContext(timeoutMs))
const serve = async (answer: RequestListener) => `http://127.0.0.1:${await local.listen(createServer(answer))}`
/** A server that says these bytes, whatever it is asked. */
const raw = async (text: string) => `http://127.0.0.1:${await local.serve((socket) => socket.once('data', () => socket.end(text)))}`

test('a status within the range is well, another is named with what was wanted', async () => {
  const url = await serve((request, response) => response.writeHead(Number(request.url?.slice(1))).end())
  expect(await probe(`${url}/204`)).toMatchObject({ ok: true, detail: null })
  expect(await probe(`${url}/503`)).toEqual({ ok: false, rttMs: null, detail: 'status 503, wanted 200-399' })
  expect(await probe(`${url}/503`, { status: 503 })).toMatchObject({ ok: true })
  expect(await probe(`${url}/204`, { status: 200 })).toMatchObject({ detail: 'status 204, wanted 200' })
})

test('method, headers, user and password are sent; each try has a connection of its own', async () => {
  const seen: IncomingMessage[] = []
  const url = await serve((request, response) => {
    seen.push(request)
    response.end()
  })
  const withUser = url.replace('//', '//user:secret@')
  await probe(withUser, { method: 'POST', headers: { 'X-Key': 'k', 'User-Agent': 'mine' } })
  await probe(withUser)
  expect(seen[0]).toMatchObject({
    method: 'POST',
    headers: { 'x-key': 'k', 'user-agent': 'mine', authorization: 'Basic dXNlcjpzZWNyZXQ=', connection: 'close' },
  })
  expect(seen[0]?.socket).not.toBe(seen[1]?.socket)
})

test('the body is searched', async () => {
  const url = await serve((_, response) => response.end('<h1>Grüß Gott</h1>'))
  expect(await probe(url, { bodyContains: 'Grüß' })).toMatchObject({ ok: true })
  expect(await probe(url, { bodyContains: 'Servus' })).toMatchObject({ ok: false, detail: 'body lacks the wanted text' })
})

test('of a huge body no more is read than the limit', async () => {
  let sentBytes = 0
  const chunk = Buffer.alloc(65_536, 'a')
  const pour = (response: ServerResponse): void => {
    while (response.write(chunk)) sentBytes += chunk.length
    response.once('drain', () => pour(response))
  }
  const url = await serve((_, response) => pour(response))
  expect(await probe(url, { bodyContains: 'end' })).toMatchObject({
    ok: false,
    detail: 'wanted text is not in the first 256 KiB of the body',
  })
  expect(sentBytes).toBeLessThan(64 * LIMITS.httpTargetBodyBytes)
})

test('a body that drips for ever ends at the time-out, and is not read where nothing is looked for', async () => {
  const url = await serve((_, response) => {
    const timer = setInterval(() => response.write('.'), 10)
    response.once('close', () => clearInterval(timer))
  })
  expect(await probe(url, { bodyContains: 'end' }, 200)).toEqual({ ok: false, rttMs: null, detail: 'answer did not end in 200 ms' })
  expect(await probe(url)).toMatchObject({ ok: true })
})

test('a connection that never answers is told from one that is refused, cut off or unknown', async () => {
  const silent = await local.serve(() => {})
  expect((await probe(`http://127.0.0.1:${silent}`, {}, 150)).detail).toBe('connected, but no answer in 150 ms')
  expect((await probe(`http://127.0.0.1:${await local.closedPort()}`)).detail).toBe('connection refused')
  const rude = await local.serve((socket) => socket.once('data', () => socket.destroy()))
  expect((await probe(`http://127.0.0.1:${rude}`)).detail).toBe('connection closed by the other side')
  const noName: Outbound = { ...systemOutbound, http: () => Promise.reject(Object.assign(new Error(), { code: 'ENOTFOUND' })) }
  expect((await probeHttp(makeTarget('http', { url: 'http://x.invalid' }), probeContext(5_000, noName))).detail).toBe('name not found')
})

test('a body cut short is a failure', async () => {
  const url = await raw('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello')
  expect((await probe(url, { bodyContains: 'hello' })).detail).toBe('connection closed by the other side')
})

test('what is not HTTP, hostile reasons and oversized heads are told apart, without a word of theirs', async () => {
  expect((await probe(await raw('SSH-2.0-x\r\n'))).detail).toBe('answer is not HTTP')
  expect((await probe(await raw('HTTP/1.1 500 \u001b[31mEvil\u0007\r\nX-A: \u001b]0;title\u0007\r\n\r\n'))).detail).toMatch(
    /^(status 500, wanted 200-399|answer is not HTTP)$/,
  )
  expect((await probe(await raw('HTTP/1.1 500 Se\u0301\u202eevil\r\n\r\n'))).detail).toMatch(
    /^(status 500, wanted 200-399|answer is not HTTP)$/,
  )
  expect((await probe(await raw(`HTTP/1.1 200 OK\r\nX-Big: ${'a'.repeat(100_000)}\r\n\r\n`))).detail).toBe(
    'headers of the answer are too large',
  )
  expect((await probe(await raw('HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'))).detail).toBe(
    'answer switches to another protocol',
  )
})

test('headers are compared without their values being told', async () => {
  const url = await serve((_, response) => response.setHeader('X-Version', 'secret-1').end())
  expect(await probe(url, { headerEquals: { 'X-Version': 'secret-1' } })).toMatchObject({ ok: true })
  expect((await probe(url, { headerEquals: { 'X-Version': 'secret-2' } })).detail).toBe('header x-version is not as wanted')
  expect((await probe(url, { headerEquals: { 'X-None': 'a' } })).detail).toBe('header x-none is missing')
})

test('a header that cannot be sent is a fault of the settings', async () => {
  expect(await probe('http://127.0.0.1:1', { headers: { a: 'b\nc' } })).toMatchObject({
    ok: null,
    detail: 'a header in the settings cannot be sent',
  })
  expect(await probe('http://127.0.0.1:1', { headers: { 'a b': 'c' } })).toMatchObject({ ok: null })
})

test('redirects are followed up to their limit', async () => {
  const url = await serve((request, response) => {
    const left = Number(request.url?.slice(1))
    if (left === 0) response.end('there')
    else response.writeHead(302, { location: `/${left - 1}` }).end()
  })
  expect(await probe(`${url}/3`, { bodyContains: 'there' })).toMatchObject({ ok: true })
  expect((await probe(`${url}/4`)).detail).toBe('more than 3 redirects')
  expect(await probe(`${url}/4`, { redirects: 0 })).toMatchObject({ ok: true })
  expect((await probe(`${url}/4`, { redirects: 0, status: 200 })).detail).toBe('status 302, wanted 200')
})

test('a loop of redirects ends', async () => {
  let requests = 0
  const url = await serve((_, response) => {
    requests++
    response.writeHead(301, { location: '/' }).end()
  })
  expect((await probe(url, { redirects: 5 })).detail).toBe('more than 5 redirects')
  expect(requests).toBe(6)
})

test('redirectTo checks the redirect itself', async () => {
  const url = await serve((request, response) =>
    response.writeHead(request.url === '/' ? 301 : 200, { location: '/login?next=secret' }).end(),
  )
  expect(await probe(url, { redirectTo: '/login?next=secret' })).toMatchObject({ ok: true })
  expect(await probe(url, { redirectTo: `${url}/login?next=secret` })).toMatchObject({ ok: true })
  expect((await probe(url, { redirectTo: '/other' })).detail).toBe('redirects to another address than wanted')
  const still = await serve((_, response) => response.end())
  expect((await probe(still, { redirectTo: '/other' })).detail).toBe('answer redirects nowhere')
})

test('a redirect to another origin carries no header that could be a key', async () => {
  const seen: IncomingMessage[] = []
  const other = await serve((request, response) => {
    seen.push(request)
    response.end()
  })
  const url = await serve((_, response) => response.writeHead(307, { location: other }).end())
  const settings = { method: 'POST', headers: { 'X-Key': 'k', 'Accept-Language': 'de' } }
  expect(await probe(url.replace('//', '//user:secret@'), settings)).toMatchObject({ ok: true })
  expect(seen[0]).toMatchObject({ method: 'POST', headers: { 'accept-language': 'de' } })
  expect(seen[0]?.headers).not.toHaveProperty('x-key')
  expect(seen[0]?.headers).not.toHaveProperty('authorization')
})

test('a redirect does not turn the probe against its own host, the cloud or a file', async () => {
  let requests = 0
  const other = await serve((_, response) => {
    requests++
    response.end()
  })
  const redirectTo = async (location: string) =>
    (await probe(await serve((_, response) => response.writeHead(302, { location }).end()))).detail
  const refused = 'redirects to an address of this host or link, which is not followed'
  expect(await redirectTo(other.replace('127.0.0.1', 'localhost'))).toBe(refused)
  expect(await redirectTo(other.replace('127.0.0.1', '[::ffff:127.0.0.1]'))).toBe(refused)
  expect(await redirectTo('http://169.254.169.254/latest/meta-data')).toBe(refused)
  expect(await redirectTo('http://0/')).toBe(refused)
  expect(requests).toBe(0)
  expect(await redirectTo('file:///etc/passwd')).toBe('redirects to something that is not http')
  expect(await redirectTo('http://')).toBe('redirects to something that is no address')
})

test('https: the certificate is checked before anything is sent, unless insecure', async () => {
  let requests = 0
  const serveSecure = async (options: Partial<Parameters<typeof makeCertificate>[0]>) => {
    const server = createSecureServer(makeCertificate({ name: 'localhost', ...options }), (_, response) => {
      requests++
      response.end()
    })
    server.on('tlsClientError', () => {})
    return `https://127.0.0.1:${await local.listen(server)}`
  }
  expect((await probe(await serveSecure({}))).detail).toBe('certificate is self-signed')
  expect((await probe(await serveSecure({ fromDays: -9, toDays: -1 }))).detail).toMatch(/^certificate (is self-signed|has expired)$/)
  expect(requests).toBe(0)
  expect(await probe(await serveSecure({ fromDays: -9, toDays: -1 }), { insecure: true })).toMatchObject({ ok: true, detail: null })
  expect((await probe((await serve((_, response) => response.end())).replace('http:', 'https:'))).detail).toBe('does not speak TLS')
})

test('https: few days left are a failure, and another name says whose it is', async () => {
  const certificate = { names: ['x'], validFromMs: 0, validToMs: Date.now() + 5.5 * 86_400_000 }
  const answer = { status: 200, headers: {}, body: Buffer.alloc(0), truncated: false, certificate }
  const soon: Outbound = { ...systemOutbound, http: () => Promise.resolve(answer) }
  const target = makeTarget('http', { url: 'https://x.test' })
  expect((await probeHttp(target, probeContext(5_000, soon))).detail).toBe('certificate expires in 5 days')
  const error = Object.assign(new Error(), {
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    host: 'x.test',
    cert: { subjectaltname: 'DNS:y.test, IP Address:10.0.0.1' },
  })
  const wrong: Outbound = { ...systemOutbound, http: () => Promise.reject(error) }
  expect((await probeHttp(target, probeContext(5_000, wrong))).detail).toBe('certificate is for y.test, 10.0.0.1, not x.test')
})
