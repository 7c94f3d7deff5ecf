import type { Identity, Lie } from '../../src/contract/index.ts'
import { ringStateOf, type GridEvent, type RingState, type Signed } from '../../src/grid/index.ts'
import type { Row } from '../../src/grid/row.ts'
import { compareVersions } from '../../src/grid/table.ts'
import { GRID_KEY, hostOf, virtualNode, type VirtualNode } from '../support/virtual-grid.ts'
import { GOOD_PATH, VirtualWorld, type Path } from '../support/virtual-network.ts'
import type { Memory, Nat } from './schedule.ts'

/** Numbers of nodes that are not of the first ones. */
export const JOINERS_FROM = 100
export const LIARS_FROM = 300
/** Where copies of disks run, and where strangers are. */
const COPIES = '10.7.0.'
export const STRANGERS = '10.8.0.'
const SNAPSHOT_MS = 5_000
const GOODBYE_MS = 500
/** On what nodes really said: played again by a stranger it may be the first time that it arrives. */
const SPOKEN = Symbol('spoken')
const REKEYED_MS = 60_000
const ROW_CONTEXT = Buffer.from('midwatch row 1\0')
const RUMOUR_CONTEXT = Buffer.from('midwatch rumour 1\0')

/** Something that keeps packets between some nodes from being delivered as usual, or a node from working as usual. */
export type Fault = {
  readonly from: ReadonlySet<number>
  readonly to: ReadonlySet<number>
  readonly fromMs: number
  readonly untilMs: number
  readonly path: Partial<Path>
  /** The nodes themselves are held up. */
  readonly isStall?: boolean
}

type Snapshot = { readonly atMs: number; readonly incarnation: number; readonly rows: readonly Signed[]; readonly ring: RingState }

/** One honest node: what it holds on its disk goes on from start to start. */
export type Seat = {
  readonly number: number
  /** A second start from the same disk. */
  readonly isCopy: boolean
  node: VirtualNode
  startedMs: number
  /** When it first knew of somebody, and when a datagram of a node last arrived, in this start. */
  companyMs: number | null
  arrivedMs: number
  readonly snapshots: Snapshot[]
  /** The newest version of each row that this start held. */
  readonly newest: Map<Identity, { incarnation: number; version: number }>
}

/** A lie that can be proven: who got evidence of it, in which start; of two rows, which of them honest nodes got. */
export type Deed = {
  readonly liar: Identity
  readonly lie: Lie
  readonly seats: Map<Seat, number>
  readonly halves: Set<string>
}

export type Watcher = {
  event(seat: Seat, event: GridEvent): void
  /** It signs that another one does not answer. */
  accused(seat: Seat): void
}

/** A world with honest nodes in it, the faults between them, and a record of what each of them really said. */
export class Stage {
  readonly world: VirtualWorld
  readonly seats = new Map<string, Seat>()
  readonly founders: number
  /** Every row that an honest node signed, by identity. */
  readonly signed = new Map<Identity, Set<string>>()
  /** Honest nodes that ran twice at a time: what they say of themselves is two rows. */
  readonly copied = new Set<Identity>()
  readonly faults: Fault[] = []
  /** What liars may be held to have done: who must know it, by the name of the seat and the time of its start. */
  readonly deeds: Deed[] = []
  /** When the grid's key last changed. */
  rekeyedMs = -Infinity
  /** Taken out of the grid by a change of key. */
  readonly removed = new Set<Identity>()
  /** Datagrams in which a deed is done, told by the object. */
  readonly evidence = new WeakMap<Uint8Array, { readonly deed: Deed; readonly half: string; readonly forged?: Row }>()
  watcher: Watcher = { event: () => {}, accused: () => {} }
  /** Told of every datagram that a node sends. */
  onSpoken: (bytes: Uint8Array, to: string) => void = () => {}
  readonly #numbers = new Map<string, number>()
  readonly #behindNat = new Set<string>()

