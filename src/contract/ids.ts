import { z } from 'zod'
import { LIMITS } from './limits.ts'

/** Who a node is: the first 16 bytes of the SHA-256 of its Ed25519 public key, as 32 hex digits. */
export const Identity = z
  .string()
  .regex(/^[0-9a-f]{32}$/, 'an identity is 32 hex digits')
  .brand<'Identity'>()
export type Identity = z.infer<typeof Identity>

/** A label for people: a node, a site or a target. Host names fit, and so do short words. `~` marks a label that two nodes wanted. */
export const Label = z
  .string()
  .min(1)
  .max(LIMITS.labelChars)
  .regex(/^[\p{L}\p{N}][\p{L}\p{N}._:@/~-]*$/u, 'use letters, digits and . _ : @ / ~ -, starting with a letter or a digit')
export type Label = z.infer<typeof Label>
