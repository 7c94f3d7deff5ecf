import { writeFile, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:tls'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { makeCertificate, type TestCertificate } from '../../../../test/support/certificates.ts'
import { loopback, makeTarget, probeContext } from '../../../../test/support/probing.ts'
import { probeTls } from './index.ts'

const local = loopback()
const root = makeCertificate({ name: 'Test Root', names: [], authority: true })
const intermediate = makeCertificate({ name: 'Test Intermediate', names: [], authority: true, issuer: root })
let folder: string
let caFile: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'midwatch-tls-'))
  caFile = join(folder, 'root.pem')
  await writeFile(caFile, root.cert)
})
afterEach(() => local.close())
afterAll(() => rm(folder, { recursive: true }))

async function probe(leaf: TestCertificate, chain: readonly TestCertificate[] = [], settings: Record<string, unknown> = {}) {
  const server = createServer({ cert: [leaf, ...chain].map((each) => each.cert).join(''), key: leaf.key })
  server.on('tlsClientError', () => {})
  const port = await local.listen(server)
  return probeTls(makeTarget('tls', { host: '127.0.0.1', port, serverName: 'shop.test', caFile, ...settings }), probeContext())
}
const byIntermediate = (options: Partial<Parameters<typeof makeCertificate>[0]> = {}) =>
  makeCertificate({ name: 'shop.test', issuer: intermediate, ...options })

test('a whole chain, the right name and time left are well', async () => {
  const outcome = await probe(byIntermediate(), [intermediate])
  expect(outcome).toMatchObject({ ok: true, detail: null })
  expect(outcome.rttMs).toBeGreaterThan(0)
})

test('a missing intermediate is named', async () => {
  expect((await probe(byIntermediate())).detail).toBe('certificate is from an unknown authority, or an intermediate certificate is missing')
})

test('an expired certificate is told from one that is not valid yet', async () => {
  expect((await probe(byIntermediate({ fromDays: -30, toDays: -1 }), [intermediate])).detail).toBe('certificate has expired')
  expect((await probe(byIntermediate({ fromDays: 1 }), [intermediate])).detail).toBe('certificate is not yet valid')
})

test('an expired intermediate is seen behind a good certificate', async () => {
  const old = makeCertificate({ name: 'Old Intermediate', names: [], authority: true, issuer: root, fromDays: -30, toDays: -1 })
  expect((await probe(byIntermediate({ issuer: old }), [old])).detail).toBe('certificate has expired')
})

test('a self-signed certificate is told from an unknown authority', async () => {
  expect((await probe(makeCertificate({ name: 'shop.test' }))).detail).toBe('certificate is self-signed')
  const stranger = makeCertificate({ name: 'Stranger', names: [], authority: true })
  expect((await probe(byIntermediate({ issuer: stranger }), [stranger])).detail).toBe('certificate is from an unknown authority')
})

test('a certificate for another name says whose it is', async () => {
  expect((await probe(byIntermediate({ names: ['www.test', 'mail.test', 'ftp.test'] }), [intermediate])).detail).toBe(
    'certificate is for www.test, mail.test and 1 more, not shop.test',
  )
})

test('an address can be the name, and is checked as one', async () => {
  expect(await probe(byIntermediate({ names: ['127.0.0.1'] }), [intermediate], { serverName: undefined })).toMatchObject({ ok: true })
  expect((await probe(byIntermediate(), [intermediate], { serverName: undefined })).detail).toBe(
    'certificate is for shop.test, not 127.0.0.1',
  )
})

test('names that the peer wrote lose their control characters', async () => {
  const { detail } = await probe(byIntermediate({ names: ['evil\n\u001b[31m.test'] }), [intermediate])
  expect(detail).toMatch(/^certificate is for .*evil.*not shop\.test$/)
  expect(detail).not.toMatch(/\p{C}/u)
})

test('few days left are a failure that counts them', async () => {
  expect((await probe(byIntermediate({ toDays: 3.5 }), [intermediate])).detail).toBe('certificate expires in 3 days')
  expect((await probe(byIntermediate({ toDays: 0.5 }), [intermediate])).detail).toBe('certificate expires within a day')
  expect(await probe(byIntermediate({ toDays: 3.5 }), [intermediate], { certificateDays: 3 })).toMatchObject({ ok: true })
})

test('a server that does not speak TLS is told from one that says nothing', async () => {
  const chatty = await local.serve((socket) => socket.on('data', () => socket.end('SSH-2.0-OpenSSH_9.2\r\n')))
  expect((await probeTls(makeTarget('tls', { host: '127.0.0.1', port: chatty }), probeContext())).detail).toBe('does not speak TLS')
  const silent = await local.serve(() => {})
  expect((await probeTls(makeTarget('tls', { host: '127.0.0.1', port: silent }), probeContext(150))).detail).toBe(
    'connected, but no TLS handshake in 150 ms',
  )
  const rude = await local.serve((socket) => socket.destroy())
  expect((await probeTls(makeTarget('tls', { host: '127.0.0.1', port: rude }), probeContext())).detail).toBe(
    'connection closed by the other side',
  )
})

test('a caFile that cannot be used accuses nobody', async () => {
  expect(await probe(byIntermediate(), [intermediate], { caFile: join(folder, 'none.pem') })).toMatchObject({
    ok: null,
    detail: 'caFile is not there',
  })
  const junk = join(folder, 'junk.pem')
  await writeFile(junk, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
  expect((await probe(byIntermediate(), [intermediate], { caFile: junk })).ok).toBe(null)
})
