type Verifier = (bytes: Uint8Array, signature: Uint8Array) => boolean

/** Checks each signature once for all nodes of a world together: what one of them found out is true for the others, and it is the dear part. */
export function checkedOnce(verifierOf: (publicKey: Uint8Array) => Verifier): (publicKey: Uint8Array) => Verifier {
  const answers = new Map<string, boolean>()
  let chars = 0
  const text = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  return (publicKey) => {
    const owner = text(publicKey)
    return (bytes, signature) => {
      const key = owner + text(signature) + text(bytes)
      let answer = answers.get(key)
      if (answer === undefined) {
        answer = verifierOf(publicKey)(bytes, signature)
        chars += key.length
        if (chars > 20_000_000) {
          answers.clear()
          chars = key.length
        }
        answers.set(key, answer)
      }
      return answer
    }
  }
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
