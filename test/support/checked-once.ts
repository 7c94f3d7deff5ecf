import type { KeyObject } from 'node:crypto'

type Verifier = (bytes: Uint8Array, signature: Uint8Array) => boolean

const MAX_CHARS = 20_000_000
const MAX_KEYS = 10_000
const answers = new Map<string, boolean>()
let chars = 0

const text = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')

function remember(key: string, answer: boolean): boolean {
  chars += key.length
  if (chars > MAX_CHARS) {
    answers.clear()
    chars = key.length
  }
  answers.set(key, answer)
  return answer
}

/** Checks each signature once for all nodes of a world together: what one of them found out is true for the others, and it is the dear part. */
export function checkedOnce(verifierOf: (publicKey: Uint8Array) => Verifier): (publicKey: Uint8Array) => Verifier {
  return (publicKey) => {
    const owner = text(publicKey)
    let verify: Verifier | null = null
    return (bytes, signature) => {
      const key = owner + text(signature) + text(bytes)
      return answers.get(key) ?? remember(key, (verify ??= verifierOf(publicKey))(bytes, signature))
    }
  }
}

/** What was signed here need not be checked at all. */
export function signedHere(publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): Uint8Array {
  remember(text(publicKey) + text(signature) + text(bytes), true)
  return signature
}

// On the object itself: a map from every datagram there ever was costs more than the cipher.
const SEALED = Symbol('sealed')
type Marked = Uint8Array & { [SEALED]?: { readonly key: KeyObject; readonly plain: Uint8Array } }

/** What was sealed here, and arrives as the very object that left, need not be deciphered. */
export function sealedHere(key: KeyObject, plain: Uint8Array, datagram: Uint8Array): Uint8Array {
  return Object.assign(datagram, { [SEALED]: { key, plain } })
}

/** A session's key is derived once, not by each who hears the session. */
export function keyOnce(
  derive: (gridKey: Uint8Array, session: Uint8Array) => KeyObject,
): (gridKey: Uint8Array, session: Uint8Array) => KeyObject {
  const keys = new Map<string, KeyObject>()
  return (gridKey, session) => {
    const name = text(gridKey) + text(session)
    const key = keys.get(name) ?? derive(gridKey, session)
    if (keys.size > MAX_KEYS) keys.clear()
    keys.set(name, key)
    return key
  }
}

export function openedHere(key: KeyObject, datagram: Uint8Array): Uint8Array | null {
  const known = (datagram as Marked)[SEALED]
  return known && (known.key === key || known.key.equals(key)) ? known.plain : null
}

/** Reads each value once for all nodes of a world together. Only for answers that nobody changes. */
export function readOnce<T>(read: (encoded: Uint8Array) => T): (encoded: Uint8Array) => T {
  const answers = new Map<string, T>()
  let chars = 0
  return (encoded) => {
    const key = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength).toString('latin1')
    let answer = answers.get(key)
    if (answer === undefined) {
      answer = read(encoded)
      chars += key.length
      if (chars > 10_000_000) {
        answers.clear()
        chars = key.length
      }
      answers.set(key, answer)
    }
    return answer
  }
}
