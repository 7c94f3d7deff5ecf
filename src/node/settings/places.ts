import { join } from 'node:path'

/** What settings need to know of the machine; handed in, so that a test can be any machine. */
export type Surroundings = {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Working directory, absolute. */
  readonly cwd: string
  readonly home: string
  readonly isRoot: boolean
  readonly hostname: string
  /** Text of a file of at most `maxBytes`; null when there is none. Throws when it cannot be read or is larger. */
  readonly readFile: (path: string, maxBytes: number) => string | null
}

/** Where a node keeps its data when nothing says otherwise. MIDWATCH_DATA comes first. */
export function defaultDataDir({ env, home, isRoot }: Pick<Surroundings, 'env' | 'home' | 'isRoot'>): string {
  if (env['MIDWATCH_DATA']) return env['MIDWATCH_DATA']
  return isRoot ? '/var/lib/midwatch' : join(home, '.local/share/midwatch')
}

/** Files that are looked for when neither --config nor MIDWATCH_CONFIG names one; the first that exists is read. */
export function configCandidates(cwd: string, dataDir: string): string[] {
  return [join(cwd, 'midwatch.yaml'), join(dataDir, 'midwatch.yaml'), '/etc/midwatch/midwatch.yaml']
}
