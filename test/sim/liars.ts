import { encode } from 'cborg'
import { createHash } from 'node:crypto'
import type { Identity, Lie } from '../../src/contract/index.ts'
import type { NodeKeys, Signed } from '../../src/grid/index.ts'
import { identityBytes } from '../../src/grid/keys.ts'
import { rowMessages } from '../../src/grid/parts.ts'
import { MAX_MESSAGE_BYTES } from '../../src/grid/rhythm.ts'
import { signRow, type LinkClaim, type Row } from '../../src/grid/row.ts'
import { REFUTING_BEATS, signRumour } from '../../src/grid/rumour.ts'
import { createSealer, type Sealer } from '../../src/grid/seal.ts'
import { packInto } from '../../src/grid/spread.ts'
import { callSealed } from '../../src/grid/stream.ts'
import { beatOf } from '../../src/grid/table.ts'
import { encodeMessage, encodePacket, type Message } from '../../src/grid/wire.ts'
import { every } from '../../src/platform/index.ts'
import { GRID_KEY, hostOf, keysAt, targetClaim, virtualNode, type VirtualNode } from '../support/virtual-grid.ts'
import { dieOf } from '../support/virtual-network.ts'
import type { LieKind } from './schedule.ts'
import type { Deed, Seat, Stage } from './stage.ts'

const TICK_MS = 400
/** So long it is a member like all others, before it lies. */
const CREDIT_MS = 3_000

/** A node with the grid's key and keys of its own. What its Grid does is honest; what its mouth says is not. */
type Liar = {
  readonly stage: Stage
  readonly node: VirtualNode
  readonly keys: NodeKeys
  readonly size: number
  readonly die: () => number
  /** Says something as itself, or as another. */
  say(to: Seat, messages: readonly Uint8Array[], as?: Identity): Uint8Array[]
}

export type Lying = { readonly identity: Identity; stop(): void }

/** A liar comes, and lies until told to stop. */
export function beginLying(stage: Stage, number: number, kind: LieKind, size: number): Lying {
  const node = virtualNode(stage.world, number, {
    ring: stage.newestRing(),
    seeds: Array.from({ length: Math.min(stage.founders, 4) }, (_, founder) => hostOf(founder)),
  })
  const { random, network, clock } = node.host
  const mouths = new Map<Identity, Sealer>()
  const liar: Liar = {
    stage,
    node,
    keys: keysAt(number),
    size,
    die: dieOf(number * 7_919 + size),
    say(to, messages, as = node.identity) {
      const sealer = mouths.get(as) ?? createSealer(node.grid.ring, random)
      mouths.set(as, sealer)
      const incarnation = node.grid.table.get(as)?.row.incarnation ?? 1
      return packInto(messages, MAX_MESSAGE_BYTES).map((group) => {
        const bytes = sealer.seal(encodePacket(identityBytes(as), incarnation, group))
        network.send(0, { host: to.node.host.host, port: 8777 }, bytes)
        return bytes
      })
    },
  }
  node.start()
  clock.after(CREDIT_MS, () => {
    const tick = LIES[kind](liar)
    every(clock, TICK_MS, tick)
  })
  return { identity: node.identity, stop: () => node.kill() }
}

/** Each begins once, and goes on at every tick. */
const LIES: { [K in LieKind]: (liar: Liar) => () => void } = {
  'two-rows': (liar) => {
    const { stage, node, size } = liar
    // Silent as itself from here on: it would hear its own other row, and go beyond both.
    node.grid.stop()
    const row: Row = { ...node.grid.row, version: node.grid.row.version + 10 }
    const isQuiet = size % 3 === 0
    const one = signRow(isQuiet ? { ...row, id: 'one' } : { ...row, links: [targetClaim('t', 'up')] }, liar.keys)
    const other = signRow(isQuiet ? { ...row, id: 'other' } : { ...row, links: [targetClaim('t', 'down')] }, liar.keys)
    const deed = newDeed(liar, 'two-rows')
    return () => {
      for (const [at, seat] of stage.running().entries()) {
        const [half, row] = at % 2 === 0 ? (['one', one] as const) : (['other', other] as const)
        const sent = liar.say(seat, [encodeMessage({ type: 'row', ...row })])
        for (const bytes of sent) stage.evidence.set(bytes, { deed, half })
      }
    }
  },
  forge: (liar) => {
    const deed = newDeed(liar, 'forged-row')
    return () => {
      const victim = victimOf(liar)
      const forged = victim && forgedRow(liar, victim)
      if (!forged) return
      for (const seat of liar.stage.running()) {
        if (seat === victim) continue
        // A row in parts proves nothing against who sent one of them.
        const messages = rowMessages(victim.node.identity, forged.row, forged.signed, MAX_MESSAGE_BYTES) ?? []
        const sent = liar.say(seat, messages)
        if (messages.length === 1) for (const bytes of sent) liar.stage.evidence.set(bytes, { deed, half: 'forged', forged: forged.row })
      }
    }
  },
  frame: (liar) => () => {
    const [victim, framed] = [victimOf(liar), victimOf(liar)]
    const forged = victim && forgedRow(liar, victim)
    if (!forged || !framed) return
    for (const seat of liar.stage.running()) {
      if (seat !== framed) liar.say(seat, [encodeMessage({ type: 'row', ...forged.signed })], framed.node.identity)
    }
  },
  grow: (liar) => {
    const { stage, node } = liar
    const deed = newDeed(liar, 'too-large')
    node.grid.stop()
    let count = 20
    let { version } = node.grid.row
    return () => {
      count = Math.ceil(count * 1.6)
      const detail = liar.size % 2 === 0 ? 'x'.repeat(160) : null
      const links = Array.from({ length: Math.min(count, 6_000) }, (_, at): LinkClaim => ({ ...bare(at), detail }))
      const signed = signRow({ ...node.grid.row, version: ++version, links }, liar.keys)
      const messages = rowMessages(node.identity, { incarnation: node.grid.row.incarnation, version }, signed, MAX_MESSAGE_BYTES)
      const seats = stage.running()
      if (messages) for (const seat of seats) liar.say(seat, messages)
      else {
        const seat = seats[Math.floor(liar.die() * seats.length)]
        if (seat) void tellByStream(liar, seat, signed, links.length > 3_000 ? () => deed.seats.set(seat, seat.startedMs) : () => {})
      }
    }
  },
  accuse: (liar) => () => {
    for (const victim of liar.stage.running()) {
      const entry = liar.node.grid.table.get(victim.node.identity)
      if (!entry || liar.die() < 0.5) continue
      const rumour = signRumour(
        victim.node.identity,
        entry.row.incarnation,
        beatOf(entry) + Math.floor(liar.die() * REFUTING_BEATS),
        liar.keys,
      )
      const message = encodeMessage({ type: 'rumour', ...rumour })
      for (const seat of liar.stage.running()) liar.say(seat, [message])
    }
  },
  nonsense: (liar) => () => {
    for (const seat of liar.stage.running()) {
      const messages = Array.from({ length: 1 + Math.floor(liar.die() * 8) }, () => nonsense(liar))
      liar.say(seat, messages, liar.die() < 0.3 ? victimOf(liar)?.node.identity : undefined)
    }
  },
}

