import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { until } from './until.ts'

const PROGRAM = fileURLToPath(new URL('../../bin/midwatch', import.meta.url))
const START_MS = 20_000
const STOP_MS = 5_000

export type NodeSpec = { readonly id: string; readonly site: string; readonly targets?: readonly object[] }

/** A node as people run it: the program in a process of its own, on loopback. */
export type RealNode = {
  readonly id: string
  readonly url: string
  readonly dataDir: string
  /** Runs a command of the program against this node and gives what it printed. */
  command(...words: string[]): Promise<string>
  /** A link that signs a browser in. */
  consoleLink(): Promise<string>
  /** SIGKILL: no goodbye, as when the power fails. */
  kill(): Promise<void>
  /** Starts again on the same folder and port; nothing happens where it runs. */
  startAgain(): Promise<void>
}
export type RealGrid = {
  readonly nodes: readonly RealNode[]
  add(spec: NodeSpec): Promise<RealNode>
  /** Ends every process and removes what they left, also after a failure. */
  close(): Promise<void>
}

/** Starts nodes that share a grid key and join the first; each is ready when this settles. */
export async function startGrid(specs: readonly NodeSpec[]): Promise<RealGrid> {
  const root = await mkdtemp(join(tmpdir(), 'midwatch-grid-'))
  const keyFile = join(root, 'grid-key')
  await writeFile(keyFile, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 })
  const nodes: RealNode[] = []
  const ends: (() => Promise<void>)[] = []
  let seed: string | null = null

  async function add(spec: NodeSpec): Promise<RealNode> {
    const dataDir = join(root, spec.id)
    const configFile = join(root, `${spec.id}.yaml`)
    await writeFile(configFile, JSON.stringify({ targets: spec.targets ?? [] }))
    const words = [
      'up',
      '--json',
      '--id',
      spec.id,
      '--site',
      spec.site,
      '--data',
      dataDir,
      '--grid-key-file',
      keyFile,
      '--config',
      configFile,
    ]
    if (seed) words.push('--join', seed)
    let running = await start([...words, '--listen', '127.0.0.1:0'])
    ends.push(() => end(running.process, 'SIGTERM'))
    seed ??= running.listen
    const node: RealNode = {
      id: spec.id,
      url: `http://${running.listen}/`,
      dataDir,
      command: (...command) => run([...command, '--data', dataDir]),
      consoleLink: async () => (JSON.parse(await run(['open', '--json', '--data', dataDir])) as { url: string }).url,
      kill: () => end(running.process, 'SIGKILL'),
      startAgain: async () => {
        if (isRunning(running.process)) return
        running = await start([...words, '--listen', running.listen])
      },
    }
    nodes.push(node)
    return node
  }

  const grid: RealGrid = {
    nodes,
    add,
    async close() {
      await Promise.all(ends.map((stop) => stop()))
      await rm(root, { recursive: true, force: true })
    },
  }
  try {
    for (const spec of specs) await add(spec)
  } catch (error) {
    await grid.close()
    throw error
  }
  return grid
}

export type RealDemo = { readonly consoleLink: string; close(): Promise<void> }

/** `midwatch demo` as people run it. */
export async function startDemo(): Promise<RealDemo> {
  const child = spawn(PROGRAM, ['demo', '--json', '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'pipe'], env: environment() })
  let said = ''
  child.stderr.on('data', (bytes: Buffer) => (said = (said + String(bytes)).slice(-4_000)))
  try {
    const { consoleLink } = JSON.parse(await firstLine(child, () => said)) as { consoleLink: string }
    await until('the demo is ready', async () => (await fetch(new URL('/readyz', consoleLink))).ok, START_MS)
    return { consoleLink, close: () => end(child, 'SIGTERM') }
  } catch (error) {
    await end(child, 'SIGKILL')
    throw error
  }
}

type Running = { readonly process: ChildProcess; readonly listen: string }

async function start(words: readonly string[]): Promise<Running> {
  const child = spawn(PROGRAM, words, { stdio: ['ignore', 'pipe', 'pipe'], env: environment() })
  let said = ''
  child.stderr.on('data', (bytes: Buffer) => (said = (said + String(bytes)).slice(-4_000)))
  try {
    const line = await firstLine(child, () => said)
    const { listen } = JSON.parse(line) as { listen?: string }
    if (listen === undefined) throw new Error(`midwatch up answered ${line}`)
    await until(`${listen} is ready`, async () => (await fetch(`http://${listen}/readyz`)).ok, START_MS)
    return { process: child, listen }
  } catch (error) {
    await end(child, 'SIGKILL')
    throw error
  }
}

function firstLine(child: ChildProcess, said: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    if (!child.stdout) return reject(new Error('no output to read'))
    createInterface({ input: child.stdout }).once('line', resolve)
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`midwatch up ended with ${code}:\n${said()}`)))
  })
}

async function run(words: readonly string[]): Promise<string> {
  const child = spawn(PROGRAM, words, { stdio: ['ignore', 'pipe', 'pipe'], env: environment() })
  let printed = ''
  let said = ''
  child.stdout.on('data', (bytes: Buffer) => (printed += String(bytes)))
  child.stderr.on('data', (bytes: Buffer) => (said += String(bytes)))
  await once(child, 'close')
  if (printed === '') throw new Error(`midwatch ${words.join(' ')} printed nothing:\n${said}`)
  return printed
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null
}

async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (!isRunning(child)) return
  const gone = once(child, 'exit')
  child.kill(signal)
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await gone
  clearTimeout(timer)
}

/** The caller's environment without settings of its own. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MIDWATCH_')))
}
