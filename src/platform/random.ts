import { randomBytes, randomInt } from 'node:crypto'

/** The only die. A simulator hands in a seeded one. */
export type Randomness = {
  bytes(count: number): Uint8Array
  /** A whole number from 0 up to, not including, `below`. */
  int(below: number): number
}

export const systemRandomness: Randomness = {
  bytes: (count) => new Uint8Array(randomBytes(count)),
  int: (below) => (below <= 1 ? 0 : randomInt(below)),
}

/** `count` of `items`, chosen fairly, in random order. Fewer when there are fewer, none when fewer than none are wanted. */
export function pick<T>(random: Randomness, items: readonly T[], count: number): T[] {
  const pool = [...items]
  const wanted = Math.max(0, Math.min(count, pool.length))
  for (let i = 0; i < wanted; i++) {
    const j = i + random.int(pool.length - i)
    const swap = pool[i] as T
    pool[i] = pool[j] as T
    pool[j] = swap
  }
  pool.length = wanted
  return pool
}
