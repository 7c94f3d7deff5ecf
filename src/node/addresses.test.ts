import { describe, expect, it } from 'vitest'
import { advertise, localUrl, resolveAll } from './addresses.ts'

describe('the address that others are told', () => {
  it('is the one that was set, with the listening port where none was given', async () => {
    const given = await advertise({ advertise: '203.0.113.9:9000', listen: '0.0.0.0:8777' }, 8777)
    expect(given.current()).toEqual({ host: '203.0.113.9', port: 9000 })
    expect(given.seenAs('198.51.100.1')).toBe(false)
    expect(given.current().host).toBe('203.0.113.9')
  })

  it('is the listening one where that is no wildcard', async () => {
    const one = await advertise({ advertise: 'auto', listen: '127.0.0.1:0' }, 4_321)
    expect(one.current()).toEqual({ host: '127.0.0.1', port: 4_321 })
    expect(one.seenAs('198.51.100.1')).toBe(false)
  })

  it('is learned from a peer where the node listens everywhere', async () => {
    const learns = await advertise({ advertise: 'auto', listen: '0.0.0.0:8777' }, 8777)
    expect(learns.seenAs('198.51.100.1')).toBe(true)
    expect(learns.current()).toEqual({ host: '198.51.100.1', port: 8777 })
    expect(learns.seenAs('198.51.100.1')).toBe(false)
  })

  it.each(['127.0.0.1', '::1', '', 'evil.example', '10.0.0.1; rm'])('is not learned as %j', async (seen) => {
    const learns = await advertise({ advertise: 'auto', listen: '0.0.0.0:8777' }, 8777)
    const before = learns.current()
    expect(learns.seenAs(seen)).toBe(false)
    expect(learns.current()).toEqual(before)
  })
})

it('a name that cannot be resolved is left out, the rest are used', async () => {
  expect(await resolveAll(['127.0.0.1:1', 'no-such-host.invalid:2', '[::1]:3'])).toEqual([
    { host: '127.0.0.1', port: 1 },
    { host: '::1', port: 3 },
  ])
})

it.each([
  ['0.0.0.0:8777', 'http://127.0.0.1:1'],
  ['[::]:8777', 'http://[::1]:1'],
  ['10.1.2.3:8777', 'http://10.1.2.3:1'],
])('a node that listens on %s is reached from its host by %s', (listen, url) => {
  expect(localUrl(listen, 1)).toBe(url)
})

describe('a node that can only call out', () => {
  it('tells no address when its settings say so, whatever peers see', async () => {
    const none = await advertise({ advertise: 'none', listen: '0.0.0.0:8777' }, 8777)
    expect(none.told()).toBeNull()
    none.seenAs('198.51.100.1')
    expect(none.told()).toBeNull()
  })

  it('tells none from when that was found out, unless an address was set', async () => {
    const auto = await advertise({ advertise: 'auto', listen: '0.0.0.0:8777' }, 8777)
    const set = await advertise({ advertise: '203.0.113.9:9000', listen: '0.0.0.0:8777' }, 8777)
    expect(auto.told()).not.toBeNull()
    auto.callsOut()
    set.callsOut()
    auto.seenAs('198.51.100.1')
    expect(auto.told()).toBeNull()
    expect(set.told()).toBe('203.0.113.9:9000')
  })
})
