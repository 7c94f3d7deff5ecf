import { readBounded } from './surroundings.ts'

/** Version of this program. */
export function version(): string {
  const text = readBounded(new URL('../../package.json', import.meta.url).pathname, 65_536) ?? '{}'
  return (JSON.parse(text) as { version?: string }).version ?? 'unknown'
}
