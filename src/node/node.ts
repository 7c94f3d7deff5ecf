import { readFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { asMidwatchError, MidwatchError, splitHostPort, type Graph, type Identity, type JournalEvent, type Settings, type TargetSettings } from '../contract/index.ts'
import { acceptInvitation, createInvitations, Grid, gridName, keysOf, STREAM_FIRST_BYTE, type GridEvent, type Invitations, type LinkClaim, type NodeKeys } from '../grid/index.ts'
import {
  askForPriority,
  createLoadMeter,
  every,
  formatAddress,
  listenTcp,
  openNetwork,
  streamOf,
  systemClock,
  systemRandomness,
  type Address,
  type Network,
} from '../platform/index.ts'
import { createNodeProber, createProber, targetAddress } from '../sense/index.ts'
import { createServe, type NodeEvent, type NodePort } from '../serve/index.ts'
import { openStore } from '../store/index.ts'
import { rundown, statusText } from '../tell/index.ts'
import { advertise, localUrl, resolveAll } from './addresses.ts'
import { Chronicle, nameOf } from './chronicle.ts'
import { openDataDir, withoutDisk, type Memory } from './data-dir.ts'
import { doctorChecks } from './doctor.ts'
import { createLog, type Logger } from './log.ts'
import { counterMetrics, gauge, graphMetrics } from './metrics.ts'
import { LocalHealth, OwnLinks } from './own-links.ts'
import { PROGRAM_VERSION } from './version.ts'
import { Views } from './views.ts'

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

/** UDP source ports of the control plane, the listening one included. With two paths, three ports all take the dead one in one case of eight. */
const LANES = 4
const CONSOLE_DIRS = [join(import.meta.dirname, '../console'), join(import.meta.dirname, '../../dist/console')]
const GOODBYE_MS = 300
const TICK_MS = 500
const SAVE_PEERS_MS = 5_000

/** Builds a node out of its rooms and runs it. Errors: MW_DATA_DIR, MW_DATA_BUSY, MW_PORT, MW_GRID_KEY, MW_JOIN_…, MW_TLS. */
export async function startNode(options: StartOptions): Promise<RunningNode> {
  const { settings } = options
  const clock = systemClock
  const random = systemRandomness
  const startedAt = new Date(clock.wallMs()).toISOString()
  const log = createLog(settings.logLevel, options.log)
  askForPriority()
  // What was opened is closed in the opposite order, also when a later step fails.
  const closers: (() => Promise<void> | void)[] = []
  const closeAll = async (): Promise<void> => {
    for (const close of closers.splice(0).reverse()) {
      try {
        await close()
      } catch (error) {
        log.warn({ error: asMidwatchError(error) }, 'could not close everything')
      }
    }
  }
  try {
    return await build()
  } catch (error) {
    await closeAll()
    throw error
  }

  async function build(): Promise<RunningNode> {
    const memory = settings.ephemeral ? withoutDisk(random, process.env['MIDWATCH_TOKEN'] ?? null) : await openDataDir(settings.data, random)
    closers.push(() => memory.close())
    const keys = keysOf(await memory.identitySeed())
    const peersBefore = await memory.peers()
    const joined = options.invitation === undefined ? null : await join_(options.invitation, memory, keys, peersBefore)
    const firstKey = joined?.gridKey ?? (await gridKeyOf(options, memory, random))

    const { host, port: wantedPort } = splitHostPort(settings.listen)
    const udp = await openNetwork({ host, port: wantedPort, lanes: LANES })
    closers.push(() => udp.close())
    const network = options.simulation?.wrap(udp) ?? udp
    const advertised = await advertise(settings, udp.port)
    if (joined) advertised.seenAs(joined.seenAs)

    const store = await openStore({
      dir: memory.dir,
      budgetBytes: settings.storageMb * 1_048_576,
      keepSecondsMs: settings.keepSecondsMs,
      keepTensMs: settings.keepTensMs,
      keepMinutesMs: settings.keepMinutesMs,
      clock,
      onError: (error) => log.error({ code: error.code }, error.message),
    })
    closers.push(() => store.close())
    const chronicle = new Chronicle(store, clock)
    closers.push(() => chronicle.stop())

    const ownLinks = new OwnLinks(clock, () => {})
    const listeners = new Set<(event: NodeEvent) => void>()
    const tell = (event: NodeEvent): void => {
      views.changed()
      for (const listener of listeners) listener(event)
    }
    let current = await makeGrid(firstKey, [...settings.join, ...(joined?.peers ?? []), ...peersBefore])
    const views = new Views({ clock, ownLinks, store, simulated: options.simulation !== undefined, grid: () => current })

    // ── The grid ──

    async function makeGrid(gridKey: Uint8Array, seeds: readonly string[]): Promise<{ grid: Grid; name: string; invitations: Invitations; key: Uint8Array }> {
      const incarnation = (await memory.lastIncarnation()) + 1
      await memory.setIncarnation(incarnation)
      const grid = new Grid({
        clock,
        random,
        network,
        keys,
        gridKey,
        card: { id: settings.id, site: settings.site, program: PROGRAM_VERSION, address: formatAddress(advertised.current()) },
        incarnation,
        reserveIncarnation: (higher) => void memory.setIncarnation(higher),
        seeds: () => resolveAll(seeds),
        onEvent: (event) => onGridEvent(grid, event),
        onProbe: (from, payload) => nodeProber.receive(from, payload),
        onSeenAs: (seen) => {
          if (advertised.seenAs(seen)) grid.setAddress(formatAddress(advertised.current()))
        },
      })
      const invitations = createInvitations({
        clock,
        random,
        gridKey,
        peers: () => [formatAddress(advertised.current()), ...knownAddresses(grid)],
        onUsed: async (invitation, by) => {
          chronicle.append({ type: 'invitation.used', invitation, by })
          await store.flush()
        },
        onRefused: (reason) => chronicle.append({ type: 'invitation.refused', reason }),
      })
      return { grid, name: gridName(gridKey), invitations, key: gridKey }
    }

    const rowsBefore = new Map<Identity, { links: readonly LinkClaim[]; incarnation: number }>()
    function onGridEvent(grid: Grid, event: GridEvent): void {
      switch (event.type) {
        case 'pulse':
          views.learnFigures(event.identity)
          return tell({ type: 'links' })
        case 'row': {
          const row = grid.table.get(event.identity)?.row
          const before = rowsBefore.get(event.identity)
          if (row) {
            rowsBefore.set(event.identity, { links: row.links, incarnation: row.incarnation })
            chronicle.appendTurns(before?.links ?? [], row.links, row.id, (link) => nameOf(link, (identity) => grid.table.get(identity)?.row.id ?? identity.slice(0, 8)))
            if (before && row.incarnation !== before.incarnation && event.identity !== grid.self) ownLinks.restart(event.identity)
          }
          updateDestinations()
          return tell({ type: 'graph' })
        }
        case 'member': {
          const row = grid.table.get(event.identity)?.row
          if (row) chronicle.append({ type: 'member.changed', identity: event.identity, id: row.id, site: row.site, from: event.from, to: event.to })
          return tell({ type: 'graph' })
        }
        case 'forked': {
          const id = grid.table.get(event.identity)?.row.id ?? event.identity
          log.warn({ identity: event.identity, id }, 'a node told two different things under one version: it runs twice, or it lies')
          return chronicle.append({ type: 'row.forked', identity: event.identity, id, incarnation: event.incarnation, version: event.version })
        }
        case 'degraded':
          return chronicle.append({ type: 'observer.degraded', id: settings.id, reasons: [...event.reasons] })
      }
    }

    // ── Probes ──

    const nodeProber = createNodeProber({
      clock,
      random,
      everyMs: settings.probeEveryMs,
      send: (to, payload) => current.grid.sendProbe(to, payload),
      heardAgoMs: (from) => current.grid.member(from)?.heardAgoMs ?? null,
      onUnanswered: (peer) => current.grid.unanswered(peer),
      onSample(peer, sample) {
        if (!sample.discount) store.record({ link: `${keys.identity}>node:${peer}`, atMs: clock.wallMs(), ok: sample.ok, rttMs: sample.rttMs })
        if (ownLinks.judge('node', peer, { ...sample, detail: null })) publishLinks()
      },
    })
    const targets: readonly TargetSettings[] = settings.targets
    const nameOfLink = (link: string): string => link.slice(link.indexOf('>target:') + '>target:'.length)
    const prober = createProber({
      clock,
      random,
      observer: keys.identity,
      onSample(sample) {
        store.record(sample)
        if (ownLinks.judge('target', nameOfLink(sample.link), sample)) publishLinks()
      },
      onCannot: (link, detail) => {
        if (ownLinks.cannot(nameOfLink(link), detail)) publishLinks()
      },
    })
    closers.push(async () => {
      nodeProber.stop()
      await prober.stop()
    })

    const health = new LocalHealth()
    const load = createLoadMeter()
    closers.push(() => load.stop())

    function updateDestinations(): void {
      const peers = current.grid.peers()
      nodeProber.setPeers(peers)
      ownLinks.setDestinations(
        peers,
        targets.map((target) => ({ to: target.name, kind: target.kind, address: targetAddress(target), site: target.site ?? null })),
      )
      publishLinks()
    }

    function publishLinks(): void {
      current.grid.setLinks(ownLinks.claims(), health.reasons(current.grid.isIsolated))
    }

    // ── The one port ──

    const listener = await listenTcp(host, udp.port, (socket, firstByte) => {
      if (firstByte === STREAM_FIRST_BYTE) void current.grid.accept(streamOf(socket), current.invitations)
      else serve.handleSocket(socket)
    })
    closers.push(() => listener.close())

    const port: NodePort = {
      graph: () => views.graph(),
      rundown: () => rundown(views.graph()),
      nodes: () => views.nodes(),
      targets: () => views.targets(),
      why: (from, to) => views.why(from, to),
      history: (from, to, window) => views.history(from, to, window),
      timeline: (query) => chronicle.timeline(query),
      async invite() {
        const made = current.invitations.make([formatAddress(advertised.current())])
        const expiresAt = new Date(made.expiresAtMs).toISOString()
        chronicle.append({ type: 'invitation.made', invitation: made.invitation, expiresAt })
        return { command: `midwatch join ${made.token}`, token: made.token, expiresAt }
      },
      leave,
      doctor: async () => ({ checks: await doctorChecks({ settings, store, graph: views.graph(), advertised: advertised.current(), network: udp.counters }) }),
      demo: options.simulation?.demo ? recorded(options.simulation.demo) : null,
      ready: () => {
        const waits = nodeProber.firstSentMs === null && current.grid.peers().length > 0
        return { ready: !waits, waitingFor: waits ? 'the first probe' : null }
      },
      metrics,
      subscribe(listener) {
        listeners.add(listener)
        const stopListening = chronicle.listen((entry) => listener({ type: 'change', entry }))
        return () => {
          listeners.delete(listener)
          stopListening()
        }
      },
    }

    function recorded(demo: NonNullable<NodePort['demo']>): NonNullable<NodePort['demo']> {
      return {
        list: () => demo.list(),
        async set(id, on) {
          const after = await demo.set(id, on)
          chronicle.append({ type: 'fault.switched', fault: after.faults.find((fault) => fault.id === id)?.title ?? id, on })
          return after
        },
      }
    }

    function metrics() {
      const { queued, ...storeCounters } = store.counters()
      const { underWay, waiting, targets: targetCount, ...proberCounters } = prober.counters()
      const usage = process.resourceUsage()
      return [
        ...graphMetrics(views.graph()),
        gauge('resident_memory_bytes', 'memory of this process', process.memoryUsage.rss()),
        gauge('first_probe_seconds', 'from the start of the process to the first probe of another node; -1 before', firstProbeSeconds()),
        gauge('store_queued', 'samples and events that wait for the disk', queued),
        gauge('targets', 'targets that this node probes', targetCount),
        gauge('target_probes_under_way', 'probes of targets under way', underWay),
        gauge('target_probes_waiting', 'probes of targets that wait for a place', waiting),
        { name: 'midwatch_cpu_seconds_total', help: 'processor time of this process', type: 'counter' as const, values: [{ value: (usage.userCPUTime + usage.systemCPUTime) / 1e6 }] },
        ...counterMetrics('datagrams', 'datagrams of the grid', { sent: udp.counters.sent, received: udp.counters.received, sendErrors: udp.counters.sendErrors }),
        ...counterMetrics('datagram_bytes', 'bytes of datagrams', { sent: udp.counters.sentBytes, received: udp.counters.receivedBytes }),
        ...counterMetrics('grid', 'grid', current.grid.counters),
        ...counterMetrics('node_probes', 'probes of other nodes', nodeProber.counters),
        ...counterMetrics('target_probes', 'probes of targets', proberCounters),
        ...counterMetrics('store', 'storage', storeCounters),
      ]
    }

    function firstProbeSeconds(): number {
      // The monotonic clock of a Node.js process starts with it.
      return nodeProber.firstSentMs === null ? -1 : nodeProber.firstSentMs / 1_000
    }

    const serve = createServe({
      node: port,
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

    // ── Going ──

    let lastSaved = peersBefore.join()
    async function savePeers(): Promise<void> {
      const addresses = knownAddresses(current.grid)
      // Nobody there says nothing about where they were.
      if (addresses.length === 0 || addresses.join() === lastSaved) return
      lastSaved = addresses.join()
      await memory.setPeers(addresses)
    }

    async function leave(): Promise<void> {
      current.grid.leave()
      await pause(GOODBYE_MS)
      current.grid.stop()
      const ownKey = random.bytes(32)
      await memory.setGridKey(ownKey)
      await memory.setPeers([])
      rowsBefore.clear()
      current = await makeGrid(ownKey, [])
      current.grid.start()
      updateDestinations()
      tell({ type: 'graph' })
    }

    const pause = (delayMs: number): Promise<void> => new Promise((resolve) => void clock.after(delayMs, resolve))

    const stopTick = every(clock, TICK_MS, () => {
      health.observe(load.longestMs(), clock.monoMs())
      publishLinks()
      current.grid.setFigures(ownLinks.figures())
      tell({ type: 'links' })
    })
    const stopSaving = every(clock, SAVE_PEERS_MS, () => void savePeers().catch((error: unknown) => log.warn(asMidwatchError(error).message)))
    closers.push(() => {
      stopTick()
      stopSaving()
      current.grid.stop()
    })

    await meetFirst(current.grid)
    chronicle.append({ type: 'node.started', id: settings.id, site: settings.site, incarnation: current.grid.row.incarnation, program: PROGRAM_VERSION })
    current.grid.start()
    updateDestinations()
    prober.setTargets(targets)
    prober.start()
    await savePeers()
    const url = localUrl(settings.listen, udp.port)
    await memory.setRunning({ url, id: settings.id, startedAt })
    log.info({ id: settings.id, site: settings.site, grid: current.name, listen: settings.listen, program: PROGRAM_VERSION }, 'node started')

    let stopped = (): void => {}
    const whenStopped = new Promise<void>((resolve) => (stopped = resolve))
    let stopping: Promise<void> | null = null
    return {
      id: settings.id,
      site: settings.site,
      gridName: current.name,
      listen: formatAddress({ host, port: udp.port }),
      dataDir: memory.dir,
      consoleLink: serve.consoleLink(url),
      stopped: whenStopped,
      stop(reason) {
        stopping ??= (async () => {
          const event: JournalEvent = { type: 'node.stopped', reason }
          chronicle.append(event)
          await savePeers().catch(() => {})
          await closeAll()
          log.info({ reason }, 'node stopped')
          stopped()
        })()
        return stopping
      },
    }

    /** Learns from a seed what the grid knows of this node, before it speaks; and with it, everything else. */
    async function meetFirst(grid: Grid): Promise<void> {
      const seeds = await resolveAll([...new Set([...settings.join, ...(joined?.peers ?? []), ...peersBefore])].slice(0, 8))
      if (seeds.length === 0) return
      const others = seeds.filter((seed) => formatAddress(seed) !== formatAddress(advertised.current()))
      await Promise.race([Promise.any(others.map((seed) => metOrThrow(grid, seed))).catch(() => {}), pause(settings.join.length > 0 || joined ? 800 : 400)])
    }

    async function metOrThrow(grid: Grid, seed: Address): Promise<void> {
      if (!(await grid.meet(seed))) throw new MidwatchError('MW_JOIN_UNREACHABLE', formatAddress(seed))
    }
  }

  async function join_(token: string, memory: Memory, keys: NodeKeys, peersBefore: readonly string[]): Promise<{ gridKey: Uint8Array; peers: readonly string[]; seenAs: string }> {
    const known = options.gridKeyHex ?? ((await memory.gridKey()) && peersBefore.length > 0)
    if (known) throw new MidwatchError('MW_IN_GRID', 'this node has a grid key and has met other nodes')
    const invited = await acceptInvitation(token, keys.identity, (hostPort) => dial(hostPort), clock)
    await memory.setGridKey(invited.gridKey)
    await memory.setPeers([...invited.peers])
    return invited
  }
}

async function dial(hostPort: string) {
  const { dialTcp, resolveHost } = await import('../platform/index.ts')
  const { host, port } = splitHostPort(hostPort)
  return dialTcp({ host: await resolveHost(host), port }, 3_000)
}

async function gridKeyOf(options: StartOptions, memory: Memory, random: { bytes(count: number): Uint8Array }): Promise<Uint8Array> {
  if (options.gridKeyHex !== null) return new Uint8Array(Buffer.from(options.gridKeyHex, 'hex'))
  const known = await memory.gridKey()
  if (known) return known
  const key = random.bytes(32)
  await memory.setGridKey(key)
  return key
}

function knownAddresses(grid: Grid): string[] {
  return [...grid.table.entries()].filter(({ row }) => row.identity !== grid.self && !row.left && row.address !== null).map(({ row }) => row.address as string)
}

async function readTls(settings: Settings): Promise<{ cert: string; key: string } | null> {
  if (!settings.tlsCert || !settings.tlsKey) return null
  try {
    return { cert: await readFile(settings.tlsCert, 'utf8'), key: await readFile(settings.tlsKey, 'utf8') }
  } catch (error) {
    throw new MidwatchError('MW_TLS', error instanceof Error ? error.message : String(error), { cause: error })
  }
}

export type { Graph, Logger }
