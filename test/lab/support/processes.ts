import { spawn } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { createInterface } from 'node:readline'

export type StartOptions = {
  readonly env?: Readonly<Record<string, string>>
  /** Called with each line of standard output and standard error. */
  readonly onLine?: (line: string) => void
}

export type LabProcess = {
  readonly pid: number
  /** `performance.now()` just before it was started. */
  readonly startedAtMs: number
  readonly exited: Promise<void>
  readonly running: boolean
  /** The last lines it wrote, for when something went wrong. */
  lastLines(): string
  /** Signals it and everything it started; resolves when it is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** CPU seconds used and memory resident now, of it and everything it started. */
  cost(): { cpuSeconds: number; residentBytes: number }
}

const KEPT_LINES = 200
/** Linux on all its usual architectures: USER_HZ and, for x86 and most arm64 kernels, the page. */
const TICKS_PER_SECOND = 100

export function startProcess(argv: readonly string[], options: StartOptions): LabProcess {
  const startedAtMs = performance.now()
  const child = spawn(argv[0] ?? '', argv.slice(1), {
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const pid = child.pid
  if (pid === undefined) throw new Error(`cannot start ${argv.join(' ')}`)
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      if (lines.length > KEPT_LINES) lines.shift()
      options.onLine?.(line)
    })
  }
  let running = true
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      running = false
      resolve()
    })
  })
  return {
    pid,
    startedAtMs,
    exited,
    get running() {
      return running
    },
    lastLines: () => lines.join('\n'),
    kill: async (signal = 'SIGKILL') => {
      if (!running) return
      for (const member of processTree(pid)) {
        try {
          process.kill(member, signal)
        } catch {
          // Ended by itself meanwhile.
        }
      }
      await exited
    },
    cost: () => {
      let cpuSeconds = 0
      let residentBytes = 0
      for (const member of processTree(pid)) {
        const cost = processCost(member)
        cpuSeconds += cost.cpuSeconds
        residentBytes += cost.residentBytes
      }
      return { cpuSeconds, residentBytes }
    },
  }
}

/** A process and all its descendants, parents first. */
function processTree(pid: number): number[] {
  const tree = [pid]
  for (const parent of tree) {
    try {
      for (const task of readdirSync(`/proc/${parent}/task`)) {
        const children = readFileSync(`/proc/${parent}/task/${task}/children`, 'utf8')
        tree.push(...children.split(' ').filter(Boolean).map(Number))
      }
    } catch {
      // Gone meanwhile.
    }
  }
  return tree
}

function processCost(pid: number): { cpuSeconds: number; residentBytes: number } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // Fields after the name, which may hold anything: utime and stime are the 14th and 15th of all.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const residentKb = Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
    return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND, residentBytes: residentKb * 1_024 }
  } catch {
    return { cpuSeconds: 0, residentBytes: 0 }
  }
}
