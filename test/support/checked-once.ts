type Verifier = (bytes: Uint8Array, signature: Uint8Array) => boolean

/** Checks each signature once for all nodes of a world together: what one of them found out is true for the others, and it is the dear part. */
export function checkedOnce(verifierOf: (publicKey: Uint8Array) => Verifier): (publicKey: Uint8Array) => Verifier {
  const answers = new Map<string, boolean>()
  const text = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  return (publicKey) => {
    const owner = text(publicKey)
    return (bytes, signature) => {
      const key = owner + text(signature) + text(bytes)
      let answer = answers.get(key)
      if (answer === undefined) {
        answer = verifierOf(publicKey)(bytes, signature)
        if (answers.size > 20_000) answers.clear()
        answers.set(key, answer)
      }
      return answer
    }
  }
}
