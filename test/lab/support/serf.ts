import type { Host } from './namespaces.ts'
import type { LabProcess } from './processes.ts'

/** What an agent said of another member, at `performance.now()`. */
export type SerfVerdict = { readonly atMs: number; readonly by: string; readonly about: string; readonly says: 'join' | 'failed' | 'leave' }

/** Debian's serf agent on a host of the lab: LAN profile, its defaults. What it says comes from its own log. */
export class SerfAgent {
  readonly name: string
  readonly host: Host
  readonly verdicts: SerfVerdict[] = []
  /** Who it holds for alive, itself included. */
  readonly alive = new Set<string>()
  #process: LabProcess | null = null
  readonly #waiting = new Set<() => void>()

  constructor(name: string, host: Host) {
    this.name = name
    this.host = host
  }

  get process(): LabProcess {
    if (this.#process === null) throw new Error(`the serf agent ${this.name} was not started`)
    return this.#process
  }

  /** `seed` is the address of an agent to join; none for the first. */
  start(seed: string | null): void {
    const join = seed === null ? [] : ['-retry-join', seed, '-retry-interval', '1s']
    const argv = ['serf', 'agent', '-profile', 'lan', '-node', this.name, '-bind', `${this.host.address}:7946`, ...join] as const
    this.alive.clear()
    this.#process = this.host.start(argv, { onLine: (line) => this.#read(line) })
  }

  #read(line: string): void {
    const [, says, about] = /serf: EventMember(Join|Failed|Leave): (\S+)/.exec(line) ?? []
    if (says === undefined || about === undefined) return
    this.verdicts.push({ atMs: performance.now(), by: this.name, about, says: says.toLowerCase() as SerfVerdict['says'] })
    if (says === 'Join') this.alive.add(about)
    else this.alive.delete(about)
    for (const check of this.#waiting) check()
  }

  /** Resolves with `performance.now()` of the moment at which it held; null when the time was up. */
  until(holds: (alive: ReadonlySet<string>) => boolean, timeoutMs: number): Promise<number | null> {
    return new Promise((resolve) => {
      const settle = (atMs: number | null): void => {
        clearTimeout(timer)
        this.#waiting.delete(check)
        resolve(atMs)
      }
      const check = (): void => {
        if (holds(this.alive)) settle(performance.now())
      }
      const timer = setTimeout(() => settle(null), timeoutMs)
      this.#waiting.add(check)
      check()
    })
  }
}
