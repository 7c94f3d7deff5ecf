import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { probeHttp } from '../../src/sense/probes/http/index.ts'
import { probeTls } from '../../src/sense/probes/tls/index.ts'
import { makeTarget, probeContext } from '../support/probing.ts'
import { daemons, freePorts } from './daemon.ts'

const servers = daemons()
const openssl = promisify(execFile)
let folder: string
let plain: number
let whole: number
let cut: number

/** Certificates as an operator would make them, so that ours are not the only ones that we can read. */
async function makeChain(): Promise<void> {
  const inFolder = (...args: string[]) => openssl('openssl', args, { cwd: folder })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const authority = ['-addext', 'basicConstraints=critical,CA:TRUE']
  await inFolder('req', '-x509', ...key, '-keyout', 'root.key', '-out', 'root.pem', '-subj', '/CN=Root', '-days', '30')
  await inFolder('req', ...key, '-keyout', 'middle.key', '-out', 'middle.csr', '-subj', '/CN=Middle', ...authority)
  await inFolder(
    'x509',
    '-req',
    '-in',
    'middle.csr',
    '-CA',
    'root.pem',
    '-CAkey',
    'root.key',
    '-CAcreateserial',
    '-copy_extensions',
    'copy',
    '-out',
    'middle.pem',
    '-days',
    '20',
  )
  await inFolder(
    'req',
    ...key,
    '-keyout',
    'leaf.key',
    '-out',
    'leaf.csr',
    '-subj',
    '/CN=shop',
    '-addext',
    'subjectAltName=DNS:shop.test,DNS:*.shop.test',
  )
  await inFolder(
    'x509',
    '-req',
    '-in',
    'leaf.csr',
    '-CA',
    'middle.pem',
    '-CAkey',
    'middle.key',
    '-CAcreateserial',
    '-copy_extensions',
    'copy',
    '-out',
    'leaf.pem',
    '-days',
    '10',
  )
  await promisify(execFile)('sh', ['-c', 'cat leaf.pem middle.pem > whole.pem'], { cwd: folder })
}

beforeAll(async () => {
  folder = await servers.folder()
  ;[plain, whole, cut] = (await freePorts(3)) as [number, number, number]
  await makeChain()
  const secure = (port: number, certificate: string): string =>
    `server { listen 127.0.0.1:${port} ssl; ssl_certificate ${folder}/${certificate}; ssl_certificate_key ${folder}/leaf.key; return 200 "hello"; }`
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
     events {}
     http {
       access_log off; client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
       server {
         listen 127.0.0.1:${plain};
         location = / { add_header X-Shop open; return 200 "welcome"; }
         location = /old { return 301 /; }
         location = /loop { return 302 /loop; }
         location = /broken { return 503; }
         location = /dead { proxy_pass http://127.0.0.1:1; }
       }
       ${secure(whole, 'whole.pem')}
       ${secure(cut, 'leaf.pem')}
     }`,
  )
  await servers.start('nginx', ['-p', folder, '-e', `${folder}/error.log`, '-c', join(folder, 'nginx.conf')], plain)
})
afterAll(() => servers.close())

const http = (path: string, settings: Record<string, unknown> = {}) =>
  probeHttp(makeTarget('http', { url: `http://127.0.0.1:${plain}${path}`, ...settings }), probeContext(3_000))
const tls = (port: number, settings: Record<string, unknown> = {}) =>
  probeTls(
    makeTarget('tls', { host: '127.0.0.1', port, serverName: 'shop.test', caFile: `${folder}/root.pem`, certificateDays: 5, ...settings }),
    probeContext(3_000),
  )

test('pages, headers and redirects', async () => {
  expect(await http('/', { bodyContains: 'welcome', headerEquals: { 'x-shop': 'open' } })).toMatchObject({ ok: true, detail: null })
  expect(await http('/', { method: 'HEAD' })).toMatchObject({ ok: true })
  expect(await http('/old', { bodyContains: 'welcome' })).toMatchObject({ ok: true })
  expect(await http('/old', { redirectTo: '/', status: 301 })).toMatchObject({ ok: true })
  expect((await http('/loop')).detail).toBe('more than 3 redirects')
  expect((await http('/broken')).detail).toBe('status 503, wanted 200-399')
  expect((await http('/dead')).detail).toBe('status 502, wanted 200-399')
})

test('a whole chain, one with its intermediate missing, names and days', async () => {
  expect(await tls(whole)).toMatchObject({ ok: true, detail: null })
  expect(await tls(whole, { serverName: 'www.shop.test' })).toMatchObject({ ok: true })
  expect((await tls(cut)).detail).toBe('certificate is from an unknown authority, or an intermediate certificate is missing')
  expect((await tls(whole, { serverName: 'other.test' })).detail).toBe('certificate is for shop.test, *.shop.test, not other.test')
  expect((await tls(whole, { certificateDays: 14 })).detail).toBe('certificate expires in 9 days')
  expect((await tls(plain)).detail).toBe('does not speak TLS')
})

test('https to an authority that is not known', async () => {
  const url = `https://127.0.0.1:${whole}/`
  const probe = (settings: Record<string, unknown>) => probeHttp(makeTarget('http', { url, ...settings }), probeContext(3_000))
  expect((await probe({})).detail).toMatch(/^certificate is from an unknown authority/)
  expect(await probe({ insecure: true, bodyContains: 'hello' })).toMatchObject({ ok: true })
})
