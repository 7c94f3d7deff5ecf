import { LIMITS, type Identity } from '../contract/index.ts'
import type { Signed } from './row.ts'
import { encodeMessage, MAX_ROW_PARTS, type Message } from './wire.ts'

type RowPart = Extract<Message, { type: 'row-part' }>

/** A row as messages: one, or numbered parts when it is too long for a datagram. Null when even the parts are too many: a stream carries it then. */
export function rowMessages(
  identity: Identity,
  version: { incarnation: number; version: number },
  signed: Signed,
  maxBytes: number,
): Uint8Array[] | null {
  const whole = encodeMessage({ type: 'row', ...signed })
  if (whole.length <= maxBytes) return [whole]
  const bytes = Buffer.concat([signed.signature, signed.bytes])
  const pieceBytes = maxBytes - 60
  const parts = Math.ceil(bytes.length / pieceBytes)
  if (parts > MAX_ROW_PARTS) return null
  return Array.from({ length: parts }, (_, part) =>
    encodeMessage({
      type: 'row-part',
      identity,
      incarnation: version.incarnation,
      version: version.version,
      part,
      parts,
      piece: bytes.subarray(part * pieceBytes, (part + 1) * pieceBytes),
    }),
  )
}

/**
 * Puts rows together again, in whatever order their parts come. Those of one sender go together: a false part must not spoil what others send. Of
 * unfinished ones it holds so many, the latest begun.
 */
export class PartsInbox {
  readonly #unfinished = new Map<string, (Uint8Array | undefined)[]>()

  /** The whole row when this was its last missing part. */
  add(from: Identity, message: RowPart): Signed | null {
    if (message.part >= message.parts || message.piece.length > LIMITS.datagramBytes) return null
    // Each version apart: an older one that is still being told must not push out the parts of a newer one.
    const key = [from, message.identity, message.incarnation, message.version, message.parts].join()
    const pieces = this.#unfinished.get(key) ?? Array<Uint8Array | undefined>(message.parts).fill(undefined)
    pieces[message.part] = message.piece
    if (!pieces.includes(undefined)) {
      this.#unfinished.delete(key)
      const bytes = Buffer.concat(pieces as Uint8Array[])
      return { signature: bytes.subarray(0, 64), bytes: bytes.subarray(64) }
    }
    this.#unfinished.set(key, pieces)
    if (this.#unfinished.size > LIMITS.unfinishedRows) this.#unfinished.delete(this.#unfinished.keys().next().value as string)
    return null
  }
}