function newDeed(liar: Liar, lie: Lie): Deed {
  const deed: Deed = { liar: liar.node.identity, lie, seats: new Map(), halves: new Set() }
  liar.stage.deeds.push(deed)
  return deed
}

function victimOf(liar: Liar): Seat | undefined {
  const seats = liar.stage.running()
  return seats[Math.floor(liar.die() * seats.length)]
}

/** A row in another's name, newer than all that it said, or of the very version that it said. */
function forgedRow(liar: Liar, victim: Seat): { row: Row; signed: Signed } | null {
  const held = liar.node.grid.table.get(victim.node.identity)?.row
  if (!held) return null
  const row = { ...held, version: held.version + (liar.die() < 0.3 ? 0 : 1_000), links: [], id: 'forged' }
  return { row, signed: signRow(row, liar.keys) }
}

function bare(at: number): LinkClaim {
  return { ...targetClaim(`t${at}`), address: null, site: null, detail: null }
}

/** A whole exchange by hand: versions of nothing, and then the row. */
async function tellByStream(liar: Liar, seat: Seat, signed: Signed, done: () => void): Promise<void> {
  const { clock, network } = liar.node.host
  const hint = createHash('sha256').update('midwatch grid key').update(GRID_KEY).digest().subarray(0, 8)
  try {
    const stream = await network.dial({ host: seat.node.host.host, port: 8777 }, 2_000)
    const sealed = await callSealed(stream, 0, hint, GRID_KEY, clock)
    if (!sealed) return
    sealed.send(encode(['versions', []]))
    for (let frame = await sealed.receive(); frame && frame.length > 0; frame = await sealed.receive()) {
      if (Buffer.from(frame.subarray(0, 8)).includes('wants')) break
    }
    sealed.send(encode(['rows', [[signed.bytes, signed.signature, null, null]]]))
    sealed.send(encode(['done']))
    sealed.end()
    if (signed.bytes.length < 200_000 && seat.node.grid.table.get(liar.node.identity)) done()
  } catch {
    // Nobody there: it tries another one at its next tick.
  }
}

function nonsense(liar: Liar): Uint8Array {
  const random = liar.node.host.random
  const some = victimOf(liar)?.node.identity ?? liar.node.identity
  const count = (): number => Math.floor(liar.die() ** 4 * Number.MAX_SAFE_INTEGER)
  const kinds: (() => Uint8Array | Message)[] = [
    () => random.bytes(1 + Math.floor(liar.die() * 60)),
    () => encode([Math.floor(liar.die() * 40), count(), null, [1, [2, [3]]]]),
    () => ({ type: 'versions', first: some, last: some, entries: [{ identity: some, incarnation: count(), version: count(), mark: 7 }] }),
    () => ({ type: 'want', identities: liar.stage.running().map((seat) => seat.node.identity) }),
    () => ({ type: 'summary', hash: random.bytes(16) }),
    () => ({ type: 'ack', nonce: random.int(1_000) }),
    () => ({ type: 'ping-req', nonce: random.int(1_000), subject: some }),
    () => ({ type: 'row-part', identity: some, incarnation: count(), version: count(), part: 0, parts: 32, piece: random.bytes(300) }),
    () => ({ type: 'probe', payload: random.bytes(Math.floor(liar.die() * 80)) }),
    () => ({ type: 'pulse', bytes: random.bytes(60), signature: random.bytes(64) }),
  ]
  const made = (kinds[Math.floor(liar.die() * kinds.length)] as (typeof kinds)[number])()
  return made instanceof Uint8Array ? made : encodeMessage(made)
}
