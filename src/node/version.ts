import { readFileSync } from 'node:fs'

/** Version of this program. */
export const PROGRAM_VERSION: string = String(
  (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version?: unknown }).version ?? '0',
)
