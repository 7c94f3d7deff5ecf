/** One line of the table: what was measured, against its bar. */
export type Figure = {
  readonly event: string
  readonly bar: string
  /** Measured, as people read it. */
  readonly midwatch: string
  readonly serf: string
  /** Null where the line has no bar. */
  readonly pass: boolean | null
  /** The raw numbers behind it, units in their names. */
  readonly raw: Readonly<Record<string, unknown>>
}

/** Nearest-rank quantile, so that the answer is a value that was measured. A miss (null) is worse than every value. */
export function quantile(values: readonly (number | null)[], q: number): number | null {
  const sorted = values.toSorted((a, b) => (a ?? Infinity) - (b ?? Infinity))
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? null
}

export const worst = (values: readonly (number | null)[]): number | null => quantile(values, 1)

export function seconds(ms: number | null): string {
  return ms === null ? 'never' : `${(ms / 1_000).toFixed(2)} s`
}

export const atMost = (value: number | null, bar: number): boolean => value !== null && value <= bar

export function table(figures: readonly Figure[]): string {
  const head = ['event', 'bar', 'Midwatch', 'Serf', '']
  const verdict = (pass: boolean | null): string => (pass === null ? '' : pass ? 'pass' : 'MISS')
  const rows = [head, ...figures.map((figure) => [figure.event, figure.bar, figure.midwatch, figure.serf, verdict(figure.pass)])]
  const widths = head.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  const [first = [], ...rest] = rows
  return [line(first), line(widths.map((width) => '-'.repeat(width))), ...rest.map(line)].join('\n')
}
