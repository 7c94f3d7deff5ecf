import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { asMidwatchError, MidwatchError, splitHostPort, type GraphLink, type Settings } from '../contract/index.ts'
import { acceptInvitation, isOfRing, keysOf, ringStateOf, STREAM_FIRST_BYTE, type Invited, type RingState } from '../grid/index.ts'
import {
  askForPriority,
  dialTcp,
  every,
  formatAddress,
  listenTcp,
  openNetwork,
  resolveHost,
  streamOf,
  systemClock,
  systemRandomness,
  type ByteStream,
  type Network,
} from '../platform/index.ts'
import { createServe, type NodePort } from '../serve/index.ts'
import { openStore } from '../store/index.ts'
import { statusText } from '../tell/index.ts'
import { advertise, localUrl } from './addresses.ts'
import { Chronicle } from './chronicle.ts'
import { openDataDir, withoutDisk, type Memory } from './data-dir.ts'
import { createLog } from './log.ts'
import { Recorder } from './recorder.ts'
import { Changes, createPort } from './port.ts'
import { refusedByGrid, Refusals } from './refusals.ts'
import { Seat } from './seat.ts'
import { PROGRAM_VERSION } from './version.ts'
import { Views } from './views.ts'
import { createWatch } from './watch.ts'

export type StartOptions = {
  readonly settings: Settings
  /** The grid key where it is given from outside, as 64 hex digits. */
  readonly gridKeyHex: string | null
  /** A token of `midwatch invite`, to join by. */
  readonly invitation?: string
  readonly log: 'json' | 'pretty'
  /** In the demo: the relay's way to the other nodes, and its faults. */
  readonly simulation?: { wrap<T extends Network & { readonly port: number }>(network: T): T; readonly demo: NodePort['demo'] }
}

export type RunningNode = {
  readonly id: string
  readonly site: string
  readonly gridName: string
  readonly listen: string
  readonly dataDir: string | null
  readonly consoleLink: string
  /** Settles when the node has stopped, for whatever reason. */
  readonly stopped: Promise<void>
  stop(reason: string): Promise<void>
}

/** UDP source ports, the listening one included. With two paths, three control ports all take the dead one in one case of eight. */
const LANES = 4
const DIAL_MS = 3_000
const SAVE_MS = 10_000
const CONSOLE_DIRS = [join(import.meta.dirname, '../console'), join(import.meta.dirname, '../../dist/console')]

/** Builds a node out of its rooms and runs it. Errors: MW_DATA_DIR, MW_DATA_BUSY, MW_PORT, MW_JOIN_…, MW_INVITATION, MW_IN_GRID, MW_TLS. */
export async function startNode(options: StartOptions): Promise<RunningNode> {
  const closers: Closers = []
  try {
    return await build(options, closers)
  } catch (error) {
    await closeAll(closers)
    throw error
  }
}

/** What was opened, to be closed in the opposite order, also when a later step of the start fails. */
type Closers = (() => Promise<void> | void)[]

async function closeAll(closers: Closers): Promise<void> {
  for (const close of closers.splice(0).toReversed()) await (async () => close())().catch(() => {})
}

