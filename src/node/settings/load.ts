import { dirname, join, resolve } from 'node:path'
import { LIMITS, MidwatchError, SECRET_ENV, type Settings } from '../../contract/index.ts'
import { configCandidates, defaultDataDir, type Surroundings } from './places.ts'
import type { PlacedValue } from './document.ts'
import { CONFIG_ENV, FIELDS, TARGET_DURATIONS, TARGET_KEYS, TARGET_PATHS, writtenName, type Field } from './fields.ts'
import { hintOf, pathText, shown, unknownKey, valueAt, type Issue } from './problems.ts'
import { suggest } from './suggest.ts'

/** What `loadSettings` found. The grid key is apart, so that settings can be shown and logged whole. */
export type Loaded = {
  readonly settings: Settings
  readonly gridKeyHex: string | null
  /** The configuration file that was read. */
  readonly file: string | null
}

/** Flags as parsed, by written name ("probeEvery"), and `config`. Undefined means not given. */
export type Flags = Readonly<Record<string, unknown>>

/** One setting as somebody gave it. */
type Given = {
  readonly raw: unknown
  readonly from: 'flag' | 'environment' | 'file'
  /** Folder that relative paths count from. */
  readonly base: string
  /** For messages: where the part at the path came from. */
  where(path: readonly PropertyKey[], key?: boolean): string
}

type ConfigFile = { readonly path: string; readonly content: PlacedValue; readonly keys: Readonly<Record<string, unknown>> }

/** Environment that Midwatch reads besides settings. */
const OTHER_ENV: readonly string[] = [CONFIG_ENV, ...Object.values(SECRET_ENV), 'MIDWATCH_INVITATION', 'MIDWATCH_URL']

/** Flags over MIDWATCH_* environment over midwatch.yaml over defaults. Throws MW_CONFIG with a line for each problem, or MW_CONFIG_FILE. */
export async function loadSettings(request: Surroundings & { readonly flags: Flags }): Promise<Loaded> {
  const problems: string[] = []
  const file = await readConfigFile(request, request.flags)
  checkNames(request, file, problems)

  const settings: Record<string, unknown> = {}
  const givenOf = new Map<string, Given>()
  for (const field of FIELDS) {
    const given = await find(field, request, file)
    if (given) givenOf.set(field.name, given)
    const input = given ? toInput(field, given, request.home) : fallback(field, request)
    const parsed = field.schema.safeParse(input)
    if (parsed.success) {
      if (parsed.data !== undefined) settings[field.name] = parsed.data
    } else if (given) problems.push(...parsed.error.issues.flatMap((issue) => explain(field, given, issue, request.home)))
  }
  if (problems.length === 0) checkTogether(settings as Settings, givenOf, problems)
  if (problems.length > 0) throw new MidwatchError('MW_CONFIG', problems.slice(0, 20).join('\n'))
  return {
    settings: settings as Settings,
    gridKeyHex: readGridKey(request, settings as Settings, givenOf.get('gridKeyFile')?.from === 'flag'),
    file: file?.path ?? null,
  }
}

/** The data folder that a node started here would use: what commands need to find it, without judging the other settings. */
export async function findDataDir(request: Surroundings & { readonly flags: Flags }): Promise<string> {
  const field = FIELDS.find((one) => one.name === 'data') as Field
  const given = (await find(field, request, null)) ?? (await find(field, request, await readConfigFile(request, request.flags)))
  const input = given ? toInput(field, given, request.home) : undefined
  return typeof input === 'string' && input !== '' ? input : resolvePath(defaultDataDir(request), request.cwd, request.home)
}

async function readConfigFile(request: Surroundings, flags: Flags): Promise<ConfigFile | null> {
  const { cwd, env, home } = request
  const named = (flags['config'] as string | undefined) ?? (env[CONFIG_ENV] || undefined)
  const dataDir = typeof flags['data'] === 'string' ? flags['data'] : defaultDataDir(request)
  const candidates = named === undefined ? configCandidates(cwd, resolvePath(dataDir, cwd, home)) : [resolvePath(named, cwd, home)]
  for (const path of candidates) {
    const text = readBounded(request, path, LIMITS.configBytes, 'MW_CONFIG_FILE')
    if (text === null) continue
    const content = await readYaml(text, path)
    const keys: unknown = content.value ?? {}
    if (typeof keys !== 'object' || Array.isArray(keys))
      throw new MidwatchError('MW_CONFIG_FILE', `${content.at([])}: write settings as "name: value" lines`)
    return { path, content, keys: keys as Record<string, unknown> }
  }
  if (named !== undefined) throw new MidwatchError('MW_CONFIG_FILE', `${candidates[0]}: there is no such file`)
  return null
}

