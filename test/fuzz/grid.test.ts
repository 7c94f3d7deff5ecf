import { createHash } from 'node:crypto'
import { decode, encode } from 'cborg'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LIMITS } from '../../src/contract/index.ts'
import { identityBytes } from '../../src/grid/keys.ts'
import { inContext } from '../../src/grid/row.ts'
import { callSealed } from '../../src/grid/stream.ts'
import { encodeMessage } from '../../src/grid/wire.ts'
import type { ByteStream } from '../../src/platform/index.ts'
import { keysNumber, localStreams, signedPulse, signedRow } from '../support/grid-makers.ts'
import { hearingNode } from '../support/hearing-node.ts'
import { GRID_KEY, virtualNode, type VirtualNode } from '../support/virtual-grid.ts'
import { dieOf, randomnessOf, type VirtualWorld } from '../support/virtual-network.ts'
import { openDatagram, sealerOf } from '../support/wire-format.ts'
import { bytesOf, recordedGrid } from '../upgrade/recording.ts'
import { fuzz, heapBytes } from './support/fuzz.ts'
import { anyBytes, asCbor, cborBytes, damaged, nearly } from './support/inputs.ts'

const recorded = recordedGrid('0.1.0').datagrams.slice(0, 200)
const SEALED = recorded.map(({ bytes }) => bytesOf(bytes))
const PACKETS = SEALED.map((datagram) => new Uint8Array(openDatagram(GRID_KEY, datagram)))

/** What a hostile member is, and one that is not. */
const LIAR = keysNumber(900)
const HONEST = keysNumber(901)

/** A node that listens, and the hand of a stranger on its wire. */
function target(seed: number) {
  const { node, world, hear } = hearingNode(seed)
  const honest = sealerOf(GRID_KEY, randomnessOf(dieOf(seed)))
  let version = 0
  let heard = 0
  return {
    node,
    /** What came, and some time for what follows of it. */
    async hears(datagram: Uint8Array): Promise<void> {
      hear(datagram)
      if (++heard % 100 === 0) await world.run(50)
    },
    world,
    /** Whoever is honest is heard as ever. */
    async stillListens(): Promise<void> {
      await world.run(1_100)
      const row = encodeMessage({ type: 'row', ...signedRow(HONEST, { id: 'honest', address: '10.0.0.77:8777', version: ++version }) })
      hear(honest(asCbor([identityBytes(HONEST.identity), 1, [decode(row)]])), '10.0.0.77')
      expect(node.grid.table.get(HONEST.identity)?.row.version).toBe(version)
    },
  }
}

const counted = (node: VirtualNode): number => Object.values(node.grid.counters).reduce((sum, count) => sum + count, 0)

/** Runs inputs against one node twice over: after the second half the heap is about what it was after the first. */
async function withoutGrowth(run: () => Promise<void>): Promise<void> {
  await run()
  const before = await heapBytes()
  await run()
  expect((await heapBytes()) - before).toBeLessThan(8 * 2 ** 20)
}

