import { encode } from 'cborg'
import { z } from 'zod'
import { LIMITS, type Identity } from '../contract/index.ts'
import { readCbor } from './cbor.ts'
import { identityBytes, identityFrom } from './keys.ts'
import type { Signed } from './row.ts'
import type { SealedStream } from './stream.ts'
import type { Entry, RowTable } from './table.ts'
import { readEntry, wireEntry, WireEntry, type VersionEntry } from './wire.ts'

/**
 * A full exchange over a stream. The caller sends its versions; the answerer sends the rows that are newer there, and says which it
 * wants; the caller sends those. Afterwards both tables hold the same.
 *
 *   caller:   ['versions', [entry, …]]
 *   answerer: ['rows', [[row, signature, pulse, signature], …]] as often as needed, then ['wants', [identity, …], the caller's address as seen]
 *   caller:   ['rows', …] as often as needed, then ['done']
 */
export type ExchangePort = {
  readonly table: RowTable
  applyRow(signed: Signed): void
  applyPulse(signed: Signed): void
}

const id = z.instanceof(Uint8Array).refine((value) => value.length === 16)
const blob = z.instanceof(Uint8Array)
const Frame = z.union([
  z.tuple([z.literal('versions'), z.array(WireEntry).max(LIMITS.nodes)]),
  z.tuple([z.literal('rows'), z.array(z.tuple([blob, blob, blob.nullable(), blob.nullable()])).max(LIMITS.nodes)]),
  z.tuple([z.literal('wants'), z.array(id).max(LIMITS.nodes), z.string().max(64)]),
  z.tuple([z.literal('done')]),
])
type Frame = z.infer<typeof Frame>

async function receive(stream: SealedStream): Promise<Frame | null> {
  const bytes = await stream.receive()
  return bytes && readCbor(Frame, bytes)
}

/** Runs the caller's side. Answers this node's address as the peer sees it, or null when the exchange broke off. */
export async function callExchange(stream: SealedStream, port: ExchangePort): Promise<{ seenAs: string } | null> {
  stream.send(encode(['versions', port.table.versions().map(wireEntry)]))
  for (;;) {
    const frame = await receive(stream)
    if (frame?.[0] === 'rows') applyRows(port, frame[1])
    else if (frame?.[0] === 'wants') {
      sendRows(stream, port.table, frame[1].map(identityFrom))
      stream.send(encode(['done']))
      stream.end()
      return { seenAs: frame[2] }
    } else {
      stream.destroy()
      return null
    }
  }
}

/** Runs the answerer's side. */
export async function answerExchange(stream: SealedStream, port: ExchangePort): Promise<boolean> {
  const first = await receive(stream)
  if (first?.[0] !== 'versions') {
    stream.destroy()
    return false
  }
  const { newer, wanted } = compare(port.table, first[1].map(readEntry))
  sendRows(stream, port.table, newer)
  stream.send(encode(['wants', wanted.map(identityBytes), stream.remoteHost]))
  for (;;) {
    const frame = await receive(stream)
    if (frame?.[0] === 'rows') applyRows(port, frame[1])
    else {
      stream.end()
      return frame?.[0] === 'done'
    }
  }
}

/** What they lack and what we lack. `range` limits it to the part of the table that `theirs` covers. */
export function compare(
  table: RowTable,
  theirs: readonly VersionEntry[],
  range?: { first: Identity; last: Identity },
): { newer: Identity[]; wanted: Identity[] } {
  const told = new Map(theirs.map((entry) => [entry.identity, entry]))
  const newer: Identity[] = []
  for (const { row } of table.entries()) {
    if (range && (row.identity < range.first || row.identity > range.last)) continue
    const entry = told.get(row.identity)
    const order = entry ? table.order(entry) : 'older'
    if (order === 'older' || order === 'forked') newer.push(row.identity)
  }
  const wanted = [...told.values()].filter((entry) => ['newer', 'forked'].includes(table.order(entry)))
  return { newer, wanted: wanted.map((entry) => entry.identity) }
}

function applyRows(port: ExchangePort, rows: readonly [Uint8Array, Uint8Array, Uint8Array | null, Uint8Array | null][]): void {
  for (const [bytes, signature, pulse, pulseSignature] of rows) {
    port.applyRow({ bytes, signature })
    if (pulse && pulseSignature) port.applyPulse({ bytes: pulse, signature: pulseSignature })
  }
}

function sendRows(stream: SealedStream, table: RowTable, identities: readonly Identity[]): void {
  let batch: unknown[] = []
  let sizeBytes = 0
  const flush = (): void => {
    if (batch.length > 0) stream.send(encode(['rows', batch]))
    batch = []
    sizeBytes = 0
  }
  for (const identity of identities) {
    const entry = table.get(identity)
    if (!entry) continue
    const rowBytes = sizeOf(entry)
    if (rowBytes > LIMITS.frameBytes - 64) continue
    if (sizeBytes + rowBytes > LIMITS.frameBytes - 64) flush()
    batch.push([entry.signed.bytes, entry.signed.signature, entry.signedPulse?.bytes ?? null, entry.signedPulse?.signature ?? null])
    sizeBytes += rowBytes
  }
  flush()
}

function sizeOf(entry: Entry): number {
  return entry.signed.bytes.length + (entry.signedPulse?.bytes.length ?? 0) + 160
}
