import { readFileSync } from 'node:fs'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version?: string }

/** Version of this program. */
export const PROGRAM_VERSION: string = version ?? '0'
