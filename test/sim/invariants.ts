import { LIMITS, type Identity } from '../../src/contract/index.ts'
import { compareVersions } from '../../src/grid/table.ts'
import { hashOf } from '../support/virtual-grid.ts'
import { LIARS_FROM, type Seat, type Stage } from './stage.ts'

/** What must always hold, whatever happens. Each function answers what is wrong, or null. */
export type Invariant =
  | 'one-hash'
  | 'own-words'
  | 'forward'
  | 'named'
  | 'nobody-honest-named'
  | 'bounded'
  | 'local-health'
  | 'no-false-death'
  | 'deaths-known'
  | 'relayed'
  | 'one-key'
  | 'no-crash'

export const PROMISES = {
  /** After all faults end, every honest node has the same rows within this. */
  healedMs: 15_000,
  /** A row that changes later is everywhere within this. */
  spreadMs: 3_000,
  /** So long without a fault a node must have been before a word against it, or by it, is wrong. */
  calmMs: 12_000,
  /** News reaches every node that has an undisturbed way over one other within this; by chance it is asked only every few rounds. */
  relayedMs: 15_000,
  /** What one honest node sends in a second, over any `windowMs`. */
  bytesPerSecond: 300_000,
  /** The same with a liar in the grid, whose rows and questions are answered up to a bound. */
  bytesPerSecondToLiars: 1_048_576,
  windowMs: 5_000,
  /** Rows beyond those of all nodes that there ever were. */
  strangeRows: 0,
  /** A node that heard nobody for so long accuses nobody. */
  deafMs: 2_600,
} as const

/** All honest nodes that run hold the same rows, byte for byte. */
export function differing(stage: Stage): string | null {
  const [first, ...rest] = stage.running()
  if (!first) return null
  for (const seat of rest) {
    if (hashOf(seat.node) !== hashOf(first.node))
      return `${seat.node.name} has another hash than ${first.node.name}: ${difference(stage, first, seat)}`
    const rows = difference(stage, first, seat)
    if (rows !== '') return `${seat.node.name} and ${first.node.name} have one hash and other rows: ${rows}`
  }
  return null
}

function difference(stage: Stage, a: Seat, b: Seat): string {
  const identities = new Set([...a.node.grid.table.entries(), ...b.node.grid.table.entries()].map((entry) => entry.row.identity))
  const lines: string[] = []
  for (const identity of identities) {
    const [here, there] = [a, b].map((seat) => seat.node.grid.table.get(identity))
    // A goodbye counts in no hash, and is forgotten by each in its own time.
    if ((here?.row.left ?? true) && (there?.row.left ?? true)) continue
    if (here && there && Buffer.compare(here.signed.bytes, there.signed.bytes) === 0) continue
    const version = (entry: typeof here): string =>
      entry ? `${entry.row.incarnation}.${entry.row.version}${entry.row.left ? ' left' : ''}` : 'none'
    lines.push(`${nameOf(stage, identity)} ${version(here)} / ${version(there)}`)
  }
  return lines.join(', ')
}

