import { encode } from 'cborg'
import * as fc from 'fast-check'

/** Bytes with nothing behind them. */
export const anyBytes = (maxBytes: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: maxBytes })

/** Any value that CBOR can carry, with a liking for what this grid's messages are made of. */
const cborValue: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.nat(),
    fc.constantFrom(0, 1, -1, 0xffff_ffff, 2 ** 53 - 1, -(2 ** 53) + 1, 0.5, Number.NaN, Infinity),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 80 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    fc.uint8Array({ minLength: 32, maxLength: 32 }),
    fc.string({ unit: 'binary', maxLength: 80 }),
    fc.array(tie('value'), { maxLength: 12 }),
    fc.dictionary(fc.string({ maxLength: 8 }), tie('value'), { maxKeys: 4 }),
  ),
})).value

/** A tuple that is nearly right: each part as it should be, or anything. */
export function nearly(...parts: readonly fc.Arbitrary<unknown>[]): fc.Arbitrary<unknown[]> {
  const each = parts.map((part) => fc.oneof({ arbitrary: part, weight: 6 }, { arbitrary: cborValue, weight: 1 }))
  return fc.oneof(
    { arbitrary: fc.tuple(...each), weight: 8 },
    { arbitrary: fc.tuple(fc.tuple(...each), fc.array(cborValue, { maxLength: 3 })).map(([head, tail]) => [...head, ...tail]), weight: 1 },
    { arbitrary: fc.tuple(fc.tuple(...each), fc.nat({ max: parts.length })).map(([all, keep]) => all.slice(0, keep)), weight: 1 },
  )
}

/** A value as CBOR; what cannot be encoded is nothing. */
export function asCbor(value: unknown): Uint8Array {
  try {
    return encode(value)
  } catch {
    return new Uint8Array(0)
  }
}

export const cborBytes: fc.Arbitrary<Uint8Array> = cborValue.map(asCbor)

/** Bytes of one of the samples, damaged: bits turned over, cut short, a piece repeated, or something put in. */
export function damaged(samples: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const turn = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 })
  const damage = fc.oneof(
    turn.map((turns) => (bytes: Buffer) => {
      for (const [at, bits] of turns) if (bytes.length > 0) bytes[at % bytes.length]! ^= bits
      return bytes
    }),
    fc.nat().map((at) => (bytes: Buffer) => bytes.subarray(0, at % (bytes.length + 1))),
    fc.tuple(fc.nat(), fc.nat({ max: 40 })).map(([at, count]) => (bytes: Buffer) => {
      const from = at % (bytes.length + 1)
      return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from, from + count), bytes.subarray(from)])
    }),
    fc.tuple(fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 9 })).map(([at, put]) => (bytes: Buffer) => {
      const from = at % (bytes.length + 1)
      return Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(from)])
    }),
  )
  return fc
    .tuple(fc.nat({ max: samples.length - 1 }), damage)
    .map(([which, change]) => new Uint8Array(change(Buffer.from(samples[which]!))))
}
