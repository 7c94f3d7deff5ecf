import { Command, CommanderError } from 'commander'
import { asMidwatchError, MidwatchError, type ErrorCode } from '../contract/index.ts'
import { PROGRAM_VERSION } from '../node/settings/index.ts'
import { register, type Call, type CommandSpec, type ExitCode } from './command.ts'
import { createOutput, reportError } from './output.ts'
import { surroundings } from './surroundings.ts'

/** Every command, in the order of --help. Loaded when used: `status` should not wait for the code of `up`. */
export const COMMANDS: Readonly<Record<string, () => Promise<{ command: CommandSpec }>>> = {
  up: () => import('./up.ts'),
  invite: () => import('./invite.ts'),
  join: () => import('./join.ts'),
  status: () => import('./status.ts'),
  graph: () => import('./graph.ts'),
  why: () => import('./why.ts'),
  history: () => import('./history.ts'),
  nodes: () => import('./nodes.ts'),
  targets: () => import('./targets.ts'),
  open: () => import('./open.ts'),
  token: () => import('./token.ts'),
  keys: () => import('./keys.ts'),
  leave: () => import('./leave.ts'),
  doctor: () => import('./doctor.ts'),
  demo: () => import('./demo.ts'),
}

/** Errors that lie in how the command was written or configured. */
const USAGE: ReadonlySet<ErrorCode> = new Set(['MW_USAGE', 'MW_CONFIG', 'MW_CONFIG_FILE', 'MW_INVITATION', 'MW_GRID_KEY', 'MW_TLS'])

/** Runs the program with these words and answers its exit code. */
export async function runProgram(words: readonly string[]): Promise<ExitCode> {
  const out = createOutput(process.stdout, process.stderr, process.env)
  const json = words.includes('--json')
  // `midwatch graph | head` ends quietly.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  let code: ExitCode = 0
  try {
    const program = await buildProgram(words[0], async (spec, { args, options }) => {
      const call: Call = { args, options, json: options['json'] === true, out, machine: surroundings() }
      code = await spec.run(call)
    })
    await program.parseAsync(words, { from: 'user' })
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0
    const error = thrown instanceof CommanderError ? new MidwatchError('MW_USAGE', usageText(thrown.message)) : asMidwatchError(thrown)
    reportError(out, error, json)
    return USAGE.has(error.code) ? 2 : 1
  }
  return code
}

/** The program with the one command that is meant, or with all of them when that is not clear. */
export async function buildProgram(first: string | undefined, act: Parameters<typeof register>[2]): Promise<Command> {
  const program = new Command('midwatch')
    .description('Stands the midnight watch over your systems: one live map of what can reach what, the same on every node.')
    .version(PROGRAM_VERSION, '--version', 'print the version')
    .helpOption('--help', 'print what a command does, its options and examples')
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .addHelpText(
      'after',
      '\nExamples:\n  midwatch up              start a node on this machine\n  midwatch invite          print the command that lets another host join\n  midwatch status --watch  what is wrong, and since when',
    )
  const meant = first !== undefined && Object.hasOwn(COMMANDS, first) ? COMMANDS[first] : undefined
  for (const load of meant ? [meant] : Object.values(COMMANDS)) await register(program, (await load()).command, act)
  if (first === undefined) program.action(() => program.outputHelp())
  return program
}

const usageText = (message: string): string => message.replace(/^error: /, '').replace(/\n\(Did/, ' (did')
