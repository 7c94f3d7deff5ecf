import { LIMITS } from '../contract/index.ts'

/** Something to tell others: a row (maybe in parts), a pulse or a rumour, as encoded messages. */
type News = { readonly messages: readonly Uint8Array[]; sendsLeft: number }

/**
 * What is still to be told, and how often. News told by each node that learns it about log2(n) times has by chance reached nearly all; the comparison of versions brings it to the rest. Newer news of the same key replaces older.
 */
export class Spread {
  readonly #news = new Map<string, News>()

  add(key: string, messages: readonly Uint8Array[], sends: number): void {
    this.#news.delete(key)
    if (this.#news.size >= LIMITS.rumours) this.#news.delete(this.#news.keys().next().value as string)
    this.#news.set(key, { messages, sendsLeft: sends })
  }

  get isEmpty(): boolean {
    return this.#news.size === 0
  }

  /** News for one peer: the least told first, as much as `maxBytes` holds; counts as sent. */
  take(maxBytes: number): Uint8Array[] {
    const taken: Uint8Array[] = []
    let left = maxBytes
    for (const [key, news] of [...this.#news].sort(([, a], [, b]) => b.sendsLeft - a.sendsLeft)) {
      const sizeBytes = news.messages.reduce((sum, message) => sum + message.length, 0)
      if (sizeBytes > left) continue
      left -= sizeBytes
      taken.push(...news.messages)
      if (--news.sendsLeft <= 0) this.#news.delete(key)
    }
    return taken
  }
}

/** Splits encoded messages into groups that fit a datagram each. A message that fits none is left out. */
export function packInto(messages: readonly Uint8Array[], maxBytes: number): Uint8Array[][] {
  const packets: Uint8Array[][] = []
  let current: Uint8Array[] = []
  let sizeBytes = 0
  for (const message of messages) {
    if (message.length > maxBytes) continue
    if (current.length > 0 && (sizeBytes + message.length > maxBytes || current.length >= 60)) {
      packets.push(current)
      current = []
      sizeBytes = 0
    }
    current.push(message)
    sizeBytes += message.length
  }
  if (current.length > 0) packets.push(current)
  return packets
}