  constructor(seed: number, founders: number) {
    this.world = new VirtualWorld(seed)
    this.founders = founders
    this.world.path = (from, to) => this.#path(from, to)
    this.world.onSent = (bytes, from, to) => {
      if (from.startsWith(STRANGERS)) return
      Object.assign(bytes, { [SPOKEN]: true })
      this.onSpoken(bytes, to)
    }
    this.world.onArrived = (bytes, _, to) => this.#arrived(bytes, to)
  }

  /** Honest nodes that run. */
  running(): Seat[] {
    return [...this.seats.values()].filter((seat) => seat.node.isRunning)
  }

  seat(number: number): Seat | undefined {
    return this.seats.get(`n${number}`)
  }

  /** Starts an honest node for the first time. */
  enter(number: number, nat: Nat = 'none'): void {
    if (nat !== 'none') {
      this.#behindNat.add(hostOf(number))
      this.world.nat.hide(hostOf(number), `192.0.2.${number}`, nat === 'datagrams')
    }
    const snapshots: Snapshot[] = []
    this.#start(`n${number}`, number, hostOf(number), { atMs: 0, incarnation: 0, rows: [], ring: this.newestRing() }, snapshots, false)
  }

  /** Who joins now gets the key of a node that runs, as by an invitation. */
  newestRing(): RingState {
    const rings = this.running().map((seat) => seat.node.grid.ring)
    return rings.toSorted((a, b) => b.generation - a.generation)[0]?.state ?? ringStateOf(GRID_KEY)
  }

  isBehindNat(seat: Seat): boolean {
    return this.#behindNat.has(seat.node.host.host)
  }

  /** Starts one again that died, from what its disk holds. */
  revive(seat: Seat, memory: Memory, ageMs: number): void {
    const last = seat.snapshots.at(-1)
    const wanted = this.world.nowMs - ageMs
    const found = memory === 'kept' ? last : memory === 'lost' ? undefined : seat.snapshots.findLast((snapshot) => snapshot.atMs <= wanted)
    const disk = found ?? { atMs: 0, incarnation: 0, rows: [], ring: seat.node.written.ring }
    this.#start(`n${seat.number}`, seat.number, seat.node.host.host, disk, seat.snapshots, false)
  }

  /** A copy of its disk runs on another host. */
  copy(seat: Seat): Seat {
    this.copied.add(seat.node.identity)
    this.#keep(seat)
    const disk = seat.snapshots.at(-1) as Snapshot
    return this.#start(`copy of n${seat.number}`, seat.number, `${COPIES}${seat.number}`, disk, [], true)
  }

  kill(seat: Seat): void {
    this.#keep(seat)
    seat.node.kill()
  }

  /** It says goodbye, and ends a moment later. */
  leave(seat: Seat): void {
    seat.node.grid.leave()
    seat.node.isRunning = false
    seat.node.host.clock.after(GOODBYE_MS, () => seat.node.kill())
  }

