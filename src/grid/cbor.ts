import { decode } from 'cborg'
import type { z } from 'zod'

/** Reads CBOR that anybody may have sent; null for what is none, or has another shape. */
export function readCbor<T extends z.ZodType>(schema: T, bytes: Uint8Array): z.output<T> | null {
  let value: unknown
  try {
    value = decode(bytes)
  } catch {
    return null
  }
  const parsed = schema.safeParse(value)
  return parsed.success ? parsed.data : null
}
