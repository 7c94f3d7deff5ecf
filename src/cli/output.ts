import type { MidwatchError } from '../contract/index.ts'

export type Tone = 'good' | 'warn' | 'bad' | 'dim' | 'strong'

/** Where a command writes. Answers go to standard output, remarks and errors to standard error. */
export type Output = {
  readonly isTty: boolean
  /** Characters that fit on a line. */
  readonly columns: number
  line(text?: string): void
  json(value: unknown): void
  remark(text: string): void
  paint(tone: Tone, text: string): string
}

const SGR: Record<Tone, string> = { good: '32', warn: '33', bad: '31', dim: '2', strong: '1' }

export function createOutput(stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream, env: NodeJS.ProcessEnv): Output {
  const isTty = stdout.isTTY
  // https://no-color.org: any value that is not empty.
  const colour = isTty && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
  return {
    isTty,
    columns: isTty && stdout.columns > 20 ? stdout.columns : 100,
    line: (text = '') => void stdout.write(`${text}\n`),
    json: (value) => void stdout.write(`${JSON.stringify(value, null, isTty ? 2 : undefined)}\n`),
    remark: (text) => void stderr.write(`${text}\n`),
    paint: (tone, text) => (colour ? `\x1b[${SGR[tone]}m${text}\x1b[0m` : text),
  }
}

/** What came from another host must not steer the terminal: no control characters, no reversing of the writing direction. */
export function clean(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, '\ufffd')
}

export function reportError(out: Output, error: MidwatchError, json: boolean): void {
  if (json) out.json({ error: error.toJSON() })
  for (const [i, text] of error.message.split('\n').entries()) out.remark(`${i === 0 ? `${error.code}: ` : '  '}${clean(text)}`)
  out.remark(`→ ${error.next}`)
}

type Cell = string | { readonly text: string; readonly tone: Tone }

/** Aligned columns, two spaces between, indented by two. Colour does not count in the width. */
export function table(out: Output, rows: readonly (readonly Cell[])[]): string[] {
  const cells = rows.map((row) =>
    row.map((cell) => (typeof cell === 'string' ? { text: clean(cell) } : { text: clean(cell.text), tone: cell.tone })),
  )
  const widths: number[] = []
  for (const row of cells) row.forEach(({ text }, i) => (widths[i] = Math.max(widths[i] ?? 0, widthOf(text))))
  return cells.map((row) => {
    const parts = row.map((cell, i) => {
      const painted = 'tone' in cell ? out.paint(cell.tone, cell.text) : cell.text
      return i === row.length - 1 ? painted : painted + ' '.repeat((widths[i] ?? 0) - widthOf(cell.text))
    })
    return `  ${parts.join('  ')}`.trimEnd()
  })
}

/** Columns that a terminal gives to the text: East Asian wide letters take two. */
export function widthOf(text: string): number {
  let width = 0
  for (const letter of text)
    width += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/u.test(letter) ? 2 : 1
  return width
}
