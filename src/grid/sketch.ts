import { createHash } from 'node:crypto'
import { encode } from 'cborg'
import { z } from 'zod'
import { LIMITS, type Identity } from '../contract/index.ts'
import { readCbor } from './cbor.ts'
import { identityBytes, identityFrom, type NodeKeys } from './keys.ts'
import { inContext, type Row, type Signed, type Verifier } from './row.ts'

/** Loss and round trip of one link, as a pulse of 0.1.0 told them too. */
export type Figure = readonly [lossPerMille: number, rttUs: number | null]

/**
 * The figures of a row's links, two bytes each: coarse, but small enough to go round a grid of hundreds. They belong to links, not to a version of
 * the row, so that they still hold when a state turns meanwhile: `links` is a short hash of which links, in which order.
 */
export type Sketch = {
  readonly identity: Identity
  readonly incarnation: number
  /** Counts up within an incarnation: the newer of two figures counts. It is no heartbeat. */
  readonly number: number
  readonly links: number
  /** Place of the first figure among the row's links. */
  readonly first: number
  readonly figures: readonly Figure[]
}

const FORMAT = 1
const CONTEXT = 'midwatch sketch 1'
/** Figures of so many links fit a datagram, signature included. */
export const FIGURES_PER_SKETCH = 400

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
const WireSketch = z.tuple([
  z.literal(FORMAT),
  z.instanceof(Uint8Array).refine((value) => value.length === 16),
  count,
  count,
  z.number().int().min(0).max(0xffff_ffff),
  z.number().int().min(0).max(LIMITS.linksPerRow).multipleOf(FIGURES_PER_SKETCH),
  z.instanceof(Uint8Array).refine((value) => value.length % 2 === 0 && value.length <= 2 * FIGURES_PER_SKETCH),
])

/** Which links a row has, in their order. */
export function linksMark(links: Row['links']): number {
  const hash = createHash('sha256')
  for (const { toType, to } of links) hash.update(`${toType} ${to}\n`)
  return hash.digest().readUInt32BE()
}

/** All figures of a row, as many sketches as they need. Those beyond the row's links are left out. */
export function signSketches(row: Row, number: number, figures: readonly Figure[], keys: NodeKeys): Signed[] {
  const links = linksMark(row.links)
  const signed: Signed[] = []
  for (let first = 0; first < Math.min(figures.length, row.links.length); first += FIGURES_PER_SKETCH) {
    const some = figures.slice(first, Math.min(first + FIGURES_PER_SKETCH, row.links.length))
    const bytes = encode([
      FORMAT,
      identityBytes(row.identity),
      row.incarnation,
      number,
      links,
      first,
      Uint8Array.from(some.flatMap(([lossPerMille, rttUs]) => [lossByte(lossPerMille), rttByte(rttUs)])),
    ])
    signed.push({ bytes, signature: keys.sign(inContext(CONTEXT, bytes)) })
  }
  return signed
}

/** Reads a sketch without checking its signature; null when it is not one. */
export function readSketch(encoded: Uint8Array): Sketch | null {
  const wire = readCbor(WireSketch, encoded)
  if (!wire) return null
  const [, identity, incarnation, number, links, first, bytes] = wire
  const figures = Array.from({ length: bytes.length / 2 }, (_, at): Figure => [
    perMille(bytes[2 * at] as number),
    rttUsOf(bytes[2 * at + 1] as number),
  ])
  return { identity: identityFrom(identity), incarnation, number, links, first, figures }
}

export const sketchIsSigned = (signed: Signed, verify: Verifier): boolean => verify(inContext(CONTEXT, signed.bytes), signed.signature)

/** Half percents; what is not nothing stays so. */
function lossByte(lossPerMille: number): number {
  return lossPerMille <= 0 ? 0 : Math.min(200, Math.max(1, Math.round(lossPerMille / 5)))
}

const perMille = (byte: number): number => Math.min(1_000, byte * 5)

/** Steps of 6 % from 10 µs up: 255 of them reach half a minute. */
const STEP = 1.06
const LEAST_US = 10
const NONE = 255

function rttByte(rttUs: number | null): number {
  if (rttUs === null) return NONE
  return Math.min(NONE - 1, Math.max(0, Math.round(Math.log(Math.max(rttUs, LEAST_US) / LEAST_US) / Math.log(STEP))))
}

function rttUsOf(byte: number): number | null {
  return byte === NONE ? null : Math.round(LEAST_US * STEP ** byte)
}
