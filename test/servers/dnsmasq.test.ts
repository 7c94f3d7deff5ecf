import { afterAll, beforeAll, expect, test } from 'vitest'
import { probeDns } from '../../src/sense/probes/dns/index.ts'
import { makeTarget, probeContext } from '../support/probing.ts'
import { daemons, freePorts } from './daemon.ts'

const servers = daemons()
let server: string

beforeAll(async () => {
  const [port] = (await freePorts(1)) as [number]
  server = `localhost:${port}`
  const records = [
    '--host-record=shop.test,10.0.0.1,2001:db8::1',
    '--cname=www.shop.test,shop.test',
    '--mx-host=shop.test,mail.shop.test,10',
    '--srv-host=_web._tcp.shop.test,shop.test,443,1,2',
    '--txt-record=shop.test,v=spf1 -all',
    '--address=/gone.test/',
  ]
  const quiet = ['--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--user=root', '--pid-file=']
  await servers.start('dnsmasq', [...quiet, `--port=${port}`, '--listen-address=127.0.0.1', '--bind-interfaces', ...records], port)
})
afterAll(() => servers.close())

const probe = (settings: Record<string, unknown>) =>
  probeDns(makeTarget('dns', { query: 'shop.test', server, ...settings }), probeContext(3_000))

test.each([
  ['A', 'shop.test', '10.0.0.1'],
  ['AAAA', 'shop.test', '2001:db8::1'],
  ['CNAME', 'www.shop.test', 'shop.test'],
  ['MX', 'shop.test', '10 mail.shop.test'],
  ['SRV', '_web._tcp.shop.test', '1 2 443 shop.test'],
  ['TXT', 'shop.test', 'v=spf1 -all'],
])('%s is read as dnsmasq serves it', async (type, query, value) => {
  expect(await probe({ type, query, expect: [value] })).toMatchObject({ ok: true, detail: null })
})

test('what is not there is told apart', async () => {
  expect((await probe({ query: 'gone.test' })).detail).toBe('name does not exist (NXDOMAIN)')
  expect((await probe({ query: 'elsewhere.example' })).detail).toBe('resolver refused (REFUSED)')
  expect((await probe({ type: 'NS' })).detail).toMatch(/^(no NS record|resolver refused \(REFUSED\))$/)
  expect((await probe({ expect: ['10.0.0.2'] })).detail).toBe('answer lacks 10.0.0.2')
})
