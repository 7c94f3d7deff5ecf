// Steps that a person can follow. Plain JavaScript without dependencies: it runs before anything is installed, on Node 20.
import { spawn } from 'node:child_process'

const tty = process.stderr.isTTY === true
const BEAT_MS = tty ? 200 : 10_000
const HEAD_LINES = 12
const TAIL_LINES = 25
const running = new Set()

// Ctrl-C and friends end the step's program too, wait for it, and leave with the code that a shell expects.
for (const [signal, code] of /** @type {const} */ ([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
])) {
  process.on(signal, () => {
    if (running.size === 0) process.exit(code)
    process.exitCode = code
    interrupted = true
    for (const child of running) child.kill(signal)
  })
}
let interrupted = false

/** @param {string} text */
export function say(text) {
  process.stderr.write(`${text}\n`)
}

/** A failure that a person can act on: what went wrong, and what to do. */
export class StepError extends Error {
  /** @param {string} message @param {string} next */
  constructor(message, next) {
    super(message)
    this.next = next
  }
}

/**
 * Runs one program as a named step: one line while it works, one when it is done, its last lines if it fails.
 * @param {string} title
 * @param {string[]} argv
 * @param {{ cwd?: string, env?: Record<string, string | undefined>, next?: (output: string) => string }} [options]
 * @returns {Promise<string>} what it printed
 */
export async function step(title, argv, options = {}) {
  const startedMs = performance.now()
  const seconds = () => `${((performance.now() - startedMs) / 1000).toFixed(1)} s`
  /** @type {{ code: number, output: string }} */
  const { code, output } = await new Promise((resolve) => {
    let printed = ''
    const [program = '', ...args] = argv
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    running.add(child)
    const lastLine = () => printed.trimEnd().split('\n').at(-1)?.slice(0, 80) ?? ''
    const beat = setInterval(() => {
      if (tty) process.stderr.write(`\r\x1b[K  ${title} … ${seconds()}  \x1b[2m${lastLine()}\x1b[0m`)
      else say(`  ${title} … ${seconds()}  ${lastLine()}`)
    }, BEAT_MS)
    /** @param {Buffer} chunk */
    const take = (chunk) => {
      printed = (printed + chunk.toString()).slice(-1_000_000)
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    /** @param {number} code @param {string} [note] */
    const end = (code, note) => {
      clearInterval(beat)
      running.delete(child)
      if (tty) process.stderr.write('\r\x1b[K')
      resolve({ code, output: note ? `${printed}${note}\n` : printed })
    }
    child.on('error', (error) => end(127, error.message))
    child.on('close', (code, signal) => end(code ?? 1, signal ? `ended by ${signal}` : undefined))
  })
  if (interrupted) process.exit()
  if (code === 0) {
    say(`  ${title}: done in ${seconds()}`)
    return output
  }
  say(`  ${title}: failed after ${seconds()}`)
  say(
    output
      .trimEnd()
      .split('\n')
      .filter((line) => !line.startsWith('npm http'))
      .filter((_line, at, all) => at < HEAD_LINES || at >= all.length - TAIL_LINES)
      .map((line) => `    ${line}`)
      .join('\n'),
  )
  throw new StepError(`${title} failed`, options.next?.(output) ?? nextFor(output))
}

/**
 * What to do about the failures that set-up is known to meet.
 * @param {string} output
 */
function nextFor(output) {
  if (/ENOSPC|no space left/i.test(output)) return 'The disk is full: free some space (1 GB is plenty), then run the same command again.'
  if (/EACCES|EPERM|permission denied/i.test(output))
    return 'This user may not write here: run as the owner of this folder (or chown it), then try again.'
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|network|Could not resolve|Temporary failure/i.test(output)) {
    return 'The network did not answer: check the connection, and the proxy and registry settings of npm (npm config get registry), then try again.'
  }
  return 'The lines above say why. Once that is solved, run the same command again; finished steps are not repeated.'
}

/**
 * Ends a script with a failure in words instead of a stack.
 * @param {unknown} error
 * @returns {never}
 */
export function fail(error) {
  if (error instanceof StepError) say(`\n${error.message}.\n→ ${error.next}`)
  else say(error instanceof Error ? (error.stack ?? error.message) : String(error))
  process.exit(1)
}
