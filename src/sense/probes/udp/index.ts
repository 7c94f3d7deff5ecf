import { LIMITS, type Identity } from '../../../contract/index.ts'
import type { Clock, Randomness } from '../../../platform/index.ts'
import { decodeProbe, encodeProbe } from './packet.ts'

/** What one probe of another node measured. */
export type NodeSample = {
  readonly ok: boolean
  readonly rttMs: number | null
  /** Time since anything authentic from it arrived here; null for never. */
  readonly heardAgoMs: number | null
  /** By its own latest word: time since anything from here arrived there; null when it has not said. */
  readonly theyHeardAgoMs: number | null
  /** This node stalled while it waited: the loss proves nothing. */
  readonly discount: boolean
}

export type NodeProberOptions = {
  readonly clock: Clock
  readonly random: Randomness
  send(to: Identity, payload: Uint8Array): void
  heardAgoMs(from: Identity): number | null
  /** Is it in the grid now? Its probes are answered, whether or not it is probed from here. */
  isMember(identity: Identity): boolean
  onSample(peer: Identity, sample: NodeSample): void
  /** Two probes in a row got no answer: others should be asked. */
  onUnanswered(peer: Identity): void
}

export type NodeProber = {
  /** Who is to be probed, and how often each. New ones begin at a random moment of the period, so that their probes spread in time. */
  setPeers(peers: readonly Identity[], everyMs: number): void
  receive(from: Identity, payload: Uint8Array): void
  stop(): void
  readonly counters: { sent: number; answered: number; late: number; lost: number; discounted: number; unreadable: number }
  /** Monotonic time of the first probe sent; null before. */
  readonly firstSentMs: number | null
}

const TIMING = {
  /** No answer within this counts as lost: three times the usual round trip and a little, within bounds. */
  timeoutMinMs: 300,
  timeoutMaxMs: 1_500,
  timeoutFirstMs: 1_000,
  /** A first loss is confirmed at once, not a period later: probes at these delays, so that a dead link is known in about a second. */
  confirmAtMs: [0, 120, 240],
  /** So is a first answer after losses: as many quick probes as a link that flapped may have to answer before it counts as up again. */
  welcomeProbes: 12,
  welcomeEveryMs: 70,
  /**
   * Quick probes that one peer may get at once; each period allows one more. Enough to see two outages begin and end, and in the long run no
   * more than twice the usual rate: on a way that loses two in five, every loss and every answer would set off more than one new probe.
   */
  quickProbes: 30,
  /** Failures in a row after which the quick probes stop. */
  confirmed: 4,
  /** A timer that fires this late shows that this process stalled. What arrived meanwhile still lies in the socket: read it first. */
  stallMs: 50,
  graceMs: 80,
  /** An answer is still worth hearing so long after its time-out. */
  lateMs: 3_000,
  /** What a node said with its probes is forgotten after so long without one: longer than the longest pause between two. */
  forgetMs: 7_200_000,
} as const

/** The one flow of each pair, until there are many. */
const FLOW = 0

type Peer = {
  sequence: number
  pending: Map<number, { sentMs: number; cancel(): void }>
  /** Timed out, but may still be answered. */
  missed: Map<number, number>
  smoothedRttMs: number | null
  failures: number
  /** Answers in a row that it still owes after an outage, before it may count as up again. */
  owed: number
  /** Quick probes that it may still get, as of `atMs`. */
  quick: { left: number; atMs: number }
  timers: Set<() => void>
}

/** What a node that sent probe packets here said with them. */
type Sender = { requestsReceived: number; theyHeard: { agoMs: number; saidMs: number } | null; lastMs: number }

