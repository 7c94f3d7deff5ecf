import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LIMITS, type Identity } from '../../../contract/index.ts'
import { createManualClock } from '../../../../test/support/manual-clock.ts'
import { dieOf, randomnessOf } from '../../../../test/support/virtual-network.ts'
import { createNodeProber, type NodeSample } from './index.ts'
import { decodeProbe, encodeProbe, type Reply, type Request } from './packet.ts'

const [a, b] = ['a'.repeat(32), 'b'.repeat(32)] as [Identity, Identity]

/** A prober and a peer that answers after `answerMs`, unless told not to. */
function probing(answerMs = 10) {
  const clock = createManualClock()
  const samples: (NodeSample & { readonly atMs: number })[] = []
  const sent: { readonly to: Identity; readonly packet: Request | Reply; readonly atMs: number }[] = []
  const members = new Set<Identity>([a, b])
  const world = { answers: true, heardAgoMs: 5 as number | null, held: 0 }
  const unanswered: Identity[] = []
  const prober = createNodeProber({
    clock,
    random: randomnessOf(dieOf(1)),
    heardAgoMs: () => world.heardAgoMs,
    send(to, payload) {
      const packet = decodeProbe(payload)!
      sent.push({ to, packet, atMs: clock.monoMs() })
      if (packet.type === 'request' && world.answers) clock.after(answerMs, () => prober.receive(to, reply(packet)))
    },
    onSample: (_, sample) => samples.push({ ...sample, atMs: clock.monoMs() }),
    isMember: (identity) => members.has(identity),
    onUnanswered: (peer) => unanswered.push(peer),
  })
  const reply = (request: Request): Uint8Array =>
    encodeProbe({ ...request, type: 'reply', receivedUs: 1e9, repliedUs: 1e9 + world.held * 1_000, requestsReceived: 1, heardAgoMs: 0 })
  const requests = (): number => sent.filter(({ packet }) => packet.type === 'request').length
  return { clock, prober, samples, sent, members, unanswered, world, requests, reply }
}

