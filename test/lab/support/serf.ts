import type { Host } from './namespaces.ts'
import type { LabProcess } from './processes.ts'

/** What an agent said of another member, at `performance.now()`. */
export type SerfVerdict = { readonly atMs: number; readonly by: string; readonly about: string; readonly says: 'join' | 'failed' | 'leave' }

/** Debian's serf agent on a host of the lab: LAN profile, its defaults. What it says comes from its own log. */
export class SerfAgent {
  readonly name: string
  readonly host: Host
  readonly verdicts: SerfVerdict[] = []
  process: LabProcess | null = null
  readonly #seed: string
  readonly #waiting = new Set<() => void>()

  constructor(name: string, host: Host, seed: string) {
    this.name = name
    this.host = host
    this.#seed = seed
  }

  start(seed = this.#seed): void {
    const join = seed === this.host.address ? [] : ['-retry-join', seed, '-retry-interval', '1s']
    const argv = ['serf', 'agent', '-profile', 'lan', '-node', this.name, '-bind', `${this.host.address}:7946`, ...join] as const
    this.process = this.host.start(argv, { onLine: (line) => this.#read(line) })
  }

  #read(line: string): void {
    const [, says, about] = /serf: EventMember(Join|Failed|Leave): (\S+)/.exec(line) ?? []
    if (says === undefined || about === undefined) return
    this.verdicts.push({ atMs: performance.now(), by: this.name, about, says: says.toLowerCase() as SerfVerdict['says'] })
    for (const check of this.#waiting) check()
  }

  /** When it said this, at or after `sinceMs`; null when the time was up. */
  until(says: SerfVerdict['says'], about: string, sinceMs: number, timeoutMs: number): Promise<number | null> {
    return new Promise((resolve) => {
      const settle = (atMs: number | null): void => {
        clearTimeout(timer)
        this.#waiting.delete(check)
        resolve(atMs)
      }
      const check = (): void => {
        const found = this.verdicts.find((verdict) => verdict.says === says && verdict.about === about && verdict.atMs >= sinceMs)
        if (found) settle(found.atMs)
      }
      const timer = setTimeout(() => settle(null), timeoutMs)
      this.#waiting.add(check)
      check()
    })
  }
}
