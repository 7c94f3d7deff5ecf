/**
 * Records what this release says on the wire and leaves on the disk, so that later ones can be tested against it:
 *
 *   node test/upgrade/record.ts        writes grid, folder and database (.json.gz) to test/upgrade/<version>/
 *
 * Run it once, in the checkout of a release, before the next one changes anything. An earlier release is recorded by copying this folder
 * into its checkout; the files of 0.1.0 were made so.
 *
 * The keys in the recordings were made for them and open nothing else.
 */
import crypto from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { DatabaseSync } from 'node:sqlite'
import { Settings, type SamplePoint } from '../../src/contract/index.ts'
import { startNode } from '../../src/node/index.ts'
import { PROGRAM_VERSION } from '../../src/node/version.ts'
import type { ByteStream, Network } from '../../src/platform/index.ts'
import { openDatabase } from '../../src/store/database.ts'
import { canonicalJson } from '../../src/store/journal.ts'
import { until } from '../support/until.ts'
import { agree, allUp, GRID_KEY, hashOf, targetClaim, virtualNode, type VirtualNode } from '../support/virtual-grid.ts'
import { dieOf, randomnessOf, VirtualWorld } from '../support/virtual-network.ts'
import {
  RECORDED_KEEP,
  RECORDED_SAMPLES,
  type RecordedDatabase,
  type RecordedFolder,
  type RecordedGrid,
  type RecordedStream,
} from './recording.ts'
import { startTcpService } from './service.ts'

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const out = join(import.meta.dirname, PROGRAM_VERSION)
mkdirSync(out, { recursive: true })
write('grid.json.gz', await recordGrid())
write('folder.json.gz', await recordFolder())
write('database.json.gz', recordDatabase())

function write(name: string, recording: unknown): void {
  writeFileSync(join(out, name), gzipSync(JSON.stringify(recording), { level: 9 }))
}

/** Four nodes on virtual time: they find each other, one has a row of many parts, one dies and is called dead. */
async function recordGrid(): Promise<RecordedGrid> {
  const world = new VirtualWorld(2026)
  const datagrams: RecordedGrid['datagrams'][number][] = []
  const streams: RecordedStream[] = []
  const makeHost = world.host.bind(world)
  world.host = (name) => {
    const host = makeHost(name)
    const network: Network = {
      ...host.network,
      send(lane, to, bytes) {
        datagrams.push({ atMs: Math.round(world.nowMs), from: name, to: to.host, lane, bytes: base64(bytes) })
        host.network.send(lane, to, bytes)
      },
      dial: async (to, timeoutMs) => recorded(await host.network.dial(to, timeoutMs), streams),
    }
    return { ...host, network }
  }

  const nodes = [0, 1, 2, 3].map((index) => virtualNode(world, index))
  const [first, second, third, fourth] = nodes as [VirtualNode, VirtualNode, VirtualNode, VirtualNode]
  for (const node of nodes) node.start()
  if ((await world.runUntil(() => agree(nodes) && allUp(nodes), 20_000)) === null) throw new Error('the grid to record did not settle')
  // A row of several datagrams.
  const targets = Array.from({ length: 30 }, (_, at) => targetClaim(`target-${at}`))
  fourth.links.setDestinations(fourth.grid.peers(), targets)
  await world.run(6_000)
  if (!agree(nodes)) throw new Error('the grid to record does not agree')
  const settledMs = Math.round(world.nowMs)
  const rows = nodes.map((node) => {
    const { row, signed } = first.grid.table.get(node.identity)!
    return {
      identity: node.identity,
      bytes: base64(signed.bytes),
      signature: base64(signed.signature),
      row: { ...row, publicKey: base64(row.publicKey) },
    }
  })
  const hash = hashOf(first)
  fourth.kill()
  if ((await world.runUntil(() => first.grid.member(fourth.identity)?.state === 'down', 10_000)) === null)
    throw new Error('nobody saw the death')
  await world.run(500)

  // A full exchange between two that hold a half each, with the keys that both sides made for it.
  const [caller, answerer] = [20, 21].map((index) => virtualNode(world, index, { probes: false, seeds: [] })) as [VirtualNode, VirtualNode]
  for (const [taker, owners] of [
    [caller, [first, second]],
    [answerer, [third, fourth]],
  ] as const)
    for (const owner of owners) taker.grid.applyRow(first.grid.table.get(owner.identity)!.signed)
  const keys = keysMade()
  streams.length = 0
  const met = caller.grid.meet({ host: answerer.host.host, port: 8777 })
  await world.run(1_000)
  if (!(await met)) throw new Error('the exchange to record broke off')
  return {
    release: PROGRAM_VERSION,
    gridKey: base64(GRID_KEY),
    seeds: nodes.map((node, index) => ({
      identity: node.identity,
      host: node.host.host,
      seed: base64(randomnessOf(dieOf(7_000 + index)).bytes(32)),
    })),
    settledMs,
    hash,
    rows,
    datagrams,
    exchange: {
      ...streams[0]!,
      callerHolds: [first.identity, second.identity],
      answererHolds: [third.identity, fourth.identity],
      keys: keys.stop(),
    },
  }
}

