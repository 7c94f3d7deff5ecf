import { join } from 'node:path'
import { createStore } from './store.ts'
import { startThread } from './thread.ts'
import type { Store, StoreOptions } from './types.ts'

export type { ChainCheck, Store, StoreCounters, StoreOptions } from './types.ts'

/** In memory the budget is memory: this much is an hour or more of a small grid. */
const EPHEMERAL_BYTES = 16 * 2 ** 20

/** Opens the journal and the samples. Resolves even where no database can be had: then history lives in memory, and onError knows. */
export function openStore(options: StoreOptions): Promise<Store> {
  const { dir } = options
  const path = dir === null ? null : join(dir, 'midwatch.db')
  const budgetBytes = dir === null ? Math.min(options.budgetBytes, EPHEMERAL_BYTES) : options.budgetBytes
  return createStore({ ...options, budgetBytes }, path, startThread)
}
