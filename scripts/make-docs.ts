// Writes the parts of docs/ that are made from code: the settings, the errors, the commands. A test keeps the pages equal to it.
//
//   node scripts/make-docs.ts
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { durationText } from '../src/cli/command.ts'
import { buildProgram, COMMANDS } from '../src/cli/program.ts'
import { ERRORS, TargetSettings } from '../src/contract/index.ts'
import { FIELDS, fieldsOfTarget, type Described } from '../src/node/settings/index.ts'

const docs = join(dirname(dirname(fileURLToPath(import.meta.url))), 'docs')

/** Each page with a made part, by file name. */
export const PAGES: Readonly<Record<string, () => Promise<Record<string, string>>>> = {
  'configuration.md': async () => ({ settings: settingsTable(), targets: targetTables() }),
  'errors.md': async () => ({ errors: errorsTable() }),
  'cli.md': async () => ({ commands: await commandHelp() }),
}

/** A page as it should be: what stands between `<!-- made: NAME -->` and `<!-- end -->` is replaced. */
export async function renderPage(name: string): Promise<string> {
  const parts = (await PAGES[name]?.()) ?? {}
  return readPage(name).replace(/(<!-- made: (\w+) .*-->\n)[\s\S]*?(\n<!-- end -->)/g, (_, head: string, part: string, tail: string) => {
    const made = parts[part]
    if (made === undefined) throw new Error(`docs/${name}: nothing makes the part "${part}"`)
    return `${head}\n${made}\n${tail}`
  })
}

export const readPage = (name: string): string => readFileSync(join(docs, name), 'utf8')

function settingsTable(): string {
  const rows = FIELDS.map((field) => [
    `\`${field.written}\``,
    flagCell(field.flag),
    `\`${field.env}\``,
    takesCell(field),
    fallbackCell(field),
    field.about,
  ])
  return markdownTable(['in midwatch.yaml', 'flag', 'environment', 'takes', 'default', 'what it is'], rows)
}

const flagCell = (flag: string | null): string => (flag === null ? '' : `\`${flag}\``)
const takesCell = ({ kind, takes }: { kind: string; takes: string }): string =>
  kind === 'switch' ? 'true or false; as a flag, nothing' : takes

function fallbackCell({ kind, fallback }: Described): string {
  if (fallback === undefined || (typeof fallback === 'object' && Object.keys(fallback as object).length === 0)) return ''
  return `\`${kind === 'duration' ? durationText(fallback) : typeof fallback === 'string' ? fallback : JSON.stringify(fallback)}\``
}

function targetTables(): string {
  const kinds = TargetSettings.options.map((option) => ({ kind: option.shape.kind.value, fields: fieldsOfTarget(option) }))
  const common =
    kinds[0]?.fields.filter(({ written }) => kinds.every(({ fields }) => fields.some((field) => field.written === written))) ?? []
  const table = (fields: readonly Described[]): string =>
    markdownTable(
      ['key', 'takes', 'default', 'what it is'],
      fields.map((field) => [`\`${field.written}\`${field.required ? ' (needed)' : ''}`, field.takes, fallbackCell(field), field.about]),
    )
  const own = kinds.map(({ kind, fields }) => {
    const rest = fields.filter(({ written }) => !common.some((field) => field.written === written))
    return `#### \`kind: ${kind}\`\n\n${table(rest)}`
  })
  return `Every kind takes:\n\n${table(common)}\n\n${own.join('\n\n')}`
}

function errorsTable(): string {
  const rows = Object.entries(ERRORS).map(([code, { cause, next }]) => [`<a id="${code.toLowerCase()}"></a>\`${code}\``, cause, next])
  return markdownTable(['code', 'cause', 'what to do next'], rows)
}

async function commandHelp(): Promise<string> {
  const program = await buildProgram(undefined, async () => {})
  const sections = program.commands
    .filter((command) => Object.hasOwn(COMMANDS, command.name()))
    .map((command) => {
      let text = ''
      command.configureOutput({ writeOut: (part) => (text += part), getOutHelpWidth: () => 120, getOutHasColors: () => false })
      command.outputHelp()
      return `### ${command.name()}\n\n\`\`\`text\n${text.trim()}\n\`\`\``
    })
  return sections.join('\n\n')
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

if (import.meta.main) {
  for (const name of Object.keys(PAGES)) {
    const made = await renderPage(name)
    if (made === readPage(name)) continue
    writeFileSync(join(docs, name), made)
    console.log(`wrote docs/${name}`)
  }
}
