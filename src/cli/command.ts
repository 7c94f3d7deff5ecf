import type { Command } from 'commander'
import { FIELDS, type Surroundings } from '../node/settings/index.ts'
import type { Output } from './output.ts'

/** 0 well, 1 not well or failed, 2 used or configured wrongly. */
export type ExitCode = 0 | 1 | 2

export type OptionSpec = {
  /** As commander takes it: `--listen <host:port>`. */
  readonly flags: string
  readonly about: string
  /** May be given more than once; the values become a list. */
  readonly repeats?: boolean
}

/** What a command gets to work with. */
export type Call = {
  readonly args: readonly (string | undefined)[]
  /** By camel-cased name, undefined when not given. */
  readonly options: Readonly<Record<string, unknown>>
  readonly json: boolean
  readonly out: Output
  readonly machine: Surroundings
}

/** One command of the program; each file of this folder that is one exports it as `command`. */
export type CommandSpec = {
  readonly name: string
  /** As commander takes them: `<from> <to>`. */
  readonly args?: string
  readonly summary: string
  /** More than the summary says, for --help. */
  readonly about?: string
  readonly examples: readonly (readonly [commandLine: string, what: string])[]
  readonly options: () => Promise<readonly OptionSpec[]>
  readonly run: (call: Call) => Promise<ExitCode>
}

const JSON_OPTION: OptionSpec = { flags: '--json', about: 'answer as JSON, errors too' }
const CONFIG_OPTION: OptionSpec = {
  flags: '--config <file>',
  about: 'configuration file; midwatch.yaml here or in the data folder unless given',
}

/** Options of commands that talk to a running node, or start one. */
export const findOptions: readonly OptionSpec[] = [
  { flags: '--data <folder>', about: 'data folder of the node to ask' },
  { flags: '--url <url>', about: 'address of the node to ask; the token is taken from MIDWATCH_TOKEN' },
]

/** The flags of every setting, from its schema. */
export async function settingOptions(): Promise<OptionSpec[]> {
  const options = FIELDS.flatMap(({ flag, kind, takes, about, fallback }): OptionSpec[] => {
    if (flag === null) return []
    const value = kind === 'switch' ? '' : ` <${kind === 'list' ? 'list' : takes.startsWith('`') ? 'value' : takes.replace('whole ', '')}>`
    const known =
      typeof fallback === 'string' || typeof fallback === 'number'
        ? ` (default: ${kind === 'duration' ? durationText(fallback) : fallback})`
        : ''
    return [{ flags: `${flag}${value}`, about: about + known, repeats: kind === 'list' }]
  })
  return [...options, CONFIG_OPTION]
}

/** "10s" for 10,000: the largest unit without a rest. */
export function durationText(durationMs: unknown): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1_000],
  ] as const
  const ms = Number(durationMs)
  const unit = units.find(([, unitMs]) => ms >= unitMs && ms % unitMs === 0)
  return unit ? `${ms / unit[1]}${unit[0]}` : `${ms}ms`
}

/** Tells commander about a command. */
export async function register(
  program: Command,
  spec: CommandSpec,
  act: (spec: CommandSpec, call: Pick<Call, 'args' | 'options'>) => Promise<void>,
): Promise<void> {
  const command = program.command(`${spec.name}${spec.args ? ` ${spec.args}` : ''}`).summary(spec.summary)
  command.description(spec.about ? `${spec.summary}\n\n${spec.about}` : spec.summary)
  for (const option of [...(await spec.options()), JSON_OPTION]) {
    if (option.repeats)
      command.option(option.flags, option.about, (value: string, before: string[] | undefined) => [...(before ?? []), value])
    else command.option(option.flags, option.about)
  }
  const width = Math.max(...spec.examples.map(([line]) => line.length))
  command.addHelpText('after', `\nExamples:\n${spec.examples.map(([line, what]) => `  ${line.padEnd(width)}  ${what}`).join('\n')}`)
  command.action(async () => act(spec, { args: command.args, options: command.opts() }))
}