/** A row that somebody holds of an honest node is one that this node signed. */
export function forgedRow(stage: Stage, seat: Seat, identity: Identity): string | null {
  const entry = seat.node.grid.table.get(identity)
  const own = stage.signed.get(identity)
  if (!entry || !own) return null
  const { bytes } = entry.signed
  if (own.has(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1'))) return null
  return `${seat.node.name} holds a row of ${nameOf(stage, identity)} that it never signed (${entry.row.incarnation}.${entry.row.version})`
}

/** What a node holds of another never goes back to an earlier version. */
export function wentBack(stage: Stage, seat: Seat, identity: Identity): string | null {
  const row = seat.node.grid.table.get(identity)?.row
  const newest = seat.newest.get(identity)
  if (!row) return null
  if (newest && compareNumbers(row, newest) < 0) {
    return `${seat.node.name} went from ${newest.incarnation}.${newest.version} of ${nameOf(stage, identity)} back to ${row.incarnation}.${row.version}`
  }
  seat.newest.set(identity, { incarnation: row.incarnation, version: row.version })
  return null
}

/** Written apart from the program's own, which is one of the guards. */
function compareNumbers(a: { incarnation: number; version: number }, b: { incarnation: number; version: number }): number {
  return a.incarnation === b.incarnation ? a.version - b.version : a.incarnation - b.incarnation
}

/** Everyone who got the proof, and ran since, names the liar. */
export function unnamedLiar(stage: Stage): string | null {
  for (const { liar, lie, seats, halves } of stage.deeds) {
    if (stage.removed.has(liar)) continue
    for (const seat of stage.running()) {
      // Two rows are shown to everyone; what else there is, one node knows of itself.
      const mustKnow = lie === 'two-rows' ? halves.size === 2 : seats.get(seat) === seat.startedMs
      if (!mustKnow || seat.node.grid.lies(liar).includes(lie)) continue
      return `${seat.node.name} does not say that ${nameOf(stage, liar)} lied (${lie})`
    }
  }
  return null
}

/** Nobody is called a liar who keeps the rules, whoever speaks in its name. Two starts from one disk cannot help it. */
export function slandered(stage: Stage): string | null {
  for (const seat of stage.running()) {
    for (const other of stage.seats.values()) {
      const { identity } = other.node
      const lies = seat.node.grid.lies(identity)
      if (lies.length > 0 && !stage.copied.has(identity)) return `${seat.node.name} says that ${other.node.name} lied (${lies.join()})`
    }
  }
  return null
}

/** All honest nodes have one key, and nobody who was taken out is among them. */
export function wrongKey(stage: Stage): string | null {
  const [first, ...rest] = stage.running().filter((seat) => !stage.removed.has(seat.node.identity))
  const nameOfKey = (seat: Seat): string => `${seat.node.grid.ring.generation} (${seat.node.grid.ring.current.name.slice(0, 6)})`
  for (const seat of rest) {
    if (first && seat.node.grid.ring.current.name !== first.node.grid.ring.current.name)
      return `${seat.node.name} has key ${nameOfKey(seat)}, ${first.node.name} has ${nameOfKey(first)}`
  }
  for (const seat of stage.running()) {
    for (const removed of stage.removed) {
      if (seat.node.grid.table.get(removed)) return `${seat.node.name} still holds a row of ${nameOf(stage, removed)}, which was taken out`
    }
  }
  return null
}

/** A table holds no rows but those of nodes that there were. */
export function tooManyRows(stage: Stage, liars: number): string | null {
  const most = new Set([...stage.seats.values()].map((seat) => seat.node.identity)).size + liars
  const seat = stage.running().find((one) => one.node.grid.table.size > most + PROMISES.strangeRows)
  return seat ? `${seat.node.name} holds ${seat.node.grid.table.size} rows of ${most} nodes` : null
}

/** No row is longer than a row may be. */
export function tooLongRow(stage: Stage): string | null {
  for (const seat of stage.running()) {
    for (const { row } of seat.node.grid.table.entries()) {
      if (row.links.length > LIMITS.linksPerRow)
        return `${seat.node.name} holds a row of ${row.links.length} links of ${nameOf(stage, row.identity)}`
    }
  }
  return null
}

/** Who hears nobody accuses nobody. */
export function deafAccuser(stage: Stage, seat: Seat): string | null {
  const { nowMs } = stage.world
  const quietMs = nowMs - Math.max(seat.arrivedMs, seat.companyMs ?? nowMs)
  const others = seat.node.grid.table.size - 1
  const isOwnFault = stage.faults.some((fault) => fault.isStall && fault.from.has(seat.number) && fault.untilMs > nowMs - quietMs)
  // What comes over a line is not seen here, and either end of one hears the other.
  const areLines = [...stage.seats.values()].some((each) => stage.isBehindNat(each))
  if (quietMs <= PROMISES.deafMs || others < 2 || isOwnFault || areLines) return null
  return `${seat.node.name} accuses another one, and heard nobody itself for ${Math.round(quietMs)} ms`
}

/** Neither the one called dead nor the one who calls it so had any trouble lately. */
export function falseDeath(stage: Stage, seat: Seat, subject: Identity): string | null {
  const sinceMs = stage.world.nowMs - PROMISES.calmMs
  const dead = [...stage.seats.values()].find((one) => one.node.identity === subject && !one.isCopy)
  if (!dead?.node.isRunning || dead.startedMs > sinceMs || seat.startedMs > sinceMs || seat.isCopy || stage.copied.has(subject)) return null
  if (stage.isTouched(dead.number, sinceMs) || stage.isTouched(seat.number, sinceMs)) return null
  return `${seat.node.name} calls ${dead.node.name} down, and neither had any trouble`
}

/** After a heal, who runs is up and who does not is not, in everyone's eyes. */
export function wrongAboutLife(stage: Stage): string | null {
  const running = stage.running()
  const alive = new Set(running.map((seat) => seat.node.identity))
  for (const seat of running) {
    for (const { row } of seat.node.grid.table.entries()) {
      // That a node is dead which nobody can probe shows when its heartbeats have been missing for long.
      const isKnownLate = row.address === null && !alive.has(row.identity)
      if (row.identity === seat.node.identity || isKnownLate) continue
      const state = seat.node.grid.member(row.identity)?.state
      if (alive.has(row.identity) !== (state === 'up')) return `${seat.node.name} shows ${nameOf(stage, row.identity)} as ${state}`
    }
  }
  return null
}

/** Of two nodes with an undisturbed way over a third one, each has what the other said a while ago. */
export class Relay {
  readonly #stage: Stage
  #before: { readonly atMs: number; readonly rows: ReadonlyMap<Seat, { incarnation: number; version: number }> } | null = null

  constructor(stage: Stage) {
    this.#stage = stage
  }

  /** To be asked every `PROMISES.relayedMs`. */
  late(): string | null {
    const stage = this.#stage
    const { nowMs } = stage.world
    const before = this.#before
    const seats = stage.running().filter((seat) => !seat.isCopy && !stage.copied.has(seat.node.identity))
    this.#before = { atMs: nowMs, rows: new Map(seats.map((seat) => [seat, seat.node.grid.row])) }
    if (!before) return null
    const sinceMs = before.atMs - 1_000
    const steady = seats.filter((seat) => seat.startedMs < sinceMs && !this.#isStalled(seat, sinceMs))
    const isClear = (a: Seat, b: Seat): boolean => a === b || !stage.isPairTouched(a.number, b.number, sinceMs)
    for (const [owner, said] of before.rows) {
      if (!steady.includes(owner)) continue
      for (const seat of steady) {
        const held = seat.node.grid.table.get(owner.node.identity)?.row
        if (seat === owner || (held && compareVersions(held, said) >= 0)) continue
        const way = steady.find((via) => isClear(owner, via) && isClear(via, seat))
        if (way) {
          const have = held ? `${held.incarnation}.${held.version}` : 'nothing'
          return `${seat.node.name} has ${have} of ${owner.node.name}, which said ${said.incarnation}.${said.version} ${Math.round(nowMs - before.atMs)} ms ago and has a clear way over ${way.node.name}`
        }
      }
    }
    return null
  }

  #isStalled(seat: Seat, sinceMs: number): boolean {
    return this.#stage.faults.some((fault) => fault.isStall && fault.from.has(seat.number) && fault.untilMs > sinceMs)
  }
}

/** Bytes are bounded whatever comes in. */
export class Meter {
  readonly #stage: Stage
  readonly #before = new Map<string, number>()
  worst = 0

  constructor(stage: Stage) {
    this.#stage = stage
  }

  /** To be asked every `PROMISES.windowMs`. */
  tooMuch(hasLiars: boolean): string | null {
    let wrong: string | null = null
    for (const seat of this.#stage.running()) {
      const { host } = seat.node.host
      const bytes = this.#stage.world.sentBytes(host)
      const rate = ((bytes - (this.#before.get(host) ?? bytes)) * 1_000) / PROMISES.windowMs
      this.#before.set(host, bytes)
      this.worst = Math.max(this.worst, rate)
      if (rate > (hasLiars ? PROMISES.bytesPerSecondToLiars : PROMISES.bytesPerSecond))
        wrong = `${seat.node.name} sends ${Math.round(rate / 1_000)} kB a second`
    }
    return wrong
  }
}

export function nameOf(stage: Stage, identity: Identity): string {
  for (const [name, seat] of stage.seats) if (seat.node.identity === identity) return name
  const at = stage.deeds.findIndex((deed) => deed.liar === identity)
  return at < 0 ? identity.slice(0, 8) : `liar ${at + LIARS_FROM}`
}
