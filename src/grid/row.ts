import { encode } from 'cborg'
import { z } from 'zod'
import { Degraded, Direction, Label, LIMITS, LINK_DETAILS, LinkState, ProbeKind, type Identity } from '../contract/index.ts'
import { readCbor } from './cbor.ts'
import { identityBytes, identityFrom, identityOf, type NodeKeys } from './keys.ts'

/** One link as its observer claims it in its row. Figures travel in pulses, so that a row changes only when a state does. */
export type LinkClaim = {
  readonly toType: 'node' | 'target'
  /** Identity of a node, or name of a target. */
  readonly to: string
  readonly kind: ProbeKind
  readonly state: LinkState
  readonly dead: Direction | null
  /** The observer's wall clock, whole seconds. For people. */
  readonly sinceMs: number | null
  readonly detail: string | null
  /** Of a target: what is probed, and where it is. */
  readonly address: string | null
  readonly site: string | null
}

/** Does a line of its observer lead there? */
export function isOverLine({ detail }: LinkClaim): boolean {
  return detail !== null && detail.endsWith(LINK_DETAILS.line)
}

/** All that one node says of itself and of its links, at one version. */
export type Row = {
  readonly identity: Identity
  readonly publicKey: Uint8Array
  readonly incarnation: number
  readonly version: number
  readonly id: string
  readonly site: string
  readonly address: string | null
  readonly program: string
  /** The last word of a node that said goodbye. */
  readonly left: boolean
  readonly degraded: readonly Degraded[]
  readonly links: readonly LinkClaim[]
}

/** What a node says of its links' figures, between rows, in the order of the row's links. It is also its heartbeat. */
export type Pulse = {
  readonly identity: Identity
  readonly incarnation: number
  /** Counts up within an incarnation. A newer beat proves that its owner was alive. */
  readonly beat: number
  /** The row version whose links `figures` follows. */
  readonly version: number
  readonly figures: readonly (readonly [lossPerMille: number, rttUs: number | null])[]
}

/** Bytes as their owner signed them. They are relayed and stored as they are, never encoded again. */
export type Signed = { readonly bytes: Uint8Array; readonly signature: Uint8Array }

const KINDS = ProbeKind.options
const STATES = LinkState.options
const DIRECTIONS = Direction.options
const REASONS = Degraded.options
const FORMAT = 1
/** Signatures of a row, a pulse and anything to come must not be taken for one another. */
const ROW_CONTEXT = 'midwatch row 1'
const PULSE_CONTEXT = 'midwatch pulse 1'

const bytes = (length: number) => z.instanceof(Uint8Array).refine((value) => value.length === length)
const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
const index = (options: readonly unknown[]) =>
  z
    .number()
    .int()
    .min(0)
    .max(options.length - 1)
const optionalText = (chars: number) => z.string().max(chars).nullable()

/** The last second that dates are written of, 9999-12-31T23:59:59Z: beyond, they cannot be shown. */
const LATEST_S = 253_402_300_799
const PROGRAM_CHARS = 40

const WireLink = z.tuple([
  z.union([bytes(16), Label]),
  index(KINDS),
  index(STATES),
  z
    .number()
    .int()
    .min(-1)
    .max(DIRECTIONS.length - 1),
  z.number().int().min(0).max(LATEST_S).nullable(),
  optionalText(LIMITS.detailChars),
  optionalText(LIMITS.addressChars),
  Label.nullable(),
])

const WireRow = z.tuple([
  z.literal(FORMAT),
  bytes(32),
  count,
  count,
  Label,
  Label,
  optionalText(LIMITS.addressChars),
  z.string().max(PROGRAM_CHARS),
  z.boolean(),
  z.array(index(REASONS)).max(REASONS.length),
  z.array(WireLink).max(LIMITS.linksPerRow),
])

const WirePulse = z.tuple([
  z.literal(FORMAT),
  bytes(16),
  count,
  count,
  count,
  z.array(z.tuple([z.number().int().min(0).max(1_000), count.nullable()])).max(LIMITS.linksPerRow),
])