/** The YAML reader takes longer to load than most commands to run, so only what has something to read loads it. */
async function readYaml(text: string, label: string): Promise<PlacedValue> {
  const { readDocument } = await import('./document.ts')
  return readDocument(text, label)
}

/** Names that nobody reads are mistakes, and a silent mistake costs an evening. */
function checkNames({ env }: Surroundings, file: ConfigFile | null, problems: string[]): void {
  const written = FIELDS.map((field) => field.written)
  for (const key of Object.keys(file?.keys ?? {})) {
    if (!written.includes(key)) problems.push(`${key} (${file?.content.atKey([key])}): ${unknownKey(key, written)}`)
  }
  const known = [...FIELDS.map((field) => field.env), ...OTHER_ENV]
  const shortNames = known.map((name) => name.slice('MIDWATCH_'.length))
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('MIDWATCH_') || !value || known.includes(name) || isForeign(name, value)) continue
    const near = suggest(name.slice('MIDWATCH_'.length), shortNames)
    problems.push(
      `${name} (environment): nothing reads this variable${near ? `; did you mean MIDWATCH_${near}?` : '; docs/configuration.md lists them all'}`,
    )
  }
}

/** Variables that Kubernetes sets in every pod when a service is called midwatch (or midwatch-x), and those of our own tests and benches. */
function isForeign(name: string, value: string): boolean {
  if (/_SERVICE_(HOST|PORT)(_\w+)?$/.test(name) || /_PORT_\d+_(TCP|UDP|SCTP)(_\w+)?$/.test(name)) return true
  if (name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value)) return true
  return /^MIDWATCH_(TEST|BENCH)_/.test(name)
}

async function find(field: Field, request: Surroundings & { readonly flags: Flags }, file: ConfigFile | null): Promise<Given | null> {
  const { flags, env, cwd } = request
  const flag = flags[field.written]
  if (flag !== undefined) return { raw: flag, from: 'flag', base: cwd, where: () => `flag ${field.flag}` }
  const text = env[field.env]
  // An empty variable counts as not set, as compose files and CI leave them.
  if (text) {
    if (field.kind !== 'targets') return { raw: text, from: 'environment', base: cwd, where: () => `environment ${field.env}` }
    const content = await readYaml(text, `environment ${field.env}`)
    return { raw: content.value, from: 'environment', base: cwd, where: (path, key) => (key ? content.atKey(path) : content.at(path)) }
  }
  const raw = file?.keys[field.written]
  if (!file || raw === undefined || raw === null) return null
  return {
    raw,
    from: 'file',
    base: dirname(file.path),
    where: (path, key) => (key ? file.content.atKey([field.written, ...path]) : file.content.at([field.written, ...path])),
  }
}

function fallback(field: Field, request: Surroundings): unknown {
  if (field.name === 'data') return resolvePath(defaultDataDir(request), request.cwd, request.home)
  if (field.name === 'id')
    return (
      request.hostname
        .replace(/^[^\p{L}\p{N}]+/u, '')
        .replace(/[^\p{L}\p{N}._-]/gu, '-')
        .slice(0, LIMITS.labelChars) || 'node'
    )
  return undefined
}

/** From what was written to what the schema takes. What does not fit stays as it is, for the schema to refuse. */
function toInput(field: Field, { raw, base }: Given, home: string): unknown {
  switch (field.kind) {
    case 'switch':
      if (typeof raw !== 'string') return raw
      return /^(true|yes|on|1)$/i.test(raw) ? true : /^(false|no|off|0)$/i.test(raw) ? false : raw
    case 'number':
      return typeof raw === 'string' && /^\d{1,15}$/.test(raw) ? Number(raw) : raw
    case 'duration':
      return durationInput(raw)
    case 'path':
      return typeof raw === 'string' && raw !== '' ? resolvePath(raw, base, home) : raw
    case 'list':
      return (typeof raw === 'string' ? [raw] : Array.isArray(raw) ? raw : [raw]).flatMap((item: unknown) =>
        typeof item === 'string'
          ? item
              .split(',')
              .map((part) => part.trim())
              .filter((part) => part !== '')
          : [item],
      )
    case 'targets':
      return Array.isArray(raw) ? raw.map((target: unknown) => targetInput(target, base, home)) : raw
    case 'text':
      return raw
  }
}

