import type { z } from 'zod'
import { Settings, TargetSettings } from '../../contract/index.ts'

/** One thing that can be set, as people write it and as the schema has it. */
export type Described = {
  /** In midwatch.yaml. Durations carry their unit in the value, so the name drops `Ms`. */
  readonly written: string
  readonly kind: 'switch' | 'number' | 'duration' | 'path' | 'list' | 'targets' | 'text'
  /** What it takes, for people. */
  readonly takes: string
  /** Undefined when it has none. */
  readonly fallback: unknown
  readonly required: boolean
  readonly about: string
}

/** One setting, with every way to write it. All of it is derived from the schema, so that flags, environment, file and docs agree. */
export type Field = Described & {
  readonly name: keyof Settings
  readonly env: string
  /** null for what does not fit on a command line. */
  readonly flag: string | null
  readonly schema: z.ZodType
}

/** `probeEveryMs` is written `probeEvery`. */
export const writtenName = (name: string): string => name.replace(/Ms$/, '')
const withSeparator = (name: string, separator: string): string => name.replace(/[A-Z]/g, (letter) => `${separator}${letter.toLowerCase()}`)

export const FIELDS: readonly Field[] = Object.entries(Settings.shape).map(([name, schema]) => fieldOf(name as keyof Settings, schema))

export const CONFIG_ENV = 'MIDWATCH_CONFIG'

function fieldOf(name: keyof Settings, schema: z.ZodType): Field {
  const described = describe(name, schema)
  return {
    ...described,
    name,
    env: `MIDWATCH_${withSeparator(described.written, '_').toUpperCase()}`,
    flag: described.kind === 'targets' ? null : `--${withSeparator(described.written, '-')}`,
    schema,
  }
}

/** The keys of one kind of target, `kind` itself left out. */
export function fieldsOfTarget(option: (typeof TargetSettings.options)[number]): Described[] {
  return Object.entries<z.ZodType>(option.shape).flatMap(([name, schema]) => (name === 'kind' ? [] : [describe(name, schema)]))
}

function describe(name: string, schema: z.ZodType): Described {
  const bare = unwrap(schema)
  const takes = takesOf(bare)
  const kind = kindOf(name, bare, takes)
  return {
    written: writtenName(name),
    kind,
    takes: kind === 'duration' ? 'duration' : takes,
    fallback: schema.def.type === 'default' ? (schema as z.ZodDefault).def.defaultValue : undefined,
    required: schema.def.type !== 'default' && schema.def.type !== 'optional',
    about: schema.description ?? '',
  }
}

function kindOf(name: string, bare: z.ZodType, takes: string): Described['kind'] {
  if (name === 'targets') return 'targets'
  if (name.endsWith('Ms')) return 'duration'
  if (takes === 'path') return 'path'
  if (bare.def.type === 'boolean') return 'switch'
  if (bare.def.type === 'number') return 'number'
  return bare.def.type === 'array' ? 'list' : 'text'
}

/** The schema inside default() and optional(). */
function unwrap(schema: z.ZodType): z.ZodType {
  if (schema.def.type !== 'default' && schema.def.type !== 'optional') return schema
  return unwrap((schema as z.ZodDefault | z.ZodOptional).def.innerType as z.ZodType)
}

function takesOf(schema: z.ZodType): string {
  const said = schema.meta()?.['takes']
  if (typeof said === 'string') return said
  if (schema.def.type === 'boolean') return 'true or false'
  if (schema.def.type === 'number') return 'whole number'
  if (schema.def.type === 'record') return 'names with values'
  if (schema.def.type === 'enum') return (schema as z.ZodEnum).options.map((option) => `\`${option}\``).join(', ')
  if (schema.def.type === 'array') {
    const element = unwrap((schema as z.ZodArray).def.element as z.ZodType)
    return element.def.type === 'union' ? 'list of targets' : `list of ${takesOf(element)}`
  }
  return 'text'
}

const targetKeys = TargetSettings.options.flatMap((option) => Object.entries(option.shape as Record<string, z.ZodType>))
/** Keys of a target that hold a duration (schema names) or a path. */
export const TARGET_DURATIONS: ReadonlySet<string> = new Set(targetKeys.map(([key]) => key).filter((key) => key.endsWith('Ms')))
export const TARGET_PATHS: ReadonlySet<string> = new Set(
  targetKeys.filter(([, schema]) => takesOf(unwrap(schema)) === 'path').map(([key]) => key),
)
/** Every key that some kind of target takes, as written. */
export const TARGET_KEYS: readonly string[] = [...new Set(targetKeys.map(([key]) => writtenName(key)))]
