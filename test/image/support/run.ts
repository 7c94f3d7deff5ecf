import { spawn } from 'node:child_process'

/** Runs a program to its end and answers what it printed. What it said stands in the error if it fails. */
export function run(argv: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): Promise<string> {
  const [program = '', ...args] = argv
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: options.cwd, env: { ...process.env, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve(stdout)
      else reject(new Error(`${argv.slice(0, 6).join(' ')} ended with ${code}:\n${(stdout + stderr).slice(-4_000)}`))
    })
  })
}

/** Asks again until it holds, for so long or until there is no hope; the last answer stands in the error. */
export async function until<T>(
  what: string,
  ask: () => Promise<T>,
  holds: (answer: T) => boolean,
  withinMs: number,
  hopeless: () => boolean = () => false,
): Promise<T> {
  const end = performance.now() + withinMs
  for (;;) {
    const answer = await ask().catch((error: unknown) => error as Error)
    if (!(answer instanceof Error) && holds(answer)) return answer
    if (performance.now() > end || hopeless())
      throw new Error(`not within ${withinMs} ms: ${what}; last: ${answer instanceof Error ? answer.message : JSON.stringify(answer)}`)
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}
