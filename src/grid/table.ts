import { createHash } from 'node:crypto'
import { LIMITS, type Identity } from '../contract/index.ts'
import { identityBytes, identityOf, verifierOf } from './keys.ts'
import { pulseIsSigned, readPulse, readRow, rowIsSigned, tooLargeBy, type Pulse, type Row, type Signed, type Verifier } from './row.ts'
import { linksMark, readSketch, sketchIsSigned, type Figure, type Sketch } from './sketch.ts'
import { DIGEST_BYTES, DIGEST_RANGES, type VersionEntry } from './wire.ts'

/** One node's row and pulse as last heard. */
export type Entry = {
  readonly row: Row
  readonly signed: Signed
  /** SHA-256 of the row's bytes, in hex. */
  readonly digest: string
  readonly pulse: Pulse | null
  readonly signedPulse: Signed | null
  /** The newest figures, by the place of their first link in the row. */
  readonly sketches: ReadonlyMap<number, Sketch>
  /** Receiver's monotonic time at which its owner was last known to speak: a new row, or a new beat. */
  readonly heardMs: number
  /** Its owner told another row under the same version. */
  readonly forked: boolean
}

export type RowOutcome =
  | { readonly outcome: 'new'; readonly entry: Entry; readonly before: Row | null }
  | { readonly outcome: 'known' | 'older' }
  /** Two rows of one version, both signed: its owner lies, or runs twice. The one with the greater bytes is kept, everywhere. */
  | { readonly outcome: 'forked'; readonly entry: Entry; readonly other: Signed; readonly replaced: boolean; readonly isFirst: boolean }
  | { readonly outcome: 'refused'; readonly why: 'malformed' | 'not-signed' | 'full' }
  /** Signed by a node that does not keep to the bounds. */
  | { readonly outcome: 'refused'; readonly why: 'too-large'; readonly by: Identity }

/** Whether rows of nodes that are not known yet are taken. */
export type Strangers = 'welcome' | 'refused'

/**
 * All rows, one per node, each the newest of its owner. Merging is "the highest (incarnation, version) wins", a join semilattice: order and
 * repetition do not matter, so every node that has heard everything holds the same table.
 */
export class RowTable {
  readonly #entries = new Map<Identity, Entry>()
  /** Digests of the rows that are held. */
  readonly #held = new Set<string>()
  readonly #verifiers = new Map<Identity, Verifier>()
  readonly #hashes = new Map<Identity, Uint8Array>()
  /** Versions of rows that were forgotten: who forgets later must not bring them back. */
  readonly #forgotten = new Map<Identity, { incarnation: number; version: number }>()
  /** Whose rows are refused, whatever their version. */
  #banned: ReadonlySet<Identity> = new Set()
  #hash: Uint8Array | null = null
  #sorted: readonly Identity[] | null = null

  get(identity: Identity): Entry | undefined {
    return this.#entries.get(identity)
  }

  entries(): IterableIterator<Entry> {
    return this.#entries.values()
  }

  get size(): number {
    return this.#entries.size
  }

