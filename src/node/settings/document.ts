import { isMap, isNode, isScalar, LineCounter, parseDocument, type Document } from 'yaml'
import { MidwatchError } from '../../contract/index.ts'

/** A value read from text, with where each part of it stands. */
export type PlacedValue = {
  readonly value: unknown
  /** `label:line:column` of what stands at the path, or of the nearest thing around it. */
  at(path: readonly PropertyKey[]): string
  /** The same for a key rather than its value. */
  atKey(path: readonly PropertyKey[]): string
}

/** Aliases that one document may resolve to: enough for shared defaults, too few for a "billion laughs". */
const ALIASES_AT_MOST = 1_000

/** Reads YAML (and so JSON) text. `label` names its source. Throws MW_CONFIG_FILE with the place. */
export function readDocument(text: string, label: string): PlacedValue {
  const lines = new LineCounter()
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${label}:${line}:${col}`
  }
  let document: Document.Parsed
  let value: unknown
  try {
    document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true, logLevel: 'error' })
    const [error] = [...document.errors, ...document.warnings]
    if (error) throw new MidwatchError('MW_CONFIG_FILE', `${place(error.pos[0])}: ${error.message}`)
    value = document.toJS({ maxAliasCount: ALIASES_AT_MOST })
  } catch (error) {
    if (error instanceof MidwatchError) throw error
    // Nesting or aliases beyond reason end here: RangeError, ReferenceError.
    throw new MidwatchError('MW_CONFIG_FILE', `${label}: cannot be read: ${error instanceof Error ? error.message : 'not YAML'}`, {
      cause: error,
    })
  }
  const at = (path: readonly PropertyKey[]): string => {
    for (let depth = path.length; depth > 0; depth--) {
      const node: unknown = document.getIn(path.slice(0, depth), true)
      if (isNode(node) && node.range) return place(node.range[0])
    }
    return document.contents?.range ? place(document.contents.range[0]) : label
  }
  const atKey = (path: readonly PropertyKey[]): string => {
    const parent: unknown = path.length > 1 ? document.getIn(path.slice(0, -1), true) : document.contents
    const key = path.at(-1)
    const pair = isMap(parent) ? parent.items.find((item) => isScalar(item.key) && item.key.value === key) : undefined
    return isScalar(pair?.key) && pair.key.range ? place(pair.key.range[0]) : at(path)
  }
  return { value, at, atKey }
}
