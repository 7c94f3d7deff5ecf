import { encode } from 'cborg'
import { createPrivateKey, createPublicKey } from 'node:crypto'
import type * as Crypto from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import type { Identity } from '../../src/contract/index.ts'
import { keysOf } from '../../src/grid/index.ts'
import { readRow as readOwnRow } from '../../src/grid/row.ts'
import { encodeMessage, encodePacket } from '../../src/grid/wire.ts'
import { identityBytes } from '../../src/grid/keys.ts'
import type { Address, ByteStream } from '../../src/platform/index.ts'
import { agree, allShow, allUp, GRID_KEY, targetClaim, virtualNode, virtualNodes } from '../support/virtual-grid.ts'
import { dieOf, GOOD_PATH, randomnessOf, VirtualWorld, type VirtualHost } from '../support/virtual-network.ts'
import { sealerOf } from '../support/wire-format.ts'
import { identityOf, KINDS_0_1_0, readDatagram, readPulse, readRow } from './0.1.0/reader.ts'
import { bytesOf, recordedGrid } from './recording.ts'

// The keys of a handshake, taken from the recording while there are any.
const handshakeKeys = vi.hoisted(() => [] as string[])
vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof Crypto>()
  const generateKeyPairSync = (...words: unknown[]): unknown => {
    const next = handshakeKeys.shift()
    if (next === undefined) return Reflect.apply(crypto.generateKeyPairSync, crypto, words)
    const privateKey = createPrivateKey({ key: Buffer.from(next, 'base64'), format: 'der', type: 'pkcs8' })
    return { privateKey, publicKey: createPublicKey(privateKey) }
  }
  return { ...crypto, generateKeyPairSync }
})

const RELEASE = '0.1.0'
const recording = recordedGrid(RELEASE)
const nodes = recording.seeds.map(({ identity, host, seed }) => ({ identity, host, keys: keysOf(bytesOf(seed)) }))
const [first, , third, fourth] = nodes as [(typeof nodes)[0], (typeof nodes)[0], (typeof nodes)[0], (typeof nodes)[0]]

/** A world that shows what its hosts send, and puts datagrams and streams on them by hand. */
function tappedWorld(seed: number) {
  const world = new VirtualWorld(seed)
  const sent: Uint8Array[] = []
  const listeners = new Map<string, (bytes: Uint8Array, from: Address) => void>()
  const makeHost = world.host.bind(world)
  let dialled: ByteStream | null = null
  world.host = (name): VirtualHost => {
    const host = makeHost(name)
    return {
      ...host,
      network: {
        ...host.network,
        send(lane, to, bytes) {
          sent.push(bytes)
          host.network.send(lane, to, bytes)
        },
        onDatagram(listener) {
          listeners.set(name, listener)
          host.network.onDatagram(listener)
        },
        dial: (to, timeoutMs) => (dialled ? Promise.resolve(dialled) : host.network.dial(to, timeoutMs)),
      },
    }
  }
  return {
    world,
    sent,
    deliver: (to: string, bytes: Uint8Array, from: string) => listeners.get(to)?.(bytes, { host: from, port: 8777 }),
    answerDialsWith: (stream: ByteStream) => (dialled = stream),
  }
}

/** A node of this release that hears what was said to the first node of the recording. */
function listening(seed: number) {
  const tapped = tappedWorld(seed)
  const node = virtualNode(tapped.world, 9, { seeds: [], gridKey: bytesOf(recording.gridKey) })
  const wire = tapped.world.host('10.9.9.9')
  for (const { atMs, from, to, bytes } of recording.datagrams)
    if (to === first.host) wire.clock.after(atMs, () => tapped.deliver(node.host.host, bytesOf(bytes), from))
  return { ...tapped, node }
}

/** One end of a stream whose other end says these bytes and no more. */
function saying(bytes: readonly string[]): { stream: ByteStream; written: Buffer } {
  const heard: Uint8Array[] = []
  return {
    stream: {
      remoteHost: '10.0.0.1',
      waitingBytes: () => 0,
      write: (written) => void heard.push(written),
      end: () => {},
      destroy: () => {},
      onData: (listener) => {
        for (const piece of bytes) listener(bytesOf(piece))
      },
      onClose: () => {},
    },
    get written() {
      return Buffer.concat(heard)
    },
  }
}

