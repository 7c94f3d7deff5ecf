import type { Identity, NodeState } from '../../src/contract/index.ts'
import {
  Grid,
  KeyRing,
  keysOf,
  ringStateOf,
  type GridEvent,
  type LinkClaim,
  type NodeKeys,
  type Signed,
  type RingState,
} from '../../src/grid/index.ts'
import { LocalHealth } from '../../src/node/local-health.ts'
import { OwnLinks } from '../../src/node/own-links.ts'
import { isMember, judgeProbe, Peering, setNodes } from '../../src/node/peers.ts'
import { every } from '../../src/platform/index.ts'
import { createNodeProber } from '../../src/sense/index.ts'
import { addressOf, dieOf, randomnessOf, type VirtualHost, type VirtualWorld } from './virtual-network.ts'

export type VirtualNode = {
  readonly name: string
  readonly host: VirtualHost
  readonly identity: Identity
  readonly grid: Grid
  readonly links: OwnLinks
  readonly events: readonly (GridEvent & { readonly atMs: number })[]
  /** What was written down of incarnations and keys. */
  readonly written: { incarnation: number; ring: RingState }
  isRunning: boolean
  start(): void
  /** Starts as the program does: with the rows that it kept, and after hearing from others what the grid knows of it. */
  enter(kept: readonly Signed[]): void
  /** Has so many targets in its row, with one state. */
  setTargets(count: number, state: LinkClaim['state']): void
  /** As kill -9 does. */
  kill(): void
}

export type VirtualNodeOptions = {
  readonly seeds?: readonly string[]
  readonly incarnation?: number
  /** Probes every other node each second and makes its row of that, as the program does. Without, rows change only by hand. */
  readonly probes?: boolean
  readonly gridKey?: Uint8Array
  /** Its keys from an earlier start. */
  readonly ring?: RingState
  /** Tells no address: it can only call out. */
  readonly callsOut?: boolean
  /** Its address, where that does not follow from its number: a copy of another node. */
  readonly at?: string
  /** Sees everything that it signs. */
  readonly onSigned?: (bytes: Uint8Array) => void
  /** Sees its events as they happen. */
  readonly onEvent?: (event: GridEvent) => void
}

/** As the program waits for nodes that it knows. */
const MEET_MS = 400

export const GRID_KEY = randomnessOf(dieOf(1)).bytes(32)

/** One node of a virtual world: the real Grid and the real prober, wired as the node does it. `index` is its identity and its address. */
export function virtualNode(world: VirtualWorld, index: number, options: VirtualNodeOptions = {}): VirtualNode {
  const host = world.host(options.at ?? hostOf(index))
  const { clock, random, network } = host
  const keys = watched(keysAt(index), options.onSigned)
  const events: (GridEvent & { atMs: number })[] = []
  const written = { incarnation: options.incarnation ?? 1, ring: options.ring ?? ringStateOf(options.gridKey ?? GRID_KEY) }
  const links = new OwnLinks(clock)
  const health = new LocalHealth()
  const withProbes = options.probes ?? true
  const incarnations = new Map<Identity, number>()
  let isProbing = false
  let isDead = false
  let targets: LinkClaim[] = []
  const grid: Grid = new Grid({
    clock,
    random,
    network,
    keys,
    ring: new KeyRing(written.ring, keys, clock),
    saveRing: async (state) => void (written.ring = state),
    card: { id: `n${index}`, site: `s${index % 3}`, program: '0.0.0', address: options.callsOut ? null : addressOf(host.host) },
    incarnation: written.incarnation,
    reserveIncarnation: (incarnation) => (written.incarnation = incarnation),
    seeds: async () => (options.seeds ?? [hostOf(0)]).map((seed) => ({ host: seed, port: 8777 })),
    onEvent(event) {
      events.push({ ...event, atMs: world.nowMs })
      options.onEvent?.(event)
      if (event.type === 'member') updateDestinations()
      if (event.type !== 'row') return
      const incarnation = grid.table.get(event.identity)?.row.incarnation ?? 0
      const before = incarnations.get(event.identity)
      incarnations.set(event.identity, incarnation)
      if (before !== undefined && before !== incarnation) links.restart(event.identity)
      updateDestinations()
    },
    onProbe: (from, payload) => prober.receive(from, payload),
    onSeenAs: () => {},
  })
  const prober = createNodeProber({
    clock,
    random,
    send: (to, payload) => grid.sendProbe(to, payload),
    heardAgoMs: (from) => grid.member(from)?.heardAgoMs ?? null,
    isMember: (identity) => isMember(grid, identity),
    onUnanswered: (peer) => grid.unanswered(peer),
    onSample(peer, sample) {
      if (judgeProbe(grid, links, peer, sample)) publishLinks()
    },
  })
  function publishLinks(): void {
    grid.setLinks([...links.claims(), ...targets], health.reasons(grid.isIsolated))
  }
  const peering = new Peering({
    clock,
    probeEveryMs: 1_000,
    grid: () => grid,
    onPeers(peers, everyMs, callers) {
      prober.setPeers(peers, everyMs)
      setNodes(grid, links, peers, callers, [])
      publishLinks()
    },
  })
  function updateDestinations(): void {
    if (isProbing) peering.update()
  }
  host.onStream((stream) => void grid.accept(stream, { keyOf: () => null, answer: async () => {} }))
  return {
    name: `n${index}`,
    host,
    identity: keys.identity,
    grid,
    links,
    events,
    written,
    isRunning: false,
    start() {
      this.isRunning = true
      grid.start()
      if (withProbes) {
        isProbing = true
        updateDestinations()
        every(clock, 500, () => {
          publishLinks()
          grid.setFigures(links.figures())
        })
      }
    },
    enter(kept) {
      for (const signed of kept) grid.applyRow(signed)
      const seeds = (options.seeds ?? [hostOf(0)]).filter((seed) => seed !== host.host)
      const met = seeds.map(async (seed) => (await grid.meet({ host: seed, port: 8777 })) || Promise.reject(new Error('no answer')))
      let isWaiting = true
      const begin = (): void => {
        if (isWaiting && !isDead) this.start()
        isWaiting = false
      }
      void Promise.any(met).then(begin, begin)
      clock.after(MEET_MS, begin)
    },
    setTargets(count, state) {
      targets = Array.from({ length: count }, (_, at) => targetClaim(`target-${at}`, state))
      publishLinks()
    },
    kill() {
      isDead = true
      this.isRunning = false
      host.die()
      grid.stop()
    },
  }
}

