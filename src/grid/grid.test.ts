import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LIMITS, type Identity } from '../contract/index.ts'
import { keysNumber, onlyKey, signedRow } from '../../test/support/grid-makers.ts'
import { agree, GRID_KEY, targetClaim, virtualNode, virtualNodes } from '../../test/support/virtual-grid.ts'
import { dieOf, randomnessOf, VirtualWorld, type VirtualHost } from '../../test/support/virtual-network.ts'
import { identityBytes, keysOf } from './keys.ts'
import { createSealer } from './seal.ts'
import { encodeMessage, encodePacket, type Message } from './wire.ts'

/** A host that knows the grid key, and does with it what it likes. */
function insider(world: VirtualWorld, sender = keysNumber(66)) {
  const host: VirtualHost = world.host('10.6.6.6')
  const sealer = createSealer(onlyKey(GRID_KEY), host.random)
  let receivedBytes = 0
  host.network.onDatagram((bytes) => (receivedBytes += bytes.length))
  const sendPlain = (plain: Uint8Array): void => host.network.send(0, { host: '10.0.0.0', port: 8777 }, sealer.seal(plain))
  return {
    host,
    sendPlain,
    send: (...messages: Message[]) => sendPlain(encodePacket(identityBytes(sender.identity), 1, messages.map(encodeMessage))),
    receivedBytes: () => receivedBytes,
    join: () => insiderRow(sender),
  }
  function insiderRow(keys: typeof sender): Message {
    return { type: 'row', ...signedRow(keys, { id: 'insider', address: '10.6.6.6:8777' }) }
  }
}

describe('an insider', { timeout: 20_000 }, () => {
  it('brings no node down with what makes no sense', async () => {
    const world = new VirtualWorld(1)
    const [node] = virtualNodes(world, 1, { probes: false })
    const evil = insider(world)
    await world.run(1_500)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1_100 }), (bytes) => evil.sendPlain(bytes)),
      { seed: 11, numRuns: 300 },
    )
    // Well-formed envelopes around ill-formed and extreme content.
    const zero = '0'.repeat(32) as Identity
    evil.send(evil.join())
    await world.run(10)
    evil.send(
      {
        type: 'versions',
        first: 'f'.repeat(32) as Identity,
        last: zero,
        entries: [{ identity: zero, incarnation: Number.MAX_SAFE_INTEGER, version: 0, mark: 0 }],
      },
      { type: 'want', identities: [zero] },
      { type: 'row', bytes: new Uint8Array(0), signature: new Uint8Array(0) },
      { type: 'row-part', identity: zero, incarnation: 0, version: 0, part: 0, parts: 1, piece: new Uint8Array(3) },
      { type: 'pulse', bytes: new Uint8Array(1), signature: new Uint8Array(64) },
      {
        type: 'rumour',
        subject: node!.identity,
        incarnation: 1,
        beat: Number.MAX_SAFE_INTEGER,
        accuser: keysNumber(66).identity,
        signature: new Uint8Array(64),
      },
      { type: 'probe', payload: new Uint8Array(0) },
      { type: 'summary', hash: new Uint8Array(16) },
    )
    await world.run(3_000)
    expect(node!.grid.table.size).toBe(2)
    expect(node!.grid.counters.packetsOpened).toBeGreaterThan(1)
    expect(node!.grid.counters.rowsRefused).toBeGreaterThan(0)
  })

  it('cannot invent accusers: a rumour counts only under the accuser’s own signature', async () => {
    const world = new VirtualWorld(2)
    const nodes = virtualNodes(world, 5, { probes: false })
    await world.runUntil(() => agree(nodes), 5_000)
    const evil = insider(world)
    evil.send(evil.join())
    await world.run(2_000)
    for (const accuser of nodes.slice(2)) {
      const { identity } = nodes[1]!
      evil.send({ type: 'rumour', subject: identity, incarnation: 1, beat: 99, accuser: accuser.identity, signature: new Uint8Array(64) })
    }
    await world.run(100)
    expect(nodes[0]!.grid.member(nodes[1]!.identity)?.state).toBe('up')
  })

  it('cannot turn what others say to a node with an address away from it', async () => {
    const world = new VirtualWorld(5)
    const nodes = virtualNodes(world, 3)
    await world.runUntil(() => agree(nodes), 5_000)
    const evil = insider(world, keysOf(randomnessOf(dieOf(7_001)).bytes(32)))
    await world.run(500)
    evil.send({ type: 'summary', hash: new Uint8Array(16) }, { type: 'ping', nonce: 7 })
    await world.run(5_000)
    expect(evil.receivedBytes()).toBe(0)
  })

  it('gets no flood for a small question: answers have a budget', async () => {
    const world = new VirtualWorld(3)
    const [node] = virtualNodes(world, 1, { probes: false })
    await world.run(1_500)
    node!.grid.setLinks(
      Array.from({ length: 200 }, (_, at) => targetClaim(`t${at}`)),
      [],
    )
    const evil = insider(world)
    evil.send(evil.join())
    await world.run(100)
    for (let at = 0; at < 1_000; at++)
      evil.send(...Array.from({ length: 20 }, (): Message => ({ type: 'want', identities: [node!.identity, node!.identity] })))
    await world.run(20)
    expect(evil.receivedBytes()).toBeGreaterThan(100_000)
    expect(evil.receivedBytes()).toBeLessThan(1_500_000)
  })
})

it('takes so many streams at once and turns the next away', async () => {
  const world = new VirtualWorld(4)
  const node = virtualNode(world, 0, { probes: false })
  node.start()
  const caller = world.host('10.6.6.6')
  let closed = 0
  for (let at = 0; at < LIMITS.streams + 5; at++) {
    void caller.network.dial({ host: '10.0.0.0', port: 8777 }, 1_000).then((stream) => stream.onClose(() => closed++))
  }
  await world.run(500)
  expect(closed).toBe(5)
  expect(node.grid.counters.streamsRefused).toBe(5)
  // Who says nothing makes room again.
  await world.run(LIMITS.streamIdleMs + 500)
  expect(closed).toBe(LIMITS.streams + 5)
})
