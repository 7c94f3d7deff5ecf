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

/** Puts rows together again. Holds a bounded number of unfinished ones, the newest version of each. */
export class PartsInbox {
  readonly #unfinished = new Map<Identity, { incarnation: number; version: number; pieces: (Uint8Array | undefined)[] }>()

  /** The whole row when this was its last missing part. */
  add(message: RowPart): Signed | null {
    if (message.part >= message.parts || message.piece.length > LIMITS.datagramBytes) return null
    const known = this.#unfinished.get(message.identity)
    const isSame = known?.incarnation === message.incarnation && known.version === message.version && known.pieces.length === message.parts
    const row = isSame
      ? known
      : { incarnation: message.incarnation, version: message.version, pieces: Array<Uint8Array | undefined>(message.parts).fill(undefined) }
    this.#unfinished.delete(message.identity)
    row.pieces[message.part] = message.piece
    if (!row.pieces.includes(undefined)) {
      const bytes = Buffer.concat(row.pieces as Uint8Array[])
      return { signature: bytes.subarray(0, 64), bytes: bytes.subarray(64) }
    }
    this.#unfinished.set(message.identity, row)
    if (this.#unfinished.size > 64) this.#unfinished.delete(this.#unfinished.keys().next().value as Identity)
    return null
  }
}