async function build(options: StartOptions, closers: Closers): Promise<RunningNode> {
  const { settings } = options
  const clock = systemClock
  const random = systemRandomness
  const startedAt = new Date(clock.wallMs()).toISOString()
  const log = createLog(settings.logLevel, options.log)
  askForPriority()

  const memory = settings.ephemeral ? withoutDisk(random, process.env['MIDWATCH_TOKEN'] ?? null) : await openDataDir(settings.data, random)
  closers.push(() => memory.close())
  const knownPeers = await memory.peers()
  const invited = options.invitation === undefined ? null : await joinBy(options.invitation, options, memory, knownPeers)
  const keys = keysOf(await memory.identitySeed())
  const ring = invited ? ringStateOf(invited.gridKey) : await ringOf(options, memory)

  const { host, port: wantedPort } = splitHostPort(settings.listen)
  const udp = await openNetwork({ host, port: wantedPort, lanes: LANES })
  closers.push(() => udp.close())
  const network = options.simulation?.wrap(udp) ?? udp
  const advertised = await advertise(settings, udp.port)
  if (invited) advertised.seenAs(invited.seenAs)

  // A damaged database is replaced while it is opened: then there is no recorder yet, and it will begin anew anyway.
  let onFresh = (): void => {}
  const store = await openStore({
    dir: memory.dir,
    budgetBytes: settings.storageMb * 1_048_576,
    keepSecondsMs: settings.keepSecondsMs,
    keepTensMs: settings.keepTensMs,
    keepMinutesMs: settings.keepMinutesMs,
    clock,
    onError: (error) => log.error({ code: error.code }, error.message),
    onFresh: () => onFresh(),
  })
  closers.push(() => store.close())
  const chronicle = new Chronicle(store, clock)
  closers.push(() => chronicle.stop())

  const recorder: Recorder = new Recorder({ clock, store, grid: () => seat.grid, gridName: () => seat.name })
  closers.push(() => recorder.stop())
  onFresh = () => recorder.begin()
  const changes = new Changes()
  const seat: Seat = new Seat(
    {
      clock,
      random,
      settings,
      keys,
      network,
      memory,
      advertised,
      chronicle,
      log,
      onProbe: (from, payload) => watch.receiveProbe(from, payload),
      onFigures: (identity) => views.learnFigures(identity),
      onFacts: (identity) => recorder.noticed(identity),
      labelOf: (identity) => views.labelOf(identity),
      onRestart: (identity) => watch.ownLinks.restart(identity),
      onRows(whole) {
        if (whole) watch.updatePeers()
        views.changed()
        if (whole) chronicle.appendConflicts(views.relabel())
        changes.tell({ type: whole ? 'graph' : 'links' })
      },
    },
    [...settings.join, ...(invited?.peers ?? []), ...knownPeers],
  )
  const watch = createWatch({
    clock,
    random,
    settings,
    keys,
    store,
    port: udp.port,
    grid: () => seat.grid,
    onTick: () => changes.tell({ type: 'links' }),
  })
  const simulated = options.simulation !== undefined
  const turns = (link: GraphLink, fromMs: number) => chronicle.turns(link, fromMs)
  const views = new Views({ clock, ownLinks: watch.ownLinks, store, seat, simulated, turns })
  await seat.take(ring)
  closers.push(() => watch.stop())

  const serve = createServe({
    node: createPort(
      {
        settings,
        seat,
        watch,
        views,
        past: { clock, store, recorder, simulated },
        chronicle,
        store,
        network: udp.counters,
        demo: options.simulation?.demo ?? null,
        advertised: () => advertised.current(),
      },
      changes,
    ),
    clock,
    random,
    token: await memory.token(),
    consoleDir: CONSOLE_DIRS.find((dir) => existsSync(dir)) ?? null,
    open: settings.open,
    hosts: settings.hosts,
    tls: await readTls(settings),
    metricsOpen: settings.metrics,
    program: PROGRAM_VERSION,
    statusText,
    unexpected: (error) => log.error({ error: asMidwatchError(error).message }, 'the API met something unexpected'),
  })
  closers.push(() => serve.close())
  const refusals = new Refusals(clock, log, () => ({ ...refusedByGrid(seat.grid), ...serve.refusals() }))
  closers.push(() => refusals.stop())
  const listener = await listenTcp(host, udp.port, (socket, firstByte) => {
    if (firstByte === STREAM_FIRST_BYTE) void seat.grid.accept(streamOf(socket), seat.invitations)
    else serve.handleSocket(socket)
  })
  closers.push(() => listener.close())

  await seat.enter()
  closers.push(() => seat.close())
  chronicle.append({
    type: 'node.started',
    id: settings.id,
    site: settings.site,
    incarnation: seat.grid.row.incarnation,
    program: PROGRAM_VERSION,
  })
  recorder.start()
  watch.start()
  const save = (): Promise<void> =>
    seat.save().catch((error: unknown) => log.warn({ error: asMidwatchError(error).message }, 'cannot keep what is known of the others'))
  await save()
  closers.push(every(clock, SAVE_MS, () => void save()))
  const url = localUrl(settings.listen, udp.port)
  await memory.setRunning({ url, id: settings.id, startedAt })
  log.info({ id: settings.id, site: settings.site, grid: seat.name, listen: settings.listen, program: PROGRAM_VERSION }, 'node started')

  const { promise: stopped, resolve: setStopped } = Promise.withResolvers<void>()
  let stopping: Promise<void> | null = null
  return {
    id: settings.id,
    site: settings.site,
    gridName: seat.name,
    listen: formatAddress({ host, port: udp.port }),
    dataDir: memory.dir,
    consoleLink: serve.consoleLink(url),
    stopped,
    stop(reason) {
      stopping ??= (async () => {
        chronicle.append({ type: 'node.stopped', reason })
        await save()
        await closeAll(closers)
        log.info({ reason }, 'node stopped')
        setStopped()
      })()
      return stopping
    },
  }
}

async function joinBy(token: string, options: StartOptions, memory: Memory, knownPeers: readonly string[]): Promise<Invited> {
  const ring = await memory.ring()
  // A key that this node made for itself, and that nobody else has met, is no grid to lose.
  const isInGrid = options.gridKeyHex !== null || ((await memory.gridKey()) !== null && knownPeers.length > 0)
  if (isInGrid && !ring?.outcast) throw new MidwatchError('MW_IN_GRID', 'this node has a grid key and knows other nodes')
  const dial = async (hostPort: string): Promise<ByteStream> => {
    const { host, port } = splitHostPort(hostPort)
    return dialTcp({ host: await resolveHost(host), port }, DIAL_MS)
  }
  const ask = (seed: Uint8Array): Promise<Invited> => acceptInvitation(token, keysOf(seed).identity, dial, systemClock)
  const invited = await ask(await memory.identitySeed()).catch(async (error: unknown) => {
    // A removed node that its owner invites again comes in as a new one.
    if (!(error instanceof MidwatchError) || error.code !== 'MW_REMOVED') throw error
    return ask(await memory.renewIdentity())
  })
  await memory.setRing(null)
  await memory.setGridKey(invited.gridKey)
  await memory.setPeers(invited.peers)
  return invited
}

/** The keys to begin with. A key that was given, or the one in its own file, may be older than the ring: then the ring goes on. */
async function ringOf(options: StartOptions, memory: Memory): Promise<RingState> {
  const [ring, kept] = [await memory.ring(), await memory.gridKey()]
  const key = options.gridKeyHex === null ? kept : new Uint8Array(Buffer.from(options.gridKeyHex, 'hex'))
  if (ring && (!key || isOfRing(key, ring))) return ring
  if (key) return ringStateOf(key)
  const first = systemRandomness.bytes(32)
  await memory.setGridKey(first)
  return ringStateOf(first)
}

async function readTls(settings: Settings): Promise<{ cert: string; key: string } | null> {
  if (!settings.tlsCert || !settings.tlsKey) return null
  try {
    return { cert: await readFile(settings.tlsCert, 'utf8'), key: await readFile(settings.tlsKey, 'utf8') }
  } catch (error) {
    throw new MidwatchError('MW_TLS', error instanceof Error ? error.message : String(error), { cause: error })
  }
}