function recorded(stream: ByteStream, streams: RecordedStream[]): ByteStream {
  const said: { caller: string[]; answerer: string[] } = { caller: [], answerer: [] }
  streams.push(said)
  return {
    ...stream,
    write(bytes) {
      said.caller.push(base64(bytes))
      stream.write(bytes)
    },
    onData: (listener) =>
      stream.onData((bytes) => {
        said.answerer.push(base64(bytes))
        listener(bytes)
      }),
  }
}

/** The ephemeral keys of a handshake, in the order that they are made in: the caller's, then the answerer's. */
function keysMade(): { stop(): string[] } {
  const make = crypto.generateKeyPairSync
  const made: string[] = []
  crypto.generateKeyPairSync = ((...words: Parameters<typeof make>) => {
    const pair = make(...words)
    made.push(base64(pair.privateKey.export({ format: 'der', type: 'pkcs8' })))
    return pair
  }) as typeof make
  syncBuiltinESMExports()
  return {
    stop() {
      crypto.generateKeyPairSync = make
      syncBuiltinESMExports()
      return made
    },
  }
}

/** Two real nodes and a service on loopback for some seconds; then one ends, and later the other, whose folder is kept. */
async function recordFolder(): Promise<RecordedFolder> {
  const root = mkdtempSync(join(tmpdir(), 'midwatch-record-'))
  const service = await startTcpService()
  try {
    const keyHex = Buffer.from(randomnessOf(dieOf(77)).bytes(32)).toString('hex')
    const start = (id: string, more: object) =>
      startNode({
        settings: Settings.parse({ id, data: join(root, id), listen: '127.0.0.1:0', logLevel: 'silent', ...more }),
        gridKeyHex: null,
        log: 'json',
      })
    for (const id of ['kept', 'other']) {
      mkdirSync(join(root, id))
      writeFileSync(join(root, id, 'grid-key'), `${keyHex}\n`)
    }
    const kept = await start('kept', { targets: [{ kind: 'tcp', name: 'shop', host: '127.0.0.1', port: service.port, everyMs: 500 }] })
    const other = await start('other', { site: 'away', join: [kept.listen] })
    const dir = join(root, 'kept')
    const rowsKept = (): number => (JSON.parse(readFileSync(join(dir, 'rows.json'), 'utf8')) as { rows: unknown[] }).rows.length
    await until('the other is written down', () => rowsKept() === 1, 60_000)
    await other.stop('SIGTERM')
    await new Promise((resolve) => setTimeout(resolve, 5_000))
    await kept.stop('SIGTERM')
    const names = readdirSync(dir).sort()
    return { release: PROGRAM_VERSION, files: Object.fromEntries(names.map((name) => [name, base64(readFileSync(join(dir, name)))])) }
  } finally {
    await service.close()
    rmSync(root, { recursive: true, force: true })
  }
}

/** A database with something in each of its tables, written at fixed times. */
function recordDatabase(): RecordedDatabase {
  const root = mkdtempSync(join(tmpdir(), 'midwatch-record-'))
  try {
    const path = join(root, 'midwatch.db')
    const { fromMs, toMs, links } = RECORDED_SAMPLES
    const open = () => openDatabase(path, RECORDED_KEEP, (message) => expectNothing(message))
    const database = open()
    for (let atMs = fromMs; atMs < toMs; atMs += 10_000) {
      const turn = { atMs, json: canonicalJson({ type: 'node.stopped', reason: `at ${atMs}` }) }
      const samples = [
        {
          link: links.own,
          told: false,
          atMs,
          sent: 1,
          lost: atMs % 70_000 === 0 ? 1 : 0,
          rttMs: atMs % 70_000 === 0 ? null : 1 + (atMs % 7),
        },
        { link: links.told, told: true, atMs, sent: 5, lost: 1, rttMs: 3 },
      ]
      database.write([turn], samples, atMs)
      database.upkeep(atMs)
    }
    const ask = (link: string, stepMs: number) => database.answer({ type: 'history', link, fromMs, toMs, stepMs }) as SamplePoint[]
    const history = { own: { '1000': ask(links.own, 1_000), '60000': ask(links.own, 60_000) }, told: { '60000': ask(links.told, 60_000) } }
    const head = (database.answer({ type: 'journal', beforeSeq: Number.MAX_SAFE_INTEGER, limit: 1 }) as { seq: number; hash: string }[])[0]!
    database.answer({ type: 'close' })
    const file = new DatabaseSync(path)
    const userVersion = Number(file.prepare('PRAGMA user_version').get()!['user_version'])
    file.close()
    return { release: PROGRAM_VERSION, userVersion, file: base64(readFileSync(path)), head: { seq: head.seq, hash: head.hash }, history }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

function expectNothing(message: string): never {
  throw new Error(message)
}
