import { encode } from 'cborg'
import { z } from 'zod'
import { LIMITS } from '../contract/index.ts'
import { readCbor } from './cbor.ts'
import type { KeyName } from './keys.ts'
import type { KeyRing } from './ring.ts'
import type { Signed } from './row.ts'
import type { SealedStream } from './stream.ts'

/**
 * A key call: both sides hand each other the changes that follow on the key that the caller named. So who was away learns the newest key, and of
 * two branches, made while the grid was in two, both sides see both.
 *
 *   both, the caller first: ['change', change, signature] as often as needed, then ['done', "I lack the change that made that key"]
 */
const blob = z.instanceof(Uint8Array)
const Frame = z.union([z.tuple([z.literal('change'), blob, blob]), z.tuple([z.literal('done'), z.boolean()])])

/** Runs the caller's side. Answers the other side's changes, or null when the call broke off. */
export async function callHandover(stream: SealedStream, name: KeyName, ring: KeyRing): Promise<Signed[] | null> {
  send(stream, ring.changesSince(name, false), ring.last === null)
  const theirs = await receive(stream)
  stream.end()
  return theirs?.changes ?? null
}

/** Runs the answerer's side. */
export async function answerHandover(stream: SealedStream, name: KeyName, ring: KeyRing): Promise<Signed[] | null> {
  const theirs = await receive(stream)
  if (!theirs) return null
  send(stream, ring.changesSince(name, theirs.lacksOrigin), ring.last === null)
  stream.end()
  return theirs.changes
}

function send(stream: SealedStream, changes: readonly Signed[], lacksOrigin: boolean): void {
  for (const { bytes, signature } of changes) stream.send(encode(['change', bytes, signature]))
  stream.send(encode(['done', lacksOrigin]))
}

async function receive(stream: SealedStream): Promise<{ changes: Signed[]; lacksOrigin: boolean } | null> {
  const changes: Signed[] = []
  for (;;) {
    const bytes = await stream.receive()
    const frame = bytes && readCbor(Frame, bytes)
    if (frame?.[0] === 'done') return { changes, lacksOrigin: frame[1] }
    if (!frame || changes.length >= LIMITS.keyChanges) {
      stream.destroy()
      return null
    }
    changes.push({ bytes: frame[1], signature: frame[2] })
  }
}
