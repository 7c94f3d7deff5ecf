import {
  createCipheriv,
  createDecipheriv,
  createHash,
  diffieHellman,
  generateKeyPairSync,
  createPublicKey,
  hkdfSync,
  type KeyObject,
} from 'node:crypto'
import { LIMITS } from '../contract/index.ts'
import type { ByteStream, Clock } from '../platform/index.ts'

/**
 * A sealed stream over TCP, for what does not fit datagrams: full exchanges and joining. A handshake of one message each way, in the manner of
 * Noise's NNpsk0: ephemeral X25519 keys, mixed with a key that both sides know already (the grid key, or an invitation's secret). Who does not
 * know it cannot read or write a frame; what was recorded cannot be read later, even by who learns the key.
 *
 *   caller:   0xF7 'M' 'W' 1, mode (1 byte), hint (8 bytes: which key), X25519 public key (32 bytes)
 *   answerer: X25519 public key (32 bytes)
 *   both:     frames of length (4 bytes), AES-256-GCM ciphertext, tag; the nonce counts frames, one key for each direction
 */
export const STREAM_FIRST_BYTE = 0xf7
const MAGIC = Buffer.from([STREAM_FIRST_BYTE, 0x4d, 0x57, 1])
const HELLO_BYTES = MAGIC.length + 1 + 8 + 32
const X25519_SPKI = Buffer.from('302a300506032b656e032100', 'hex')
const TAG_BYTES = 16

/**
 * 0: an exchange between members, sealed with the grid key. 1: joining, sealed with an invitation's secret. 2: changes of key are handed over,
 * sealed with what is kept of an older key. 3: a line, which stays open, sealed with the grid key.
 */
const MODES = [0, 1, 2, 3] as const
export type StreamMode = (typeof MODES)[number]

const LINE_MODE: StreamMode = 3

export type SealedStream = {
  readonly remoteHost: string
  /** The same at both ends of this stream, and of no other: what a signature has to cover to be about this stream. */
  readonly binding: Uint8Array
  /** What was sent and still waits here to go out. */
  waitingBytes(): number
  send(frame: Uint8Array): void
  /** The next frame, or null when the other side ended, failed to prove the key, or was silent for too long. */
  receive(): Promise<Uint8Array | null>
  end(): void
  destroy(): void
}

/** Opens a sealed stream as the caller. Whether the other side knows the key shows with its first frame. */
export async function callSealed(
  stream: ByteStream,
  mode: StreamMode,
  hint: Uint8Array,
  secret: Uint8Array,
  clock: Clock,
): Promise<SealedStream | null> {
  const reader = createReader(stream, clock)
  const own = generateKeyPairSync('x25519')
  const hello = Buffer.concat([MAGIC, Uint8Array.of(mode), hint, rawPublic(own.publicKey)])
  stream.write(hello)
  const theirs = await reader.take(32)
  if (!theirs) {
    stream.destroy()
    return null
  }
  return sealStream(stream, reader, own.privateKey, theirs, secret, Buffer.concat([hello, theirs]), true)
}

/** Answers a caller. `secretOf` finds the key that mode and hint name, or null for a stranger. */
export async function answerSealed(
  stream: ByteStream,
  secretOf: (mode: StreamMode, hint: Uint8Array) => Uint8Array | null,
  clock: Clock,
): Promise<{ mode: StreamMode; hint: Uint8Array; sealed: SealedStream } | null> {
  const reader = createReader(stream, clock)
  const hello = await reader.take(HELLO_BYTES)
  const mode = MODES.find((each) => each === hello?.[MAGIC.length])
  const hint = hello?.subarray(MAGIC.length + 1, MAGIC.length + 9)
  const secret = hello && hint && MAGIC.equals(hello.subarray(0, MAGIC.length)) && mode !== undefined ? secretOf(mode, hint) : null
  if (!hello || !hint || !secret || mode === undefined) {
    stream.destroy()
    return null
  }
  const own = generateKeyPairSync('x25519')
  const answer = rawPublic(own.publicKey)
  stream.write(answer)
  const sealed = sealStream(stream, reader, own.privateKey, hello.subarray(HELLO_BYTES - 32), secret, Buffer.concat([hello, answer]), false)
  return sealed && { mode, hint, sealed }
}