/** A bare number could mean seconds or milliseconds, and one of them floods a target: only text with a unit will do. */
const durationInput = (raw: unknown): unknown => (typeof raw === 'number' ? String(raw) : raw)

function targetInput(target: unknown, base: string, home: string): unknown {
  if (typeof target !== 'object' || target === null || Array.isArray(target)) return target
  const renamed: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(target)) {
    if (TARGET_DURATIONS.has(`${key}Ms`)) renamed[`${key}Ms`] = durationInput(value)
    // One way to write each thing: the names of the schema are not a second one.
    else if (TARGET_DURATIONS.has(key)) renamed[`${key}\0`] = value
    else if (TARGET_PATHS.has(key) && typeof value === 'string' && value !== '') renamed[key] = resolvePath(value, base, home)
    else renamed[key] = value
  }
  return renamed
}

function explain(field: Field, given: Given, issue: Issue, home: string): string[] {
  const path = issue.path.map((part) => (typeof part === 'string' ? writtenName(part) : part))
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((raw) => {
      const key = raw.replace('\0', '')
      return `${pathText([field.written, ...path, key])} (${given.where([...path, key], true)}): ${unknownKey(key, TARGET_KEYS)}`
    })
  }
  const value = valueAt(field.kind === 'list' ? toInput(field, given, home) : given.raw, path)
  const what = shown(value, path)
  return [
    `${pathText([field.written, ...path])} (${given.where(path)}): ${what === null ? '' : `${what} will not do; `}${hintOf(issue, value)}`,
  ]
}

/** Rules that take more than one setting. */
function checkTogether(settings: Settings, given: ReadonlyMap<string, Given>, problems: string[]): void {
  const where = (name: string, path: PropertyKey[] = []): string => given.get(name)?.where(path) ?? 'default'
  if ((settings.tlsCert === undefined) !== (settings.tlsKey === undefined)) {
    const [has, lacks] = settings.tlsCert === undefined ? ['tlsKey', 'tlsCert'] : ['tlsCert', 'tlsKey']
    problems.push(`${has} (${where(has)}): needs ${lacks} too; both are PEM files that belong together`)
  }
  if (settings.open && settings.tlsCert === undefined && !settings.insecureHttp) {
    problems.push(`open (${where('open')}): give tlsCert and tlsKey too, or insecureHttp if a proxy in front adds TLS`)
  }
  const seen = new Map<string, number>()
  settings.targets.forEach(({ name }, i) => {
    const first = seen.get(name)
    if (first === undefined) seen.set(name, i)
    else
      problems.push(
        `targets[${i}].name (${where('targets', [i, 'name'])}): "${name}" is also the name of targets[${first}]; give each its own`,
      )
  })
}

/** A file named on the command line, then the environment, then a file named elsewhere. The value is in no message. */
function readGridKey(request: Surroundings, settings: Settings, fileIsFlag: boolean): string | null {
  const fromEnv = request.env[SECRET_ENV.gridKey]
  if (fromEnv && !fileIsFlag) return gridKeyOf(fromEnv, `environment ${SECRET_ENV.gridKey}`)
  const path = settings.gridKeyFile
  if (path === undefined) return null
  if (/[0-9a-f]{64}/i.test(path)) throw new MidwatchError('MW_GRID_KEY', 'gridKeyFile takes the name of a file, not the key itself')
  const text = readBounded(request, path, 1_024, 'MW_GRID_KEY')
  if (text === null) throw new MidwatchError('MW_GRID_KEY', `gridKeyFile: there is no file ${path}`)
  return gridKeyOf(text, path)
}

function gridKeyOf(text: string, label: string): string {
  const hex = text.trim().toLowerCase()
  if (!/^[0-9a-f]{64}$/.test(hex))
    throw new MidwatchError('MW_GRID_KEY', `${label}: ${hex.length} characters that are not 64 hex digits (value not shown)`)
  return hex
}

function readBounded(request: Surroundings, path: string, maxBytes: number, code: 'MW_CONFIG_FILE' | 'MW_GRID_KEY'): string | null {
  try {
    return request.readFile(path, maxBytes)
  } catch (error) {
    throw new MidwatchError(code, `${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

function resolvePath(path: string, base: string, home: string): string {
  return path === '~' || path.startsWith('~/') ? join(home, path.slice(1)) : resolve(base, path)
}
