import type { z } from 'zod'
import { suggest } from './suggest.ts'

/** The parts of a Zod issue that become a sentence. */
export type Issue = z.core.$ZodIssue

/** `targets[2].every`, from a path of keys and positions. */
export function pathText(path: readonly PropertyKey[]): string {
  return path.map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? String(part) : `.${String(part)}`)).join('')
}

/** What would do instead, for an issue that the schema gives no hint of its own for. */
export function hintOf(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      return value === undefined ? 'it is needed here' : typeHint(issue.expected, value)
    case 'invalid_value': {
      const choices = issue.values.map(String)
      const near = typeof value === 'string' ? suggest(value, choices) : null
      return `write one of: ${choices.join(', ')}${near ? ` (did you mean ${near}?)` : ''}`
    }
    case 'too_small':
      return bound('at least', issue.origin, issue.minimum)
    case 'too_big':
      return bound('at most', issue.origin, issue.maximum)
    default:
      // Hints of the schema begin with a verb; what Zod says by itself begins with "Invalid".
      return issue.message.replace(/^Invalid /, 'this is an invalid ')
  }
}

function typeHint(expected: string, value: unknown): string {
  if (expected === 'string')
    return typeof value === 'number' || typeof value === 'boolean' ? `put quotes around it: "${String(value)}"` : 'write text'
  if (expected === 'boolean') return 'write true or false'
  if (expected === 'number' || expected === 'int') return 'write a whole number'
  if (expected === 'array') return 'write a list'
  return 'write keys with values below it'
}

function bound(word: string, origin: string, limit: number | bigint): string {
  if (origin === 'string') return `use ${word} ${limit} character${limit === 1 ? '' : 's'}`
  if (origin === 'array') return `list ${word} ${limit}`
  return `use ${word} ${limit}`
}

/** A value as it may be shown: short, and nothing that could be a secret. Null when it says nothing to show it. */
export function shown(value: unknown, path: readonly PropertyKey[]): string | null {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value !== 'string') return null
  const secret = path.includes('headers') || path.includes('headerEquals') || /[0-9a-f]{40}|-----BEGIN/i.test(value)
  if (secret) return '(value not shown)'
  const plain = value.replace(/\/\/[^/]*@/, '//…@').replace(/\?.*$/s, '?…')
  return JSON.stringify(plain.length > 80 ? `${plain.slice(0, 79)}…` : plain)
}

/** The line about a key that does not exist. */
export function unknownKey(key: string, known: readonly string[]): string {
  if (/^grid_?key$/i.test(key)) return 'the key itself may not stand here; name a file in gridKeyFile, or set MIDWATCH_GRID_KEY'
  const near = suggest(key, known)
  return `there is no such setting${near ? `; did you mean ${near}?` : '; docs/configuration.md lists them all'}`
}

/** What stands at a path inside a value. */
export function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? (inner as Record<PropertyKey, unknown>)[key] : undefined),
    value,
  )
}
