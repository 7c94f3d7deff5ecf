import type { z } from 'zod'
import { Settings, TargetSettings } from '../contract/index.ts'

/** One setting, with every way to write it. All of it is derived from the schema, so that flags, environment, file and docs agree. */
export type Field = {
  readonly name: keyof Settings
  /** In midwatch.yaml, and as the key of a parsed flag. Durations carry their unit in the value, so the name drops `Ms`. */
  readonly written: string
  readonly env: string
  /** null for what does not fit on a command line. */
  readonly flag: string | null
  readonly kind: 'switch' | 'number' | 'duration' | 'path' | 'list' | 'targets' | 'text'
  /** What it takes, for people. */
  readonly takes: string
  /** Undefined when it has none. */
  readonly fallback: unknown
  readonly about: string
  readonly schema: z.ZodType
}

/** `probeEveryMs` is written `probeEvery`. */
export const writtenName = (name: string): string => name.replace(/Ms$/, '')
const withSeparator = (name: string, separator: string): string => name.replace(/[A-Z]/g, (letter) => `${separator}${letter.toLowerCase()}`)

export const FIELDS: readonly Field[] = Object.entries(Settings.shape).map(([name, schema]) => fieldOf(name as keyof Settings, schema))

export const CONFIG_ENV = 'MIDWATCH_CONFIG'

function fieldOf(name: keyof Settings, schema: z.ZodType): Field {
  const written = writtenName(name)
  const bare = unwrap(schema)
  const takes = takesOf(bare)
  const kind =
    name === 'targets'
      ? 'targets'
      : name.endsWith('Ms')
        ? 'duration'
        : takes === 'path'
          ? 'path'
          : bare.def.type === 'boolean'
            ? 'switch'
            : bare.def.type === 'number'
              ? 'number'
              : bare.def.type === 'array'
                ? 'list'
                : 'text'
  return {
    name,
    written,
    env: `MIDWATCH_${withSeparator(written, '_').toUpperCase()}`,
    flag: kind === 'targets' ? null : `--${withSeparator(written, '-')}`,
    kind,
    takes: kind === 'duration' ? 'duration' : takes,
    fallback: schema.def.type === 'default' ? (schema as z.ZodDefault).def.defaultValue : undefined,
    about: schema.description ?? '',
    schema,
  }
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
