import { LIMITS } from '../contract/index.ts'
import type { Address, ByteStream, Clock, Network } from '../platform/index.ts'
import { answerExchange, callExchange, type ExchangePort } from './exchange.ts'
import { answerHandover, callHandover } from './handover.ts'
import type { KeyName } from './keys.ts'
import type { GridCounters } from './ports.ts'
import type { KeyRing } from './ring.ts'
import type { Signed } from './row.ts'
import { answerSealed, callSealed, type SealedStream, type StreamMode } from './stream.ts'

/** How a key call went: this node took a new key; there was none for it; or nobody there knew the keys that it has. */
export type KeyCall = 'taken' | 'same' | 'refused'

const STREAM_DIAL_MS = 2_000

export type MeetingsOptions = {
  readonly clock: Clock
  readonly network: Network
  readonly ring: KeyRing
  readonly port: ExchangePort
  readonly counters: GridCounters
  onSeenAs(host: string): void
  /** Changes of key came. Answers whether this node took one. */
  onChanges(changes: readonly Signed[]): Promise<boolean>
  /** A node calls for a line. */
  onLine(sealed: SealedStream): Promise<void>
}

/** Who answers callers that come with an invitation. */
export type Doorkeeper = { keyOf(hint: Uint8Array): Uint8Array | null; answer(hint: Uint8Array, stream: SealedStream): Promise<void> }

/** Full exchanges and key calls over streams, ours and theirs, a bounded number at a time. */
export class Meetings {
  readonly #options: MeetingsOptions
  #open = 0
  #stopped = false

  constructor(options: MeetingsOptions) {
    this.#options = options
  }

  stop(): void {
    this.#stopped = true
  }

  /** Exchanges everything with whoever answers at an address. Also how a node joins. */
  async meet(address: Address): Promise<boolean> {
    const first = await this.#exchange(address)
    // Who refuses our key may hold a newer one, or lack ours.
    if (first === 'refused' && (await this.callKeys(address)) === 'taken') return (await this.#exchange(address)) === 'done'
    return first === 'done'
  }

  async #exchange(address: Address): Promise<'done' | 'refused' | 'nobody'> {
    const { counters, port, ring } = this.#options
    const { name, key } = ring.current
    let outcome = 'nobody' as 'done' | 'refused' | 'nobody'
    await this.#call(address, 0, name, key, async (sealed) => {
      const done = sealed && (await callExchange(sealed, port))
      if (done) this.#options.onSeenAs(done.seenAs)
      outcome = done ? 'done' : 'refused'
    })
    counters[outcome === 'done' ? 'exchangesCalled' : 'exchangesFailed']++
    return outcome
  }

  /** Asks at an address for changes of key, and tells those made here. */
  async callKeys(address: Address): Promise<KeyCall> {
    const { ring, onChanges } = this.#options
    for (const name of ring.names()) {
      const secret = ring.secretOf(name)
      let changes: Signed[] | null = null
      if (secret)
        await this.#call(address, 2, name, secret, async (sealed) => void (changes = sealed && (await callHandover(sealed, name, ring))))
      if (changes) return (await onChanges(changes)) ? 'taken' : 'same'
    }
    return 'refused'
  }

  /** Calls an address; nobody there, or a broken stream, is a call that failed, whatever it was. */
  async #call(
    address: Address,
    mode: StreamMode,
    name: KeyName,
    secret: Uint8Array,
    speak: (sealed: SealedStream | null) => Promise<void>,
  ): Promise<void> {
    const { network, clock, ring } = this.#options
    if (this.#stopped || ring.outcast || this.#open >= LIMITS.streams) return
    this.#open++
    try {
      const stream = await network.dial(address, STREAM_DIAL_MS)
      await speak(await callSealed(stream, mode, Buffer.from(name, 'hex'), secret, clock))
    } catch {
      // Counted by who asked.
    } finally {
      this.#open--
    }
  }

  /** Opens a stream for a line; it counts among the streams while it lasts. */
  async openLine(address: Address): Promise<SealedStream | null> {
    const { network, clock, ring } = this.#options
    const { name, key } = ring.current
    if (this.#stopped || ring.outcast || this.#open >= LIMITS.streams) return null
    try {
      const stream = await network.dial(address, STREAM_DIAL_MS)
      this.#open++
      stream.onClose(() => this.#open--)
      return await callSealed(stream, 3, Buffer.from(name, 'hex'), key, clock)
    } catch {
      return null
    }
  }

  /** A caller on the grid's TCP port. */
  async accept(stream: ByteStream, doorkeeper: Doorkeeper): Promise<void> {
    const { clock, counters, ring } = this.#options
    if (this.#stopped || ring.outcast || this.#open >= LIMITS.streams) {
      counters.streamsRefused++
      stream.destroy()
      return
    }
    this.#open++
    stream.onClose(() => this.#open--)
    try {
      const caller = await answerSealed(stream, (mode, hint) => this.#secretOf(mode, hint, doorkeeper), clock)
      if (!caller) counters.streamsRefused++
      else await this.#answer(caller, doorkeeper)
    } catch {
      // A use of an invitation that cannot be written down is no use: the caller gets nothing.
      counters.streamsRefused++
      stream.destroy()
    }
  }

  #secretOf(mode: StreamMode, hint: Uint8Array, doorkeeper: Doorkeeper): Uint8Array | null {
    const { ring } = this.#options
    const name = nameOf(hint)
    if (mode === 1) return doorkeeper.keyOf(hint)
    if (mode === 2) return ring.secretOf(name)
    return name === ring.current.name ? ring.current.key : null
  }

  async #answer({ mode, hint, sealed }: Caller, doorkeeper: Doorkeeper): Promise<void> {
    const { counters, port, ring, onChanges, onLine } = this.#options
    if (mode === 1) return doorkeeper.answer(hint, sealed)
    if (mode === 2) {
      const changes = await answerHandover(sealed, nameOf(hint), ring)
      if (changes) await onChanges(changes)
      else counters.exchangesFailed++
      return
    }
    if (mode === 3) return onLine(sealed)
    counters[(await answerExchange(sealed, port)) ? 'exchangesAnswered' : 'exchangesFailed']++
  }
}

type Caller = { readonly mode: StreamMode; readonly hint: Uint8Array; readonly sealed: SealedStream }

function nameOf(hint: Uint8Array): KeyName {
  return Buffer.from(hint).toString('hex')
}