describe('what comes on the UDP port', { timeout: 60_000 }, () => {
  it('from a stranger is refused and counted, whatever it is', async () => {
    const { node, hears, stillListens } = target(1)
    const inputs = fc.oneof(
      anyBytes(1_300),
      anyBytes(1_200).map((bytes) => new Uint8Array([0xd1, ...bytes])),
      damaged(SEALED),
      fc.constantFrom(...SEALED.slice(0, 3)),
    )
    await withoutGrowth(() =>
      fuzz('datagram', inputs, 600, async (input) => {
        const before = counted(node)
        await hears(input)
        expect(counted(node)).toBeGreaterThan(before)
      }),
    )
    await stillListens()
  })

  it('from a member that holds the key is read, or refused and counted, and a packet costs no more than a packet', async () => {
    const { node, hears, stillListens } = target(2)
    const seal = sealerOf(GRID_KEY, randomnessOf(dieOf(22)))
    const id = fc.uint8Array({ minLength: 16, maxLength: 16 })
    const entry = nearly(id, fc.nat(), fc.nat(), fc.nat())
    const message = fc.oneof(
      nearly(fc.nat({ max: 30 })),
      nearly(fc.constantFrom(0, 13), fc.uint8Array({ maxLength: 600 })),
      nearly(fc.constantFrom(1, 2), fc.nat()),
      nearly(fc.constant(3), fc.nat(), id),
      nearly(fc.constant(4), id, fc.nat(), fc.nat(), id, fc.uint8Array({ minLength: 64, maxLength: 64 })),
      nearly(fc.constant(5), id),
      nearly(fc.constant(6), id, id, fc.array(entry, { maxLength: 25 })),
      nearly(fc.constant(7), fc.array(id, { maxLength: 25 })),
      nearly(fc.constant(9), id, fc.nat(), fc.nat(), fc.nat({ max: 33 }), fc.nat({ max: 33 }), fc.uint8Array({ maxLength: 300 })),
      nearly(fc.constantFrom(12, 13, 14, 15), fc.uint8Array({ minLength: 512, maxLength: 512 }), fc.nat()),
    )
    const sender = fc.constantFrom(identityBytes(LIAR.identity), identityBytes(node.identity), identityBytes(HONEST.identity))
    const inputs = fc.oneof(
      anyBytes(1_000),
      cborBytes,
      damaged(PACKETS),
      nearly(sender, fc.nat(), fc.array(message, { maxLength: 20 })).map(asCbor),
    )
    await withoutGrowth(() =>
      fuzz('packet', inputs, 500, async (input) => {
        if (input.length > 1_100) return
        const before = counted(node)
        await hears(seal(input))
        expect(counted(node)).toBeGreaterThan(before)
      }),
    )
    expect(node.grid.table.size).toBeLessThanOrEqual(LIMITS.nodes)
    await stillListens()
  })

  it('signed by a member is a row, a heartbeat or figures, or nothing, and never speaks for another', async () => {
    const { node, hears, stillListens } = target(3)
    await stillListens()
    const held = node.grid.table.get(HONEST.identity)?.signed.bytes
    const seal = sealerOf(GRID_KEY, randomnessOf(dieOf(33)))
    const samples = [signedRow(LIAR), signedPulse(LIAR), signedRow(HONEST, { version: 99 })].map(({ bytes }) => bytes)
    const label = fc.oneof(fc.string({ maxLength: 70 }), fc.constantFrom('web-1', 'x'.repeat(64), '\u202eevil', '\0'))
    const link = nearly(label, fc.nat({ max: 7 }), fc.nat({ max: 9 }), fc.integer({ min: -2, max: 2 }), fc.nat(), label, label, label)
    const publicKey = fc.constantFrom(LIAR.publicKey, HONEST.publicKey, new Uint8Array(32), new Uint8Array(32).fill(255))
    const inputs = fc.oneof(
      damaged(samples),
      cborBytes,
      nearly(
        fc.constant(1),
        publicKey,
        fc.nat({ max: 5 }),
        fc.nat(),
        label,
        label,
        label,
        label,
        fc.boolean(),
        fc.array(fc.nat({ max: 4 })),
        fc.array(link, { maxLength: 12 }),
      ).map(asCbor),
      nearly(
        fc.constant(1),
        fc.constant(identityBytes(LIAR.identity)),
        fc.nat(),
        fc.nat(),
        fc.nat(),
        fc.array(fc.tuple(fc.nat(), fc.nat())),
      ).map(asCbor),
    )
    await withoutGrowth(() =>
      fuzz('signed', inputs, 300, async (bytes) => {
        for (const [kind, context] of [
          [8, 'midwatch row 1'],
          [10, 'midwatch pulse 1'],
          [11, 'midwatch sketch 1'],
        ] as const) {
          const packet = asCbor([identityBytes(LIAR.identity), 1, [[kind, bytes, LIAR.sign(inContext(context, bytes))]]])
          if (packet.length < 1_100) await hears(seal(packet))
        }
      }),
    )
    expect(node.grid.table.get(HONEST.identity)?.signed.bytes).toEqual(held)
    expect(node.grid.table.size).toBeLessThanOrEqual(4)
    await stillListens()
  })
})