describe(`a grid of ${RELEASE}, as recorded`, () => {
  it('is on the map of this release: rows, heartbeats, links and who is up', async () => {
    const { world, node } = listening(1)
    node.start()
    await world.run(recording.settledMs)
    for (const { identity, row } of recording.rows) {
      const held = node.grid.table.get(identity)
      expect(held && { ...held.row, publicKey: Buffer.from(held.row.publicKey).toString('base64') }).toEqual(row)
      expect(held?.pulse?.beat).toBeGreaterThan(1)
      // The first is known by hearsay only: what it said itself was not recorded at this place.
      if (identity !== first.identity) expect(node.grid.member(identity)?.state).toBe('up')
    }
    const links = [...node.grid.table.entries()].flatMap(({ row }) => (row.identity === node.identity ? [] : row.links))
    expect(links.filter((link) => link.toType === 'node' && link.state === 'up')).toHaveLength(12)
    expect(node.grid.peers()).toEqual(nodes.map(({ identity }) => identity).sort())
    expect(node.grid.counters).toMatchObject({ messagesUnreadable: 0, rowsRefused: 0, refusedNotAuthentic: 0, refusedMalformed: 0 })
  })

  it('tells this release of a death', async () => {
    const { world, node } = listening(2)
    node.start()
    await world.run(recording.datagrams.at(-1)!.atMs + 100)
    expect(node.grid.counters.rumours).toBeGreaterThan(0)
    expect(node.grid.member(fourth.identity)?.state).toBe('down')
    expect(node.grid.member(third.identity)?.state).toBe('up')
  })

  it('gives this release its rows in a full exchange that it called for', async () => {
    const { node } = listening(3)
    handshakeKeys.push(recording.exchange.keys[1]!)
    const caller = saying(recording.exchange.caller)
    await node.grid.accept(caller.stream, { keyOf: () => null, answer: async () => {} })
    expect(node.grid.counters.exchangesAnswered).toBe(1)
    for (const identity of recording.exchange.callerHolds) expect(node.grid.table.get(identity)?.row.links.length).toBe(3)
  })

  it('gives this release its rows in a full exchange that this one called for, whose first bytes are the same', async () => {
    const { node, answerDialsWith } = listening(4)
    handshakeKeys.push(recording.exchange.keys[0]!)
    const answerer = saying(recording.exchange.answerer)
    answerDialsWith(answerer.stream)
    expect(await node.grid.meet({ host: third.host, port: 8777 })).toBe(true)
    expect(answerer.written.subarray(0, 45)).toEqual(Buffer.from(bytesOf(recording.exchange.caller[0]!)))
    for (const identity of recording.exchange.answererHolds)
      expect(node.grid.table.get(identity)?.row.links.length).toBeGreaterThanOrEqual(3)
  })
})

describe('a message of a later release', () => {
  it('is skipped and counted, and what stands around it is read', async () => {
    const { world, node, deliver } = listening(5)
    node.start()
    await world.run(100)
    const seal = sealerOf(GRID_KEY, randomnessOf(dieOf(1)))
    const recorded = recording.rows[1]!
    const row = encodeMessage({ type: 'row', bytes: bytesOf(recorded.bytes), signature: bytesOf(recorded.signature) })
    const unknown = [encode([200]), encode([1_000_000, 'what', { is: ['this'] }]), encode([3, 'not', 'a ping-req'])]
    const before = node.grid.counters.messagesUnreadable
    deliver(node.host.host, seal(encodePacket(identityBytes(first.identity), 1, [unknown[0]!, row, ...unknown.slice(1)])), first.host)
    expect(node.grid.counters.messagesUnreadable - before).toBe(unknown.length)
    expect(node.grid.table.get(recorded.identity)?.row.id).toBe('n1')
  })
})

describe('what this release sends', { timeout: 20_000 }, () => {
  it(`${RELEASE} can read: each of its kinds of message, in its shape, and every row and heartbeat`, async () => {
    const { world, sent } = tappedWorld(6)
    const grid = virtualNodes(world, 5)
    expect(await world.runUntil(() => allUp(grid) && agree(grid), 20_000)).not.toBeNull()
    // Long rows, losses, a dead path and a death bring out the rarer kinds.
    grid[1]!.links.setDestinations(
      grid[1]!.grid.peers(),
      Array.from({ length: 40 }, (_, at) => targetClaim(`target-${at}`)),
    )
    const ends = new Set([grid[0]!.host.host, grid[1]!.host.host])
    world.path = (from, to) => ({ ...GOOD_PATH, lossRatio: 0.1, isCut: ends.has(from) && ends.has(to) })
    await world.run(10_000)
    grid[4]!.kill()
    expect(await world.runUntil(() => allShow(grid, grid[4]!, 'down'), 20_000)).not.toBeNull()

    const read = sent.flatMap((datagram) => readDatagram(GRID_KEY, datagram) ?? ['unreadable' as const])
    expect(read.filter((one) => one === 'unreadable')).toEqual([])
    const known = read.filter((one) => typeof one === 'object')
    expect([...new Set(known.map(({ kind }) => kind))].sort()).toEqual(KINDS_0_1_0.map(([kind]) => kind).sort())
    const publicKeys = new Map(grid.map((node) => [node.identity, node.grid.row.publicKey]))
    for (const { kind, fields } of known) {
      const [bytes, signature] = fields as [Uint8Array, Uint8Array]
      if (kind === 'row') {
        const row = readRow(bytes, signature)
        expect(row && publicKeys.has(identityOf(row[1]) as Identity)).toBe(true)
      }
      if (kind === 'pulse') {
        const owner = Buffer.from(readOwnPulseIdentity(bytes)).toString('hex') as Identity
        expect(readPulse(bytes, signature, publicKeys.get(owner)!)?.[0]).toBe(1)
      }
    }
    for (const node of grid) expect(readOwnRow(node.grid.table.get(node.identity)!.signed.bytes)).not.toBeNull()
  })
})

/** The identity stands second in a pulse, after its format: 0x86, 1, 0x50 and 16 bytes. */
function readOwnPulseIdentity(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(3, 19)
}