  /** Merges a row. The signature is checked only when the row would change something: it is the dear part. */
  apply(signed: Signed, nowMs: number, strangers: Strangers = 'welcome'): RowOutcome {
    // Everyone hears the same row from many others: what is held already is not read again.
    const digest = digestOf(signed)
    if (this.#held.has(digest)) return { outcome: 'known' }
    const row = readRow(signed.bytes)
    if (!row) return refusal(signed)
    const known = this.#entries.get(row.identity)
    if (this.#banned.has(row.identity) || (!known && strangers === 'refused')) return { outcome: 'older' }
    const order = known ? compareVersions(row, known.row) : 1
    if ((known && order < 0) || this.#isForgotten(row)) return { outcome: 'older' }
    if (!known && this.#entries.size >= LIMITS.nodes) return { outcome: 'refused', why: 'full' }
    if (!rowIsSigned(signed, this.#verifierOf(row))) return { outcome: 'refused', why: 'not-signed' }
    if (known && order === 0) {
      const replaced = Buffer.compare(signed.bytes, known.signed.bytes) > 0
      const entry = { ...(replaced ? this.#put(row, signed, digest, known, known.heardMs) : known), forked: true }
      this.#entries.set(row.identity, entry)
      return { outcome: 'forked', entry, other: replaced ? known.signed : signed, replaced, isFirst: !known.forked }
    }
    return { outcome: 'new', entry: this.#put(row, signed, digest, known, nowMs), before: known?.row ?? null }
  }

  /** Merges a pulse. Answers its owner's entry when it was news, which proves that the owner was alive after all pulses before; else null. */
  applyPulse(signed: Signed, nowMs: number): { entry: Entry; beatBefore: number } | null {
    const pulse = readPulse(signed.bytes)
    const known = pulse && this.#entries.get(pulse.identity)
    if (!pulse || !known || pulse.incarnation !== known.row.incarnation || pulse.beat <= beatOf(known)) return null
    if (!pulseIsSigned(signed, this.#verifierOf(known.row))) return null
    const entry: Entry = { ...known, pulse, signedPulse: signed, heardMs: nowMs }
    this.#entries.set(pulse.identity, entry)
    return { entry, beatBefore: beatOf(known) }
  }

  /** Merges figures. Answers whose they are, and from which link on, when they were newer; else null. */
  applySketch(signed: Signed): Pick<Sketch, 'identity' | 'first'> | null {
    const sketch = readSketch(signed.bytes)
    const known = sketch && this.#entries.get(sketch.identity)
    if (!sketch || !known || sketch.incarnation !== known.row.incarnation) return null
    if (sketch.number <= (known.sketches.get(sketch.first)?.number ?? 0) || sketch.first >= known.row.links.length) return null
    if (!sketchIsSigned(signed, this.#verifierOf(known.row))) return null
    this.#entries.set(sketch.identity, { ...known, sketches: new Map(known.sketches).set(sketch.first, sketch) })
    return sketch
  }

  /** The figures last told of a node's links, in their order; a link without has none. */
  figures(identity: Identity): readonly (Figure | undefined)[] {
    const entry = this.#entries.get(identity)
    if (!entry) return []
    const { row, pulse, sketches } = entry
    if (pulse && pulse.figures.length > 0) return pulse.version === row.version ? pulse.figures : []
    const mark = linksMark(row.links)
    const figures: (Figure | undefined)[] = row.links.map(() => undefined)
    for (const { first, links, figures: told } of sketches.values()) {
      if (links === mark) told.forEach((figure, at) => first + at < figures.length && (figures[first + at] = figure))
    }
    return figures
  }

  /** A short hash of each range of identities, one after the other, for tables that are too long to name every version. Of the same rows as `hash`. */
  digest(): Uint8Array {
    const hashes = Array.from({ length: DIGEST_RANGES }, () => createHash('sha256'))
    for (const identity of this.#hashed()) hashes[rangeOf(identity)]?.update(this.#hashes.get(identity) as Uint8Array)
    return new Uint8Array(Buffer.concat(hashes.map((hash) => hash.digest().subarray(0, DIGEST_BYTES))))
  }

  /** The graph hash: sorted (identity, incarnation, version, link states) of all rows but those of nodes that left. */
  hash(): Uint8Array {
    if (!this.#hash) {
      const total = createHash('sha256')
      for (const identity of this.#hashed()) total.update(this.#hashes.get(identity) as Uint8Array)
      this.#hash = new Uint8Array(total.digest().subarray(0, 16))
    }
    return this.#hash
  }

  /** In order. */
  identities(): readonly Identity[] {
    this.#sorted ??= [...this.#entries.keys()].sort()
    return this.#sorted
  }

  /** Whose rows are hashed: all but those of nodes that left. */
  #hashed(): Identity[] {
    return this.identities().filter((identity) => !this.#entries.get(identity)?.row.left)
  }

  /** All versions, or those from one identity to another. */
  versions(first?: Identity, last?: Identity): VersionEntry[] {
    const within = this.identities().filter((identity) => (!first || identity >= first) && (!last || identity <= last))
    return within.map((identity) => this.version(this.#entries.get(identity) as Entry))
  }

  version({ row, digest }: Entry): VersionEntry {
    return { identity: row.identity, incarnation: row.incarnation, version: row.version, mark: Number.parseInt(digest.slice(0, 8), 16) }
  }

  /** How a version that somebody names stands to the row held here. */
  order(named: VersionEntry): 'older' | 'same' | 'forked' | 'newer' {
    const known = this.#entries.get(named.identity)
    if (!known) return this.#isForgotten(named) || this.#banned.has(named.identity) ? 'same' : 'newer'
    const order = compareVersions(named, known.row)
    if (order !== 0) return order < 0 ? 'older' : 'newer'
    return this.version(known).mark === named.mark ? 'same' : 'forked'
  }

  /** A checker of a node's signatures, or null when its row is not known. */
  verifier(identity: Identity): Verifier | null {
    const known = this.#entries.get(identity)
    return known ? this.#verifierOf(known.row) : null
  }

  #isForgotten(named: { identity: Identity; incarnation: number; version: number }): boolean {
    const floor = this.#forgotten.get(named.identity)
    return floor !== undefined && compareVersions(named, floor) <= 0
  }

  forget(identity: Identity): void {
    const known = this.#entries.get(identity)
    if (!known) return
    this.#forgotten.set(identity, { incarnation: known.row.incarnation, version: known.row.version })
    if (this.#forgotten.size > LIMITS.nodes) this.#forgotten.delete(this.#forgotten.keys().next().value as Identity)
    this.#entries.delete(identity)
    this.#held.delete(known.digest)
    this.#verifiers.delete(identity)
    this.#hashes.delete(identity)
    this.#hash = null
    this.#sorted = null
  }

  /** A row that was forgotten may come again. */
  pardon(identity: Identity): void {
    this.#forgotten.delete(identity)
  }

  /** From now on rows of these are refused. Those that are held stay until they are forgotten. */
  ban(identities: readonly Identity[]): void {
    this.#banned = new Set(identities)
  }

  #put(row: Row, signed: Signed, digest: string, known: Entry | undefined, heardMs: number): Entry {
    // Beats count within an incarnation: a pulse of the one before says nothing of this one.
    const keeps = known !== undefined && known.row.incarnation === row.incarnation
    const entry: Entry = {
      row,
      signed,
      digest,
      pulse: keeps ? known.pulse : null,
      signedPulse: keeps ? known.signedPulse : null,
      sketches: keeps ? known.sketches : new Map(),
      heardMs,
      forked: false,
    }
    this.#entries.set(row.identity, entry)
    if (known) this.#held.delete(known.digest)
    this.#held.add(digest)
    this.#hashes.set(row.identity, hashOfRow(row))
    this.#hash = null
    if (!known) this.#sorted = null
    return entry
  }

  #verifierOf(row: Row): Verifier {
    const known = this.#verifiers.get(row.identity)
    if (known) return known
    const verifier = verifierOf(row.publicKey)
    // Kept only for rows that we hold, so that strangers cannot fill it.
    if (this.#entries.has(row.identity)) this.#verifiers.set(row.identity, verifier)
    return verifier
  }
}

/** Why what is no row is none. */
function refusal(signed: Signed): RowOutcome {
  const publicKey = tooLargeBy(signed)
  if (publicKey && rowIsSigned(signed, verifierOf(publicKey))) return { outcome: 'refused', why: 'too-large', by: identityOf(publicKey) }
  return { outcome: 'refused', why: 'malformed' }
}

/** Which range of a digest an identity falls into: its first six bits. */
function rangeOf(identity: Identity): number {
  return Number.parseInt(identity.slice(0, 2), 16) >> 2
}

export function beatOf(entry: Entry): number {
  return entry.pulse?.beat ?? 0
}

/** Positive when `a` is newer. */
export function compareVersions(a: { incarnation: number; version: number }, b: { incarnation: number; version: number }): number {
  return a.incarnation - b.incarnation || a.version - b.version
}

function digestOf(signed: Signed): string {
  return createHash('sha256').update(signed.bytes).digest('hex')
}

function hashOfRow(row: Row): Uint8Array {
  const hash = createHash('sha256').update(identityBytes(row.identity))
  const states = row.links.map((link) => `${link.toType} ${link.to} ${link.kind} ${link.state} ${link.dead ?? '-'}`).sort()
  hash.update(`${row.incarnation} ${row.version}\n${states.join('\n')}\n`)
  return new Uint8Array(hash.digest())
}
