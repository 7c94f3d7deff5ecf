/** The last `capacity` numbers of a series, in one array that never grows. */
export class Ring {
  readonly #values: Float64Array
  #next = 0
  #size = 0

  constructor(capacity: number) {
    this.#values = new Float64Array(capacity)
  }

  get size(): number {
    return this.#size
  }

  push(value: number): void {
    this.#values[this.#next] = value
    this.#next = (this.#next + 1) % this.#values.length
    if (this.#size < this.#values.length) this.#size++
  }

  /** Takes the newest `count` back out. */
  unpush(count: number): void {
    const taken = Math.min(count, this.#size)
    this.#next = (this.#next - taken + this.#values.length) % this.#values.length
    this.#size -= taken
  }

  /** Forgets all but the newest `count`. */
  keepLast(count: number): void {
    this.#size = Math.min(this.#size, count)
  }

  clear(): void {
    this.#size = 0
  }

  sumOfLast(count: number): number {
    let sum = 0
    for (let back = 1; back <= Math.min(count, this.#size); back++) sum += this.#at(back)
    return sum
  }

  /** Middle value of all that is held (the lower of two); null when empty. */
  median(): number | null {
    if (this.#size === 0) return null
    const sorted = new Float64Array(this.#size)
    for (let back = 1; back <= this.#size; back++) sorted[back - 1] = this.#at(back)
    sorted.sort()
    return sorted[(this.#size - 1) >> 1] as number
  }

  #at(back: number): number {
    return this.#values[(this.#next - back + this.#values.length) % this.#values.length] as number
  }
}