export function createNodeProber(options: NodeProberOptions): NodeProber {
  const { clock, random } = options
  const peers = new Map<Identity, Peer>()
  /** The longest silent first. */
  const senders = new Map<Identity, Sender>()
  const counters = { sent: 0, answered: 0, late: 0, lost: 0, discounted: 0, unreadable: 0 }
  let firstSentMs: number | null = null
  let everyMs = 0

  function later(peer: Peer, delayMs: number, callback: () => void): () => void {
    const cancel = clock.after(delayMs, () => {
      peer.timers.delete(cancel)
      callback()
    })
    peer.timers.add(cancel)
    return () => {
      cancel()
      peer.timers.delete(cancel)
    }
  }

  function add(identity: Identity): void {
    const peer: Peer = {
      sequence: 0,
      pending: new Map(),
      missed: new Map(),
      smoothedRttMs: null,
      failures: 0,
      owed: 0,
      quick: { left: TIMING.quickProbes, atMs: clock.monoMs() },
      timers: new Set(),
    }
    peers.set(identity, peer)
    const next = (): void => {
      probe(identity, peer)
      later(peer, everyMs * (0.95 + random.int(100) / 1_000), next)
    }
    // The very first probe goes out at once, so that a fresh node has something to show.
    later(peer, firstSentMs === null ? 0 : random.int(Math.ceil(everyMs)), next)
  }

  function probe(identity: Identity, peer: Peer): void {
    const now = clock.monoMs()
    firstSentMs ??= now
    const sequence = ++peer.sequence
    counters.sent++
    const timeoutMs =
      peer.smoothedRttMs === null
        ? TIMING.timeoutFirstMs
        : Math.min(TIMING.timeoutMaxMs, Math.max(TIMING.timeoutMinMs, 3 * peer.smoothedRttMs + 100))
    peer.pending.set(sequence, { sentMs: now, cancel: wait(identity, peer, sequence, timeoutMs, true) })
    options.send(
      identity,
      encodeProbe({ type: 'request', flow: FLOW, sequence, sentUs: now * 1_000, heardAgoMs: options.heardAgoMs(identity) }),
    )
  }

  /** Takes as many of so many quick probes as it may get now. */
  function takeQuick(peer: Peer, count: number): number {
    const now = clock.monoMs()
    const left = Math.min(TIMING.quickProbes, peer.quick.left + (now - peer.quick.atMs) / everyMs)
    const taken = Math.min(count, Math.floor(left))
    peer.quick = { left: left - taken, atMs: now }
    return taken
  }

  function wait(identity: Identity, peer: Peer, sequence: number, timeoutMs: number, mayGrace: boolean): () => void {
    const dueMs = clock.monoMs() + timeoutMs
    return later(peer, timeoutMs, () => {
      const pending = peer.pending.get(sequence)
      if (!pending) return
      const stalled = clock.monoMs() - dueMs > TIMING.stallMs
      if (stalled && mayGrace) pending.cancel = wait(identity, peer, sequence, TIMING.graceMs, false)
      else lost(identity, peer, sequence, pending.sentMs, !mayGrace)
    })
  }

  function lost(identity: Identity, peer: Peer, sequence: number, sentMs: number, discount: boolean): void {
    peer.pending.delete(sequence)
    peer.missed.set(sequence, sentMs)
    for (const [old, atMs] of peer.missed) if (clock.monoMs() - atMs > TIMING.lateMs) peer.missed.delete(old)
    tell(identity, false, null, discount)
    if (discount) {
      counters.discounted++
      return
    }
    counters.lost++
    peer.failures++
    if (peer.failures >= TIMING.confirmed || peer.owed > 0) peer.owed = TIMING.welcomeProbes
    if (peer.failures === 1) {
      const quick = TIMING.confirmAtMs.slice(0, takeQuick(peer, TIMING.confirmAtMs.length))
      for (const delayMs of quick) later(peer, delayMs, () => peer.failures > 0 && probe(identity, peer))
    }
    if (peer.failures >= 2) options.onUnanswered(identity)
  }

  function tell(identity: Identity, ok: boolean, rttMs: number | null, discount: boolean): void {
    const theyHeard = senders.get(identity)?.theyHeard ?? null
    const theyHeardAgoMs = theyHeard && theyHeard.agoMs + clock.monoMs() - theyHeard.saidMs
    options.onSample(identity, { ok, rttMs, heardAgoMs: options.heardAgoMs(identity), theyHeardAgoMs, discount })
  }

  function answered(identity: Identity, peer: Peer, sequence: number, atPeerMs: number): void {
    const now = clock.monoMs()
    const pending = peer.pending.get(sequence)
    const sentMs = pending?.sentMs ?? peer.missed.get(sequence)
    // Neither waiting nor missed: a duplicate, or made up.
    if (sentMs === undefined) return
    pending?.cancel()
    peer.pending.delete(sequence)
    peer.missed.delete(sequence)
    if (now - sentMs > TIMING.lateMs) return
    counters[pending ? 'answered' : 'late']++
    // What the peer spent between receiving and answering is not the way's; a peer that claims more than the whole is not believed.
    const rttMs = Math.max(0, now - sentMs - (atPeerMs >= 0 && atPeerMs <= now - sentMs ? atPeerMs : 0))
    peer.smoothedRttMs = peer.smoothedRttMs === null ? rttMs : peer.smoothedRttMs + (rttMs - peer.smoothedRttMs) / 8
    // One that is lost among them begins the count anew: at the usual rate a link that flapped would then wait twelve seconds.
    if (peer.failures > 0 && peer.owed > 0) {
      const quick = takeQuick(peer, peer.owed)
      for (let i = 1; i <= quick; i++) later(peer, i * TIMING.welcomeEveryMs, () => probe(identity, peer))
    }
    peer.failures = 0
    if (peer.owed > 0) peer.owed--
    tell(identity, true, rttMs, false)
  }

  function senderOf(identity: Identity): Sender {
    const now = clock.monoMs()
    const sender = senders.get(identity) ?? { requestsReceived: 0, theyHeard: null, lastMs: now }
    sender.lastMs = now
    senders.delete(identity)
    senders.set(identity, sender)
    for (const [other, { lastMs }] of senders) {
      if (senders.size <= LIMITS.probeSenders && now - lastMs <= TIMING.forgetMs) break
      senders.delete(other)
    }
    return sender
  }

  return {
    counters,
    get firstSentMs() {
      return firstSentMs
    },
    setPeers(wanted, newEveryMs) {
      everyMs = newEveryMs
      const keep = new Set(wanted)
      for (const [identity, peer] of peers) {
        if (keep.has(identity)) continue
        for (const cancel of peer.timers) cancel()
        peers.delete(identity)
      }
      for (const identity of wanted) if (!peers.has(identity)) add(identity)
    },
    receive(from, payload) {
      const packet = decodeProbe(payload)
      if (!packet) counters.unreadable++
      if (!packet || !options.isMember(from)) return
      const now = clock.monoMs()
      const sender = senderOf(from)
      if (packet.heardAgoMs !== null) sender.theyHeard = { agoMs: packet.heardAgoMs, saidMs: now }
      if (packet.type === 'reply') {
        const peer = peers.get(from)
        if (peer) answered(from, peer, packet.sequence, (packet.repliedUs - packet.receivedUs) / 1_000)
        return
      }
      sender.requestsReceived++
      const times = { sentUs: packet.sentUs, receivedUs: now * 1_000, repliedUs: clock.monoMs() * 1_000 }
      options.send(
        from,
        encodeProbe({
          type: 'reply',
          flow: packet.flow,
          sequence: packet.sequence,
          ...times,
          requestsReceived: sender.requestsReceived,
          heardAgoMs: 0,
        }),
      )
    },
    stop() {
      for (const peer of peers.values()) for (const cancel of peer.timers) cancel()
      peers.clear()
      senders.clear()
    },
  }
}
