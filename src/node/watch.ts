import { linkKey, type Identity, type Settings } from '../contract/index.ts'
import type { Grid, LinkClaim, NodeKeys } from '../grid/index.ts'
import { createLoadMeter, droppedDatagrams, every, type Clock, type Randomness } from '../platform/index.ts'
import { createNodeProber, createProber, targetAddress } from '../sense/index.ts'
import type { Store } from '../store/index.ts'
import { LocalHealth } from './local-health.ts'
import { OwnLinks } from './own-links.ts'
import { isMember, judgeProbe, Peering, setNodes } from './peers.ts'

export type WatchOptions = {
  readonly clock: Clock
  readonly random: Randomness
  readonly settings: Settings
  readonly keys: NodeKeys
  readonly store: Store
  /** UDP port that the grid listens on. */
  readonly port: number
  grid(): Grid
  /** Called a few times a second: figures moved. */
  onTick(): void
}

export type Watch = {
  readonly ownLinks: OwnLinks
  start(): void
  stop(): Promise<void>
  /** A probe packet from another node. */
  receiveProbe(from: Identity, payload: Uint8Array): void
  /** The grid's nodes changed: probe those that are there now. */
  updatePeers(): void
  /** Milliseconds from the start of this process to the first probe of another node; null before. */
  firstProbeMs(): number | null
  counters(): { nodes: Record<string, number>; targets: Record<string, number> }
}

const TICK_MS = 500
/** What does not hurry is told together: each telling is a new row for everyone, and with many links something changes all the time. */
const CALM_MS_PER_LINK = 20
const DROPS_MS = 5_000

/** What this node sees for itself: probes go out, verdicts come in, and the grid is told. */
export function createWatch({ clock, random, settings, keys, store, port, grid, onTick }: WatchOptions): Watch {
  const ownLinks = new OwnLinks(clock)
  const health = new LocalHealth()
  const load = createLoadMeter()
  let stopTick = (): void => {}
  let stopDrops = (): void => {}
  let started = false

  const nodeProber = createNodeProber({
    clock,
    random,
    send: (to, payload) => grid().sendProbe(to, payload),
    heardAgoMs: (from) => grid().member(from)?.heardAgoMs ?? null,
    isMember: (identity) => isMember(grid(), identity),
    onUnanswered: (peer) => grid().unanswered(peer),
    onSample(peer, sample) {
      if (!sample.discount)
        store.record({ link: linkKey(keys.identity, 'node', peer), atMs: clock.wallMs(), ok: sample.ok, rttMs: sample.rttMs })
      const isFirst = ownLinks.verdict('node', peer)?.state === 'unknown'
      // That a new link is well is no news to hurry for, and a new node makes one on every other.
      if (judgeProbe(grid(), ownLinks, peer, sample) && !(isFirst && sample.ok)) publish()
    },
  })
  const prober = createProber({
    clock,
    random,
    observer: keys.identity,
    onSample(sample) {
      store.record(sample)
      if (ownLinks.judge('target', targetOf(sample.link), sample)) publish()
    },
    onCannot(link, detail) {
      if (ownLinks.cannot('target', targetOf(link), detail)) publish()
    },
  })
  const targets = settings.targets.map((target) => ({
    to: target.name,
    kind: target.kind,
    address: targetAddress(target),
    site: target.site ?? null,
  }))

  const peering = new Peering({
    clock,
    probeEveryMs: settings.probeEveryMs,
    grid,
    onPeers(peers, everyMs, callers) {
      nodeProber.setPeers(peers, everyMs)
      setNodes(grid(), ownLinks, peers, callers, targets)
      publish()
    },
  })

  function targetOf(link: string): string {
    return link.slice(linkKey(keys.identity, 'target', '').length)
  }

  let claims: readonly LinkClaim[] = []
  let claimedMs = 0
  function publish(canWait = false): void {
    const nowMs = clock.monoMs()
    if (!canWait || nowMs - claimedMs >= CALM_MS_PER_LINK * claims.length) {
      claims = ownLinks.claims()
      claimedMs = nowMs
    }
    grid().setLinks(claims, health.reasons(grid().isIsolated))
  }

  function updatePeers(): void {
    // Before the grid listens an answer would be missed, and count as a loss.
    if (started) peering.update()
  }

  return {
    ownLinks,
    start() {
      started = true
      updatePeers()
      prober.setTargets(settings.targets)
      prober.start()
      stopTick = every(clock, TICK_MS, () => {
        health.observe(load.longestMs(), clock.monoMs())
        publish(true)
        grid().setFigures(ownLinks.figures())
        onTick()
      })
      stopDrops = every(clock, DROPS_MS, () => void droppedDatagrams(port).then((dropped) => health.observeDrops(dropped, clock.monoMs())))
    },
    async stop() {
      stopTick()
      stopDrops()
      load.stop()
      peering.stop()
      nodeProber.stop()
      await prober.stop()
    },
    receiveProbe: (from, payload) => nodeProber.receive(from, payload),
    updatePeers,
    // The monotonic clock of the process began with it.
    firstProbeMs: () => nodeProber.firstSentMs,
    counters: () => ({ nodes: nodeProber.counters, targets: prober.counters() }),
  }
}
