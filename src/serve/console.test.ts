import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BEARER, ask, startServer, type TestServer } from '../../test/support/serve-fixture.ts'
import { statusText } from '../tell/index.ts'

const SCRIPT = `console.log(${JSON.stringify('midwatch '.repeat(50))})`

describe('console files', () => {
  let root: string
  let server: TestServer
  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'midwatch-console-'))
    const dir = join(root, 'console')
    mkdirSync(join(dir, 'assets'), { recursive: true })
    writeFileSync(join(root, 'secret.txt'), 'secret')
    writeFileSync(join(dir, 'index.html'), '<!doctype html><title>Midwatch</title>')
    writeFileSync(join(dir, 'icon.svg'), '<svg/>')
    writeFileSync(join(dir, 'assets', 'index-abc123.js'), SCRIPT)
    symlinkSync(join(root, 'secret.txt'), join(dir, 'link.txt'))
    server = await startServer({ consoleDir: dir })
  })
  afterAll(async () => {
    await server?.close()
    rmSync(root, { recursive: true, force: true })
  })

  it('a browser gets the page, which is looked at anew each time', async () => {
    const answer = await ask(server, '/', { headers: { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } })
    expect(answer.text).toContain('<title>Midwatch</title>')
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(answer.headers['cache-control']).toBe('no-cache')
    const again = await ask(server, '/', { headers: { Accept: 'text/html', 'If-None-Match': String(answer.headers.etag) } })
    expect([again.status, again.text]).toEqual([304, ''])
  })

  it('assets with a hash in their name are kept for ever', async () => {
    const answer = await ask(server, '/assets/index-abc123.js')
    expect(answer.text).toBe(SCRIPT)
    expect(answer.headers['content-type']).toBe('text/javascript; charset=utf-8')
    expect(answer.headers['cache-control']).toBe('public, max-age=31536000, immutable')
  })

  it('are sent compressed to who can read it', async () => {
    const raw = await new Promise<Buffer>((resolve, reject) => {
      const socket = connect(server.port, '127.0.0.1', () =>
        socket.write('GET /assets/index-abc123.js HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip, br\r\nConnection: close\r\n\r\n'),
      )
      const chunks: Buffer[] = []
      socket.on('data', (chunk: Buffer) => chunks.push(chunk))
      socket.on('error', reject)
      socket.on('end', () => resolve(Buffer.concat(chunks)))
    })
    const headEnd = raw.indexOf('\r\n\r\n')
    expect(raw.subarray(0, headEnd).toString().toLowerCase()).toContain('content-encoding: gzip')
    expect(gunzipSync(raw.subarray(headEnd + 4)).toString()).toBe(SCRIPT)
  })

  it('have the right type', async () => {
    expect((await ask(server, '/icon.svg')).headers['content-type']).toBe('image/svg+xml')
  })

  it.each([
    '/../secret.txt',
    '/assets/../../secret.txt',
    '/..%2fsecret.txt',
    '/%2e%2e/secret.txt',
    '/%2e%2e%2fsecret.txt',
    '/..%5csecret.txt',
    '//secret.txt',
    '/assets//../../secret.txt',
    '/%00',
    '/index.html%00.js',
    '/%E0%A4%A',
    '/link.txt',
    '/assets',
    '/assets/',
  ])('%s leads nowhere', async (path) => {
    const answer = await ask(server, path)
    expect([400, 404]).toContain(answer.status)
    expect(answer.text).not.toMatch(/^secret/)
  })
})

describe('the text page', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server.close())

  it('gives the rundown to curl, the worst first', async () => {
    const answer = await ask(server, '/', { headers: { ...BEARER, Accept: '*/*' } })
    expect(answer.headers['content-type']).toMatch(/^text\/plain/)
    expect(answer.text).toBe(statusText(server.node.rundown()))
    expect(answer.text).toMatch(/^c is down: nobody reaches it\.\n/)
    expect(answer.text.indexOf('a > c  down')).toBeLessThan(answer.text.indexOf('b > c  one-way'))
  })

  it('lets no name or detail of another host move the cursor', async () => {
    const rundown = server.node.rundown()
    server.node.rundown = () => ({ ...rundown, links: rundown.links.map((link) => ({ ...link, detail: 'red \u001b[31m\u0007\u009b2J' })) })
    const answer = await ask(server, '/', { headers: BEARER })
    expect(answer.text).toContain('red [31m2J')
    expect(answer.text).toMatch(/^[\P{Cc}\n]*$/u)
  })

  it('gives one line of advice without a token', async () => {
    const answer = await ask(server, '/')
    expect(answer.status).toBe(401)
    expect(answer.text).toMatch(/^[^\n]*Bearer[^\n]*\n$/)
  })

  it('without a console a browser is told where to go', async () => {
    const answer = await ask(server, '/', { headers: { Accept: 'text/html' } })
    expect([answer.status, answer.headers['content-type']]).toEqual([404, 'text/plain; charset=UTF-8'])
  })
})
