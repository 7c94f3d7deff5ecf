import { join } from 'node:path'
import { createStore } from './store.ts'
import { startThread } from './thread.ts'
import type { Store, StoreOptions } from './types.ts'

export { changeOf } from './facts.ts'
export type { KeptNode, RunCard } from './kept.ts'
export type { KeptAt, Store, StoreOptions } from './types.ts'

/** Opens the journal and the samples. Resolves even where no database can be had: then history lives in memory, and onError knows. */
export function openStore(options: StoreOptions): Promise<Store> {
  return createStore(options, options.dir === null ? null : join(options.dir, 'midwatch.db'), startThread)
}
