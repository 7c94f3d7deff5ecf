import { expect, test } from 'vitest'
import { makeTarget } from '../../test/support/probing.ts'
import { targetAddress } from './address.ts'

test('an address tells where, and no secret', () => {
  const http = makeTarget('http', { url: 'https://user:secret@shop.test:8443/a/b?token=secret#secret' })
  expect(targetAddress(http)).toBe('https://shop.test:8443/a/b')
  expect(targetAddress(makeTarget('http', { url: 'http://user@shop.test' }))).toBe('http://shop.test/')
  expect(targetAddress(makeTarget('tcp', { host: '[2001:db8::1]', port: 22 }))).toBe('[2001:db8::1]:22')
  expect(targetAddress(makeTarget('tls', { host: 'shop.test' }))).toBe('shop.test:443')
  expect(targetAddress(makeTarget('dns', { query: 'shop.test', server: '10.0.0.53:53' }))).toBe('shop.test A @10.0.0.53:53')
  expect(targetAddress(makeTarget('dns', { query: 'shop.test', type: 'MX' }))).toBe('shop.test MX')
  expect(targetAddress(makeTarget('icmp', { host: '10.0.0.1' }))).toBe('10.0.0.1')
})