describe('what comes on the TCP port', { timeout: 60_000 }, () => {
  const doorkeeper = { keyOf: () => null, answer: async () => {} }

  it('from a stranger ends, is counted, and leaves nothing open, in whatever pieces it comes', async () => {
    const { node, world } = target(4)
    const hello = Buffer.concat([Buffer.from([0xf7, 0x4d, 0x57, 1, 0]), hintOf(GRID_KEY), randomnessOf(dieOf(1)).bytes(32)])
    const samples = [hello, Buffer.concat([hello, Buffer.from('000000200011223344', 'hex')])]
    const inputs = fc.oneof(anyBytes(200), damaged(samples), fc.constantFrom(...samples.map((sample) => new Uint8Array(sample))))
    await withoutGrowth(() =>
      fuzz('stream', inputs, 120, async (input) => {
        const before = refused(node)
        const { caller, answerer } = localStreams()
        const done = node.grid.accept(answerer, doorkeeper)
        for (let at = 0; at < input.length; at += 7) caller.write(input.subarray(at, at + 7))
        caller.end()
        await world.run(20)
        await done
        expect(refused(node)).toBe(before + 1)
      }),
    )
    expect(await meets(node, world)).toBe(true)
  })

  it('that says nothing is closed in time, and that says too much at once', async () => {
    const { node, world } = target(5)
    for (const say of [() => {}, (stream: ByteStream) => stream.write(new Uint8Array(2 ** 20))]) {
      const { caller, answerer } = localStreams()
      let isClosed = false
      caller.onClose(() => (isClosed = true))
      const done = node.grid.accept(answerer, doorkeeper)
      say(caller)
      await world.run(LIMITS.streamIdleMs + 100)
      await done
      expect(isClosed).toBe(true)
    }
    expect(await meets(node, world)).toBe(true)
  })

  it('from a member that holds the key breaks off at the first frame that is none', async () => {
    const { node, world } = target(6)
    const id = fc.uint8Array({ minLength: 16, maxLength: 16 })
    const entry = nearly(id, fc.nat(), fc.nat(), fc.nat())
    const blob = fc.uint8Array({ maxLength: 200 })
    const row = signedRow(LIAR)
    const inputs = fc.oneof(
      anyBytes(300),
      cborBytes,
      nearly(fc.constant('versions'), fc.array(entry, { maxLength: 30 })).map(asCbor),
      nearly(fc.constant('rows'), fc.array(nearly(fc.constantFrom(row.bytes, new Uint8Array(3)), blob, blob, blob))).map(asCbor),
      nearly(fc.constant('wants'), fc.array(id), fc.string()).map(asCbor),
      nearly(fc.constant('done')).map(asCbor),
    )
    const versions = encode(['versions', []])
    await withoutGrowth(() =>
      fuzz('frame', inputs, 80, async (frame) => {
        const { exchangesAnswered, exchangesFailed } = node.grid.counters
        const { caller, answerer } = localStreams()
        const done = node.grid.accept(answerer, doorkeeper)
        const sealed = await callSealed(caller, 0, hintOf(GRID_KEY), GRID_KEY, node.host.clock)
        sealed?.send(versions)
        for (let n = 0; n < 3; n++) sealed?.send(frame)
        sealed?.end()
        await world.run(20)
        await done
        expect(node.grid.counters.exchangesAnswered + node.grid.counters.exchangesFailed).toBe(exchangesAnswered + exchangesFailed + 1)
      }),
    )
    expect(node.grid.table.size).toBeLessThanOrEqual(2)
    expect(await meets(node, world)).toBe(true)
  })
})

function refused({ grid: { counters } }: VirtualNode): number {
  return counters.streamsRefused + counters.exchangesFailed + counters.linesRefused
}

function hintOf(gridKey: Uint8Array): Uint8Array {
  return createHash('sha256').update('midwatch grid key').update(gridKey).digest().subarray(0, 8)
}

/** Another node still gets its full exchange. */
async function meets(node: VirtualNode, world: VirtualWorld): Promise<boolean> {
  const other = virtualNode(world, 6, { seeds: [], probes: false })
  const met = other.grid.meet({ host: node.host.host, port: 8777 })
  await world.run(500)
  return met
}