export function keysAt(index: number): NodeKeys {
  return keysOf(randomnessOf(dieOf(7_000 + index)).bytes(32))
}

function watched(keys: NodeKeys, onSigned: (bytes: Uint8Array) => void = () => {}): NodeKeys {
  return {
    ...keys,
    sign(bytes) {
      onSigned(bytes)
      return keys.sign(bytes)
    },
  }
}

/** So many nodes, started within a second of each other; each knows only the first one's address. */
export function virtualNodes(world: VirtualWorld, count: number, options: VirtualNodeOptions = {}): VirtualNode[] {
  const nodes = Array.from({ length: count }, (_, index) => virtualNode(world, index, options))
  for (const node of nodes) node.host.clock.after(node.host.random.int(1_000), () => node.start())
  return nodes
}

export function hostOf(index: number): string {
  return `10.0.${index >> 8}.${index & 255}`
}

export function hashOf(node: VirtualNode): string {
  return Buffer.from(node.grid.table.hash()).toString('hex')
}

/** Do all running nodes hold the same table, of so many rows? */
export function agree(nodes: readonly VirtualNode[], rows = nodes.length): boolean {
  const running = nodes.filter((node) => node.isRunning)
  const [first] = running
  return first !== undefined && running.every((node) => node.grid.table.size === rows && hashOf(node) === hashOf(first))
}

/** Do all running nodes show this one so? */
export function allShow(nodes: readonly VirtualNode[], subject: VirtualNode, state: NodeState): boolean {
  return nodes.every((node) => !node.isRunning || node === subject || node.grid.member(subject.identity)?.state === state)
}

/** Every link of every running node up. */
export function allUp(nodes: readonly VirtualNode[]): boolean {
  return nodes.every(
    (node) =>
      !node.isRunning || (node.grid.row.links.length === nodes.length - 1 && node.grid.row.links.every((link) => link.state === 'up')),
  )
}

/** What membership said since, as `who: from>to`. */
export function turns(node: VirtualNode, sinceMs: number, nodes: readonly VirtualNode[]): string[] {
  const nameOf = (identity: Identity): string => nodes.find((other) => other.identity === identity)?.name ?? identity
  return node.events.flatMap((event) =>
    event.type === 'member' && event.atMs >= sinceMs ? [`${nameOf(event.identity)}: ${event.from}>${event.to}`] : [],
  )
}

/** A made-up link to a target. */
export function targetClaim(to: string, state: LinkClaim['state'] = 'up'): LinkClaim {
  return {
    toType: 'target',
    to,
    kind: 'tcp',
    state,
    dead: null,
    sinceMs: 0,
    detail: 'as it should be',
    address: `tcp://${to}.example.org:443`,
    site: 'far',
  }
}
