import { spawn } from 'node:child_process'

export type ProcessRequest = {
  /** A program's name, found on PATH, or its path. There is never a shell. */
  readonly file: string
  readonly args: readonly string[]
  /** The process is killed when it runs longer. */
  readonly timeoutMs: number
  /** Further output, of stdout and of stderr each, is read and thrown away. */
  readonly maxOutputBytes: number
  /** Kills the process early; the promise then resolves as for any other end. */
  readonly signal?: AbortSignal
  /** Each whole line of either output as it comes, within `maxOutputBytes`. */
  readonly onLine?: (line: string) => void
}

export type ProcessResult = {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  readonly timedOut: boolean
  readonly truncated: boolean
}

/** Where Debian and Alpine keep ping and its like; a service's own PATH is often shorter. */
const USUAL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Runs a program to its end. Rejects only when it cannot be started, with the system's error (`code` ENOENT when it is missing).
 * The child sees PATH and the C locale, nothing else of the environment: that may hold secrets.
 */
export function runProcess(request: ProcessRequest): Promise<ProcessResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(request.file, [...request.args], {
      shell: false,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] ? `${process.env['PATH']}:${USUAL_PATH}` : USUAL_PATH, LC_ALL: 'C' },
    })
    let timedOut = false
    const kill = (): void => void child.kill('SIGKILL')
    const timer = setTimeout(() => {
      timedOut = true
      kill()
    }, request.timeoutMs)
    const stdout = gather(request.maxOutputBytes, request.onLine)
    const stderr = gather(request.maxOutputBytes, request.onLine)
    child.stdout.on('data', stdout.take)
    child.stderr.on('data', stderr.take)
    request.signal?.addEventListener('abort', kill, { once: true })
    if (request.signal?.aborted) kill()
    const tidy = (): void => {
      clearTimeout(timer)
      request.signal?.removeEventListener('abort', kill)
    }
    child.once('error', (error) => {
      tidy()
      reject(error)
    })
    // A grandchild that inherited the pipes could hold back `close` for ever, so the end is the exit and what was read by then or soon after.
    child.once('exit', () => {
      const giveUp = setTimeout(() => {
        child.stdout.destroy()
        child.stderr.destroy()
      }, 250)
      child.once('close', (code) => {
        clearTimeout(giveUp)
        tidy()
        resolve({ code, stdout: stdout.text(), stderr: stderr.text(), timedOut, truncated: stdout.truncated() || stderr.truncated() })
      })
    })
  })
}

function gather(maxBytes: number, onLine?: (line: string) => void) {
  const chunks: Buffer[] = []
  let bytes = 0
  let truncated = false
  let rest = ''
  return {
    take(chunk: Buffer): void {
      const kept = chunk.subarray(0, Math.max(0, maxBytes - bytes))
      if (kept.length < chunk.length) truncated = true
      bytes += kept.length
      if (kept.length === 0) return
      chunks.push(kept)
      if (!onLine) return
      const lines = (rest + kept.toString('latin1')).split('\n')
      rest = lines.pop() as string
      for (const line of lines) onLine(line)
    },
    text: () => Buffer.concat(chunks).toString('utf8'),
    truncated: () => truncated,
  }
}
