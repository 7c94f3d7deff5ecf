import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Choice, Outcome } from './run.ts'

/** A run that takes longer than this in real time hangs. */
const HUNG_MS = 600_000

/** Processes that play choices, each one at a time. */
export class Pool {
  readonly #idle: Player[] = []
  readonly #all: Player[]
  readonly #waiting: ((player: Player) => void)[] = []

  constructor(workers: number, without: string | null) {
    this.#all = Array.from({ length: workers }, () => new Player(without))
    this.#idle.push(...this.#all)
  }

  async play(choice: Choice): Promise<Outcome> {
    const player = this.#idle.pop() ?? (await new Promise<Player>((resolve) => this.#waiting.push(resolve)))
    try {
      return await player.play(choice)
    } finally {
      const next = this.#waiting.shift()
      if (next) next(player)
      else this.#idle.push(player)
    }
  }

  close(): void {
    for (const player of this.#all) player.close()
  }
}

class Player {
  readonly #without: string | null
  #process: ChildProcess | null = null

  constructor(without: string | null) {
    this.#without = without
  }

  play(choice: Choice): Promise<Outcome> {
    const child = (this.#process ??= this.#begin())
    return new Promise((resolve) => {
      const done = (outcome: Outcome): void => {
        clearTimeout(timer)
        child.removeAllListeners()
        resolve(outcome)
      }
      const broken = (what: string): void => {
        this.#process = null
        child.kill('SIGKILL')
        const failure = { invariant: 'no-crash', atMs: 0, what } as const
        done({ seed: choice.seed, failure, virtualMs: 0, actions: 0, healedMs: [], worstBytesPerSecond: 0 })
      }
      const timer = setTimeout(() => broken(`the run hangs: no end after ${HUNG_MS / 1_000} s`), HUNG_MS)
      child.once('message', (outcome) => done(outcome as Outcome))
      child.once('exit', (code) => broken(`the process ended by itself (${code})`))
      child.send(choice)
    })
  }

  close(): void {
    this.#process?.removeAllListeners()
    this.#process?.kill()
  }

  #begin(): ChildProcess {
    const env = { ...process.env, ...(this.#without === null ? {} : { MIDWATCH_SIM_WITHOUT: this.#without }) }
    return fork(fileURLToPath(new URL('./worker.ts', import.meta.url)), { env, serialization: 'advanced' })
  }
}
