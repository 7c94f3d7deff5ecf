import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import { LIMITS } from '../contract/index.ts'
import type { Clock, Randomness } from '../platform/index.ts'
import { createAllowance } from './allowance.ts'
import type { KeyName } from './keys.ts'
import type { GridKey, KeyRing } from './ring.ts'

/**
 * Datagrams on the wire: `0xD1, session (12 bytes), counter (6 bytes), AES-256-GCM ciphertext, tag (16 bytes)`.
 *
 * A session is one start of one sender. Its key is HKDF-SHA-256 of the grid key with the session as salt, so a counter is a safe nonce and
 * no key is ever used by two senders. The header is authenticated as additional data. A new grid key begins a new session.
 */
const VERSION = 0xd1
const SESSION_BYTES = 12
const HEADER_BYTES = 1 + SESSION_BYTES + 6
const TAG_BYTES = 16
export const SEAL_OVERHEAD_BYTES = HEADER_BYTES + TAG_BYTES

/** As a KeyObject: with raw bytes Node tries first what else they could be, which costs more than the cipher. */
function sessionKey(gridKey: Uint8Array, session: Uint8Array): KeyObject {
  return createSecretKey(new Uint8Array(hkdfSync('sha256', gridKey, session, 'midwatch datagram 1', 32)))
}

/** Which keys there are: a ring, as far as datagrams need it. */
export type SealKeys = Pick<KeyRing, 'sealing' | 'accepted'>

/** Seals with the key of the day, or with another one that is still accepted. */
export type Sealer = { seal(plain: Uint8Array, by?: GridKey): Uint8Array }

export function createSealer(keys: SealKeys, random: Randomness): Sealer {
  const sessions = new Map<KeyName, (plain: Uint8Array) => Uint8Array>()
  return {
    seal(plain, by = keys.sealing()) {
      const known = sessions.get(by.name)
      if (known) return known(plain)
      const accepted = new Set(keys.accepted().map(({ name }) => name))
      for (const name of sessions.keys()) if (!accepted.has(name)) sessions.delete(name)
      const seal = beginSession(by.key, random.bytes(SESSION_BYTES))
      sessions.set(by.name, seal)
      return seal(plain)
    },
  }
}

function beginSession(gridKey: Uint8Array, session: Uint8Array): (plain: Uint8Array) => Uint8Array {
  const key = sessionKey(gridKey, session)
  let counter = 0
  return (plain) => {
    const header = Buffer.alloc(HEADER_BYTES)
    header[0] = VERSION
    header.set(session, 1)
    header.writeUIntBE(++counter, 1 + SESSION_BYTES, 6)
    const cipher = createCipheriv('aes-256-gcm', key, nonceOf(header))
    cipher.setAAD(header)
    return Buffer.concat([header, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
  }
}

/** Six zero bytes and the counter: 12 bytes, never twice under one session's key. */
function nonceOf(header: Uint8Array): Buffer {
  const nonce = Buffer.alloc(12)
  nonce.set(header.subarray(1 + SESSION_BYTES, HEADER_BYTES), 6)
  return nonce
}

export type OpenRefusal = 'malformed' | 'too-many-sessions' | 'not-authentic' | 'replayed'
export type Opened =
  | { readonly ok: true; readonly plain: Uint8Array; readonly session: Session }
  | { readonly ok: false; readonly why: OpenRefusal }

/** What is remembered of a sender's session. `owner` is set by the reader once it knows who speaks. */
export type Session = { readonly gridKey: KeyName; readonly key: KeyObject; readonly window: ReplayWindow; owner: string | null }

export type Opener = { open(datagram: Uint8Array): Opened }

export function createOpener(keys: SealKeys, clock: Clock): Opener {
  // Insertion order is age of use: the front is the least recently used.
  const sessions = new Map<string, Session>()
  // A stranger can make us derive keys; this bounds how many.
  const mayDerive = createAllowance(clock, LIMITS.newSessionsPerSecond, 1_000)

  return {
    open(datagram) {
      if (datagram.length < SEAL_OVERHEAD_BYTES || datagram.length > LIMITS.datagramBytes || datagram[0] !== VERSION)
        return refused('malformed')
      const header = datagram.subarray(0, HEADER_BYTES)
      const name = Buffer.from(header.subarray(1, 1 + SESSION_BYTES)).toString('latin1')
      const counter = Buffer.from(header).readUIntBE(1 + SESSION_BYTES, 6)
      const accepted = keys.accepted()
      const known = sessions.get(name)
      // Newest first: most are sealed with that one. With a grid key all sessions under it end.
      for (const gridKey of accepted.toReversed()) {
        if (known && known.gridKey !== gridKey.name) continue
        if (!known && !mayDerive()) return refused('too-many-sessions')
        const session = known ?? newSession(gridKey, header.subarray(1, 1 + SESSION_BYTES))
        if (!session.window.isFresh(counter)) return refused('replayed')
        const plain = decrypt(session.key, header, datagram)
        if (!plain) continue
        session.window.accept(counter)
        // Only what proved authentic may take room, or strangers could push our peers out.
        if (known) sessions.delete(name)
        sessions.set(name, session)
        if (sessions.size > LIMITS.sessions) sessions.delete(sessions.keys().next().value as string)
        return { ok: true, plain, session }
      }
      return refused('not-authentic')
    },
  }
}

function newSession(gridKey: GridKey, session: Uint8Array): Session {
  return { gridKey: gridKey.name, key: sessionKey(gridKey.key, session), window: createReplayWindow(), owner: null }
}

function refused(why: OpenRefusal): Opened {
  return { ok: false, why }
}

function decrypt(key: KeyObject, header: Uint8Array, datagram: Uint8Array): Uint8Array | null {
  const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(header), { authTagLength: TAG_BYTES })
  decipher.setAAD(header)
  decipher.setAuthTag(datagram.subarray(datagram.length - TAG_BYTES))
  const plain = decipher.update(datagram.subarray(HEADER_BYTES, datagram.length - TAG_BYTES))
  try {
    decipher.final()
    return plain
  } catch {
    return null
  }
}

export type ReplayWindow = { isFresh(counter: number): boolean; accept(counter: number): void }

/** The sliding window of RFC 4303 (section 3.4.3), 1,024 wide: several lanes reorder more than one path does. */
export function createReplayWindow(): ReplayWindow {
  const WIDTH = 1_024
  const seen = new Uint8Array(WIDTH)
  let highest = 0
  return {
    isFresh(counter) {
      if (counter <= 0 || counter <= highest - WIDTH) return false
      return counter > highest || seen[counter % WIDTH] === 0
    },
    accept(counter) {
      if (counter > highest) {
        if (counter - highest >= WIDTH) seen.fill(0)
        else for (let skipped = highest + 1; skipped < counter; skipped++) seen[skipped % WIDTH] = 0
        highest = counter
      }
      seen[counter % WIDTH] = 1
    },
  }
}