describe('probes of another node', () => {
  it('begin at once for the first, and go out about once a period', async () => {
    const { clock, prober, samples, requests } = probing()
    prober.setPeers([a], 1_000)
    await clock.advance(0)
    expect(requests()).toBe(1)
    await clock.advance(60_000)
    expect(requests()).toBeGreaterThan(56)
    expect(requests()).toBeLessThan(65)
    expect(samples.every((sample) => sample.ok && sample.rttMs === 10)).toBe(true)
  })

  it('of many nodes are spread over the period', async () => {
    const { clock, prober, sent } = probing()
    prober.setPeers([a], 1_000)
    await clock.advance(10)
    prober.setPeers([a, ...Array.from({ length: 40 }, (_, at) => at.toString(16).padStart(32, '0') as Identity)], 1_000)
    await clock.advance(1_000)
    const inFirstTenth = sent.filter(({ packet, atMs }) => packet.type === 'request' && atMs <= 110).length
    expect(inFirstTenth).toBeLessThan(15)
    expect(new Set(sent.map(({ to }) => to)).size).toBe(41)
  })

  it('leave out of the round trip what the peer spent, and do not believe one that claims more than all of it', async () => {
    const { clock, prober, samples, world } = probing(50)
    prober.setPeers([a], 1_000)
    world.held = 20
    await clock.advance(100)
    world.held = 5_000
    await clock.advance(1_200)
    expect(samples.slice(0, 2).map((sample) => sample.rttMs)).toEqual([30, 50])
  })

  it('that are lost are confirmed at once: four losses within a second of the first, and others are asked after two', async () => {
    const { clock, prober, samples, unanswered, world } = probing()
    prober.setPeers([a], 1_000)
    await clock.advance(3_000)
    world.answers = false
    await clock.advance(3_000)
    const lost = samples.filter((sample) => !sample.ok)
    expect(lost.length).toBeGreaterThanOrEqual(4)
    expect(lost[3]!.atMs - lost[0]!.atMs).toBeLessThan(700)
    expect(unanswered).toHaveLength(lost.length - 1)
  })

  it('welcome a node that is back with quick probes', async () => {
    const { clock, prober, samples, world } = probing()
    world.answers = false
    prober.setPeers([a], 1_000)
    await clock.advance(10_000)
    world.answers = true
    const beforeMs = clock.monoMs()
    await clock.advance(1_300)
    const ok = samples.filter((sample) => sample.ok && sample.atMs > beforeMs)
    expect(ok.length).toBeGreaterThanOrEqual(3)
    expect(ok[2]!.atMs - ok[0]!.atMs).toBeLessThan(200)
  })

  it('welcome it again when one of them is lost: a link that flapped is up a second later all the same', async () => {
    const { clock, prober, samples, world } = probing()
    world.answers = false
    prober.setPeers([a], 1_000)
    await clock.advance(10_000)
    world.answers = true
    let lost = false
    for (const startMs = clock.monoMs(); clock.monoMs() - startMs < 3_500;) {
      const answered = samples.filter((sample) => sample.ok).length
      // The fourth answer of the welcome is lost.
      world.answers = lost || answered < 4
      if (!world.answers && samples.at(-1)?.ok === false) lost = true
      await clock.advance(10)
    }
    const lastLost = samples.findLastIndex((sample) => !sample.ok)
    expect(lost).toBe(true)
    expect(samples.length - 1 - lastLost).toBeGreaterThanOrEqual(12)
  })

  it('stay within about twice the usual rate on a way that loses two in five', async () => {
    const { clock, prober, world, requests } = probing()
    const die = dieOf(5)
    Object.defineProperty(world, 'answers', { get: () => die() < 0.36 })
    prober.setPeers([a, b], 1_000)
    await clock.advance(300_000)
    expect(requests()).toBeGreaterThan(600)
    expect(requests()).toBeLessThan(2 * (2 * 300 + 30) * 1.1)
  })

  it('that rang late because this process was held up prove nothing', async () => {
    const { clock, prober, samples, world, requests } = probing()
    prober.setPeers([a], 1_000)
    await clock.advance(3_000)
    world.answers = false
    for (const before = requests(); requests() === before;) await clock.advance(10)
    samples.length = 0
    await clock.jump(10_000)
    await clock.advance(100)
    expect(samples.length).toBeGreaterThan(0)
    expect(samples.filter((sample) => !sample.discount)).toEqual([])
  })

  it('answered after the time-out count as well as lost, and after too long not at all', async () => {
    const { clock, prober, samples, sent, world, reply } = probing()
    world.answers = false
    prober.setPeers([a], 1_000)
    await clock.advance(1_500)
    const first = sent[0]!.packet as Request
    prober.receive(a, reply(first))
    expect(samples.at(-1)).toMatchObject({ ok: true })
    expect(prober.counters.late).toBe(1)
    // A second time it is a duplicate.
    const before = samples.length
    prober.receive(a, reply(first))
    expect(samples.length).toBe(before)
    const second = sent[1]!.packet as Request
    await clock.advance(5_000)
    const now = samples.length
    prober.receive(a, reply(second))
    expect(samples.length).toBe(now)
  })

  it('say when each side last heard the other', async () => {
    const { clock, prober, samples, world } = probing()
    world.heardAgoMs = 1_234
    prober.setPeers([a], 1_000)
    await clock.advance(100)
    expect(samples[0]).toMatchObject({ heardAgoMs: 1_234, theyHeardAgoMs: 0 })
    prober.receive(a, encodeProbe({ type: 'request', flow: 0, sequence: 9, sentUs: 1, heardAgoMs: 8_000 }))
    world.answers = false
    await clock.advance(2_500)
    expect(samples.at(-1)!.theyHeardAgoMs).toBeGreaterThan(8_000)
  })

  it('are answered with what was asked and how many came: to every member, probed from here or not, and to no stranger', () => {
    const { prober, sent, members } = probing()
    const request = encodeProbe({ type: 'request', flow: 3, sequence: 7, sentUs: 42, heardAgoMs: null })
    prober.setPeers([b], 1_000)
    prober.receive(a, request)
    prober.receive(a, request)
    expect(sent).toHaveLength(2)
    expect(sent.at(-1)).toMatchObject({ to: a, packet: { type: 'reply', flow: 3, sequence: 7, sentUs: 42, requestsReceived: 2 } })
    members.delete(a)
    prober.receive(a, request)
    expect(sent).toHaveLength(2)
  })

  it('are remembered of so many senders: of one more the longest silent is forgotten', () => {
    const { prober, sent, members } = probing()
    const request = encodeProbe({ type: 'request', flow: 0, sequence: 1, sentUs: 1, heardAgoMs: null })
    const countsOf = (identity: Identity): number => {
      prober.receive(identity, request)
      const { packet } = sent.at(-1)!
      return packet.type === 'reply' ? packet.requestsReceived : 0
    }
    const identities = Array.from({ length: LIMITS.probeSenders + 1 }, (_, at) => at.toString(16).padStart(32, '0') as Identity)
    for (const identity of identities) members.add(identity)
    expect(identities.map(countsOf).every((count) => count === 1)).toBe(true)
    expect(countsOf(identities[1]!)).toBe(2)
    expect(countsOf(identities[0]!)).toBe(1)
  })

  it('stop for nodes that are gone, and for all in the end', async () => {
    const { clock, prober, requests, unanswered, world } = probing()
    prober.setPeers([a, b], 1_000)
    await clock.advance(2_000)
    prober.setPeers([], 1_000)
    const before = requests()
    world.answers = false
    await clock.advance(5_000)
    expect(requests()).toBe(before)
    expect(unanswered).toEqual([])
    prober.setPeers([a], 1_000)
    prober.stop()
    await clock.advance(5_000)
    expect(requests()).toBe(before)
  })
})

describe('a probe packet', () => {
  const request: Request = { type: 'request', flow: 63, sequence: 0xffff_ffff, sentUs: 1.5, heardAgoMs: null }
  const reply: Reply = { ...request, type: 'reply', receivedUs: 2.5, repliedUs: 3.5, requestsReceived: 4, heardAgoMs: 0 }

  it.each([request, reply])('comes back as it went out: $type', (packet) => {
    expect(decodeProbe(encodeProbe(packet))).toEqual(packet)
  })

  it('of any other length or kind is null, never an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const packet = decodeProbe(bytes)
        expect(packet === null || bytes.length === (packet.type === 'request' ? 18 : 38)).toBe(true)
      }),
      { seed: 8 },
    )
    expect(decodeProbe(encodeProbe({ ...reply, receivedUs: NaN }))).toBeNull()
    expect(decodeProbe(new Uint8Array(0))).toBeNull()
  })
})