/** Control characters and the like have no place in what a screen or a terminal will show. */
function plainText(text: string | null, chars: number): string | null {
  return text === null ? null : text.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}]/gu, ' ').slice(0, chars)
}

export function signRow(row: Row, keys: NodeKeys): Signed {
  const encoded = encode([
    FORMAT,
    row.publicKey,
    row.incarnation,
    row.version,
    row.id,
    row.site,
    plainText(row.address, LIMITS.addressChars),
    plainText(row.program, PROGRAM_CHARS),
    row.left,
    row.degraded.map((reason) => REASONS.indexOf(reason)),
    row.links.map((link) => [
      link.toType === 'node' ? identityBytes(link.to as Identity) : link.to,
      KINDS.indexOf(link.kind),
      STATES.indexOf(link.state),
      link.dead === null ? -1 : DIRECTIONS.indexOf(link.dead),
      link.sinceMs === null ? null : Math.floor(link.sinceMs / 1_000),
      plainText(link.detail, LIMITS.detailChars),
      plainText(link.address, LIMITS.addressChars),
      link.site,
    ]),
  ])
  return { bytes: encoded, signature: keys.sign(inContext(ROW_CONTEXT, encoded)) }
}

/** Reads a row without checking its signature; null when it is not one. */
export function readRow(encoded: Uint8Array): Row | null {
  const wire = readCbor(WireRow, encoded)
  if (!wire) return null
  const [, publicKey, incarnation, version, id, site, address, program, left, degraded, links] = wire
  return {
    identity: identityOf(publicKey),
    publicKey,
    incarnation,
    version,
    id,
    site,
    address: plainText(address, LIMITS.addressChars),
    program: plainText(program, PROGRAM_CHARS) as string,
    left,
    degraded: degraded.map((reason) => REASONS[reason] as Degraded),
    links: links.map(([to, kind, state, dead, sinceS, detail, targetAddress, targetSite]) => ({
      toType: typeof to === 'string' ? 'target' : 'node',
      to: typeof to === 'string' ? to : identityFrom(to),
      kind: KINDS[kind] as ProbeKind,
      state: STATES[state] as LinkState,
      dead: dead < 0 ? null : (DIRECTIONS[dead] as Direction),
      sinceMs: sinceS === null ? null : sinceS * 1_000,
      detail: plainText(detail, LIMITS.detailChars),
      address: plainText(targetAddress, LIMITS.addressChars),
      site: targetSite,
    })),
  }
}

/**
 * The owner of a row that has more links than any honest node's, when it is signed as one: who made it. Null for anything else that is no row,
 * which anybody may have made.
 */
export function tooLargeBy(signed: Signed): Uint8Array | null {
  const wire = readCbor(z.array(z.unknown()), signed.bytes)
  const publicKey = bytes(32).safeParse(wire?.[1]).data
  const links = wire?.[10]
  return publicKey && Array.isArray(links) && links.length > LIMITS.linksPerRow ? publicKey : null
}

export function signPulse(pulse: Pulse, keys: NodeKeys): Signed {
  const encoded = encode([FORMAT, identityBytes(pulse.identity), pulse.incarnation, pulse.beat, pulse.version, pulse.figures])
  return { bytes: encoded, signature: keys.sign(inContext(PULSE_CONTEXT, encoded)) }
}

/** Reads a pulse without checking its signature; null when it is not one. */
export function readPulse(encoded: Uint8Array): Pulse | null {
  const wire = readCbor(WirePulse, encoded)
  if (!wire) return null
  const [, identity, incarnation, beat, version, figures] = wire
  return { identity: identityFrom(identity), incarnation, beat, version, figures }
}

export type Verifier = (bytes: Uint8Array, signature: Uint8Array) => boolean
export const rowIsSigned = (signed: Signed, verify: Verifier): boolean => verify(inContext(ROW_CONTEXT, signed.bytes), signed.signature)
export const pulseIsSigned = (signed: Signed, verify: Verifier): boolean => verify(inContext(PULSE_CONTEXT, signed.bytes), signed.signature)

export function inContext(context: string, encoded: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${context}\0`), encoded])
}