  #start(name: string, number: number, at: string, disk: Snapshot, snapshots: Snapshot[], isCopy: boolean): Seat {
    const watched: { seat?: Seat } = {}
    const node = virtualNode(this.world, number, {
      at,
      incarnation: disk.incarnation + 1,
      ring: disk.ring,
      callsOut: this.#behindNat.has(at),
      seeds: Array.from({ length: Math.min(this.founders, 4) }, (_, founder) => hostOf(founder)),
      onSigned: (bytes) => this.#signed(watched.seat, bytes),
      onEvent: (event) => watched.seat && this.#happened(watched.seat, event),
    })
    const seat: Seat = {
      number,
      isCopy,
      node,
      startedMs: this.world.nowMs,
      companyMs: null,
      arrivedMs: this.world.nowMs,
      snapshots,
      newest: new Map(),
    }
    watched.seat = seat
    this.seats.set(name, seat)
    this.#numbers.set(at, number)
    node.enter(disk.rows)
    const keep = (): void => {
      this.#keep(seat)
      node.host.clock.after(SNAPSHOT_MS, keep)
    }
    node.host.clock.after(SNAPSHOT_MS, keep)
    return seat
  }

  #keep(seat: Seat): void {
    const rows = [...seat.node.grid.table.entries()].map((entry) => entry.signed)
    seat.snapshots.push({ atMs: this.world.nowMs, incarnation: seat.node.written.incarnation, rows, ring: seat.node.written.ring })
    if (seat.snapshots.length > 12) seat.snapshots.shift()
  }

  #signed(seat: Seat | undefined, bytes: Uint8Array): void {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (!seat) return
    if (ROW_CONTEXT.equals(text.subarray(0, ROW_CONTEXT.length))) {
      const { identity } = seat.node
      const rows = this.signed.get(identity) ?? new Set()
      this.signed.set(identity, rows.add(text.subarray(ROW_CONTEXT.length).toString('latin1')))
    } else if (RUMOUR_CONTEXT.equals(text.subarray(0, RUMOUR_CONTEXT.length))) this.watcher.accused(seat)
  }

  #happened(seat: Seat, event: GridEvent): void {
    if (event.type === 'member') seat.companyMs ??= this.world.nowMs
    this.watcher.event(seat, event)
  }

  #arrived(bytes: Uint8Array, to: string): void {
    const seat = this.#seatAt(to)
    if (!seat?.node.isRunning) return
    if (SPOKEN in bytes) seat.arrivedMs = this.world.nowMs
    const evidence = this.evidence.get(bytes)
    // Around a change of key it may be sealed with one that is not held here.
    if (this.world.nowMs - this.rekeyedMs < REKEYED_MS) return
    if (!evidence || !seat.node.grid.table.get(evidence.deed.liar)) return
    // In a flood of strangers' sessions a new one of a member may not be read either.
    if (seat.node.grid.counters.refusedTooManySessions > 0) return
    // A row that is older than the one held changes nothing, whoever signed it, so nobody looks.
    const held = evidence.forged && seat.node.grid.table.get(evidence.forged.identity)?.row
    if (evidence.forged && (!held || compareVersions(evidence.forged, held) < 0)) return
    evidence.deed.halves.add(evidence.half)
    evidence.deed.seats.set(seat, seat.startedMs)
  }

  #seatAt(host: string): Seat | undefined {
    const number = this.#numbers.get(host)
    if (number === undefined) return undefined
    return this.seats.get(host.startsWith(COPIES) ? `copy of n${number}` : `n${number}`)
  }

  #path(from: string, to: string): Path {
    let path = GOOD_PATH
    for (const fault of this.#now()) {
      if (fault.from.has(this.#numbers.get(from) ?? -1) && fault.to.has(this.#numbers.get(to) ?? -1)) path = worse(path, fault.path)
    }
    return path
  }

  #active: { readonly atMs: number; readonly faults: Fault[] } = { atMs: -1, faults: [] }
  #now(): readonly Fault[] {
    const { nowMs } = this.world
    if (this.#active.atMs !== nowMs) {
      this.#active = { atMs: nowMs, faults: this.faults.filter((fault) => fault.fromMs <= nowMs && nowMs < fault.untilMs) }
    }
    return this.#active.faults
  }

  /** Was there, since then, any fault that this node had part in? */
  isTouched(number: number, sinceMs: number): boolean {
    const { nowMs } = this.world
    return this.faults.some(
      (fault) => fault.untilMs >= sinceMs && fault.fromMs <= nowMs && (fault.from.has(number) || fault.to.has(number)),
    )
  }

  /** Was there, since then, any fault between these two? */
  isPairTouched(a: number, b: number, sinceMs: number): boolean {
    const { nowMs } = this.world
    return this.faults.some(
      (fault) =>
        fault.untilMs >= sinceMs &&
        fault.fromMs <= nowMs &&
        ((fault.from.has(a) && fault.to.has(b)) || (fault.from.has(b) && fault.to.has(a))),
    )
  }
}

function worse(path: Path, by: Partial<Path>): Path {
  return {
    isCut: path.isCut || (by.isCut ?? false),
    lossRatio: Math.max(path.lossRatio, by.lossRatio ?? 0),
    duplicateRatio: Math.max(path.duplicateRatio, by.duplicateRatio ?? 0),
    latencyMs: Math.max(path.latencyMs, by.latencyMs ?? 0),
    jitterMs: Math.max(path.jitterMs, by.jitterMs ?? 0),
  }
}