function rawPublic(key: KeyObject): Uint8Array {
  return new Uint8Array(key.export({ format: 'der', type: 'spki' }).subarray(X25519_SPKI.length))
}

function sealStream(
  stream: ByteStream,
  reader: Reader,
  privateKey: KeyObject,
  theirs: Uint8Array,
  secret: Uint8Array,
  transcript: Uint8Array,
  isCaller: boolean,
): SealedStream | null {
  let shared: Buffer
  try {
    shared = diffieHellman({
      privateKey,
      publicKey: createPublicKey({ key: Buffer.concat([X25519_SPKI, theirs]), format: 'der', type: 'spki' }),
    })
  } catch {
    // A public key of low order has no shared secret; nobody honest sends one.
    stream.destroy()
    return null
  }
  const binding = createHash('sha256').update(transcript).digest()
  const info = Buffer.concat([Buffer.from('midwatch stream 1'), binding])
  const keys = new Uint8Array(hkdfSync('sha256', shared, secret, info, 64))
  const [toAnswerer, toCaller] = [keys.subarray(0, 32), keys.subarray(32)]
  const [sendKey, receiveKey] = isCaller ? [toAnswerer, toCaller] : [toCaller, toAnswerer]
  let sent = 0
  let received = 0
  const mostFrames = transcript[MAGIC.length] === LINE_MODE ? Infinity : LIMITS.framesPerStream
  return {
    remoteHost: stream.remoteHost,
    binding,
    waitingBytes: () => stream.waitingBytes(),
    send(frame) {
      const cipher = createCipheriv('aes-256-gcm', sendKey, counterNonce(sent++))
      const sealed = Buffer.concat([cipher.update(frame), cipher.final(), cipher.getAuthTag()])
      const length = Buffer.alloc(4)
      length.writeUInt32BE(sealed.length)
      stream.write(Buffer.concat([length, sealed]))
    },
    async receive() {
      const length = await reader.take(4)
      const sizeBytes = length ? Buffer.from(length).readUInt32BE() : 0
      const fits = sizeBytes > TAG_BYTES && sizeBytes <= LIMITS.frameBytes + TAG_BYTES && received < mostFrames
      const sealed = fits ? await reader.take(sizeBytes) : null
      const frame = sealed && open(receiveKey, counterNonce(received++), sealed)
      if (!frame) stream.destroy()
      return frame
    },
    end: () => stream.end(),
    destroy: () => stream.destroy(),
  }
}

function open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array): Uint8Array | null {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
  const frame = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES))
  try {
    decipher.final()
    return frame
  } catch {
    return null
  }
}

function counterNonce(count: number): Uint8Array {
  const nonce = Buffer.alloc(12)
  nonce.writeUIntBE(count, 6, 6)
  return nonce
}

type Reader = { take(count: number): Promise<Uint8Array | null> }

/** Hands out exact counts of bytes. One taker at a time; silence beyond LIMITS.streamIdleMs ends the stream. */
function createReader(stream: ByteStream, clock: Clock): Reader {
  let buffered: Uint8Array[] = []
  let sizeBytes = 0
  let closed = false
  let waiting: { count: number; resolve(bytes: Uint8Array | null): void; cancel(): void } | null = null
  stream.onData((bytes) => {
    buffered.push(bytes)
    sizeBytes += bytes.length
    // More than two frames ahead of its reader: this side is slow or that side is hostile. Either way it can come back.
    if (sizeBytes > 2 * LIMITS.frameBytes + 65_536) stream.destroy()
    serve()
  })
  stream.onClose(() => {
    closed = true
    serve()
  })
  function serve(): void {
    if (!waiting || (sizeBytes < waiting.count && !closed)) return
    const { count, resolve, cancel } = waiting
    waiting = null
    cancel()
    if (sizeBytes < count) return resolve(null)
    const all = Buffer.concat(buffered)
    buffered = [all.subarray(count)]
    sizeBytes -= count
    resolve(all.subarray(0, count))
  }
  return {
    take(count) {
      return new Promise((resolve) => {
        const cancel = clock.after(LIMITS.streamIdleMs, () => stream.destroy())
        waiting = { count, resolve, cancel }
        serve()
      })
    },
  }
}
