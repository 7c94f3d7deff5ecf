import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ConsoleLink } from '../contract/index.ts'
import { makeCertificate } from '../../test/support/certificates.ts'
import { BEARER, ask, startServer, type TestServer } from '../../test/support/serve-fixture.ts'

describe('with a certificate', () => {
  let server: TestServer
  let cert: string
  beforeAll(async () => {
    const made = makeCertificate({ name: 'localhost', names: ['localhost', '127.0.0.1'] })
    cert = made.cert
    server = await startServer({ tls: { cert, key: made.key } })
  })
  afterAll(async () => {
    await server?.close()
  })

  it('answers https, and tells the browser to stay with it', async () => {
    const answer = await ask(server, '/api/graph', { headers: BEARER, ca: cert })
    expect(answer.status).toBe(200)
    expect(answer.headers['strict-transport-security']).toBe('max-age=31536000')
  })

  it('does not promise https for every other server on localhost', async () => {
    const answer = await ask(server, '/api/graph', { headers: { ...BEARER, Host: `localhost:${server.port}` }, ca: cert })
    expect([answer.status, answer.headers['strict-transport-security']]).toEqual([200, undefined])
  })

  it('sets a cookie that never travels in the clear', async () => {
    const answer = await ask(server, new URL(server.serve.consoleLink(server.url)).pathname, { ca: cert })
    expect(answer.headers['set-cookie']?.[0]).toMatch(/; Secure$/)
  })

  it('links to https where it was asked by https', async () => {
    const answer = await ask(server, '/api/console-link', { method: 'POST', headers: BEARER, ca: cert })
    expect(ConsoleLink.parse(answer.json()).url).toMatch(/^https:/)
  })

  it('still answers plain http from loopback on the same port', async () => {
    const answer = await ask(server, '/api/graph', { headers: BEARER })
    expect(answer.status).toBe(200)
    expect(answer.headers['strict-transport-security']).toBeUndefined()
  })

  it('speaks no old TLS', async () => {
    const outcome = await new Promise<string>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port: server.port, ca: cert, maxVersion: 'TLSv1.1', minVersion: 'TLSv1' }, () =>
        resolve('connected'),
      )
      socket.on('error', (error) => resolve(error.message))
    })
    expect(outcome).not.toBe('connected')
  })
})
