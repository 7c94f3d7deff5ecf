import { createHash } from 'node:crypto'
import { LIMITS } from '../contract/index.ts'
import type { Address, ByteStream, Clock, Network } from '../platform/index.ts'
import { answerExchange, callExchange, type ExchangePort } from './exchange.ts'
import type { GridCounters } from './ports.ts'
import { answerSealed, callSealed, type SealedStream, type StreamMode } from './stream.ts'

const STREAM_DIAL_MS = 2_000

export type MeetingsOptions = {
  readonly clock: Clock
  readonly network: Network
  readonly gridKey: Uint8Array
  readonly port: ExchangePort
  readonly counters: GridCounters
  onSeenAs(host: string): void
}

/** Who answers callers that come with an invitation. */
export type Doorkeeper = { keyOf(hint: Uint8Array): Uint8Array | null; answer(hint: Uint8Array, stream: SealedStream): Promise<void> }

/** Full exchanges over streams, ours and theirs, a bounded number at a time. */
export class Meetings {
  readonly #options: MeetingsOptions
  readonly #hint: Uint8Array
  #open = 0
  #stopped = false

  constructor(options: MeetingsOptions) {
    this.#options = options
    this.#hint = createHash('sha256').update('midwatch grid key').update(options.gridKey).digest().subarray(0, 8)
  }

  stop(): void {
    this.#stopped = true
  }

  /** Exchanges everything with whoever answers at an address. Also how a node joins. */
  async meet(address: Address): Promise<boolean> {
    const { network, gridKey, clock, port, counters } = this.#options
    if (this.#stopped || this.#open >= LIMITS.streams) return false
    this.#open++
    try {
      const stream = await network.dial(address, STREAM_DIAL_MS)
      const sealed = await callSealed(stream, 0, this.#hint, gridKey, clock)
      const done = sealed && (await callExchange(sealed, port))
      counters[done ? 'exchangesCalled' : 'exchangesFailed']++
      if (done) this.#options.onSeenAs(done.seenAs)
      return done !== null
    } catch {
      // Nobody there, or a broken stream: a failed exchange, whatever it was.
      counters.exchangesFailed++
      return false
    } finally {
      this.#open--
    }
  }

  /** A caller on the grid's TCP port. */
  async accept(stream: ByteStream, doorkeeper: Doorkeeper): Promise<void> {
    const { gridKey, clock, port, counters } = this.#options
    if (this.#stopped || this.#open >= LIMITS.streams) {
      counters.streamsRefused++
      stream.destroy()
      return
    }
    this.#open++
    stream.onClose(() => this.#open--)
    const secretOf = (mode: StreamMode, hint: Uint8Array): Uint8Array | null =>
      mode === 1 ? doorkeeper.keyOf(hint) : Buffer.compare(hint, this.#hint) === 0 ? gridKey : null
    try {
      const caller = await answerSealed(stream, secretOf, clock)
      if (!caller) counters.streamsRefused++
      else if (caller.mode === 1) await doorkeeper.answer(caller.hint, caller.sealed)
      else counters[(await answerExchange(caller.sealed, port)) ? 'exchangesAnswered' : 'exchangesFailed']++
    } catch {
      // A use of an invitation that cannot be written down is no use: the caller gets nothing.
      counters.streamsRefused++
      stream.destroy()
    }
  }
}
