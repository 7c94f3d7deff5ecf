import { isDeepStrictEqual } from 'node:util'
import { LIMITS, linkKey, type Sample, type TargetSettings } from '../contract/index.ts'
import { systemOutbound, type Clock, type Outbound, type Randomness } from '../platform/index.ts'
import type { ProbeContext } from './context.ts'
import { codeOf } from './failure.ts'
import { cannot, type Outcome } from './outcome.ts'
import { probeDns } from './probes/dns/index.ts'
import { probeHttp } from './probes/http/index.ts'
import { probeIcmp } from './probes/icmp/index.ts'
import { createPinger } from './probes/icmp/pinger.ts'
import { probeTcp } from './probes/tcp/index.ts'
import { probeTls } from './probes/tls/index.ts'
import { createSchedule } from './schedule.ts'
import { watchStalls } from './stalls.ts'

export type ProberOptions = {
  readonly clock: Clock
  readonly random: Randomness
  /** Identity of this node. */
  readonly observer: string
  readonly onSample: (sample: Sample) => void
  /** A target that cannot be probed from here, and why: its link is unknown, not down. Called at each try. */
  readonly onCannot: (link: string, detail: string) => void
  /** The system's unless given. */
  readonly outbound?: Outbound
}

/** Since the start; `underWay` and `waiting` are of now. */
export type ProberCounters = {
  targets: number
  samples: number
  failures: number
  /** Time-outs while this process itself was held up: they accuse nobody. */
  discarded: number
  cannot: number
  underWay: number
  waiting: number
}

export type Prober = {
  /** Targets that stay as they are keep their place in time. */
  setTargets(targets: readonly TargetSettings[]): void
  start(): void
  /** Resolves when no probe is under way. A stopped prober does not start again. */
  stop(): Promise<void>
  counters(): ProberCounters
}

export function createProber(options: ProberOptions): Prober {
  const { clock } = options
  const outbound = options.outbound ?? systemOutbound
  const pinger = createPinger({ clock, outbound })
  const schedule = createSchedule({ clock, random: options.random, underWayMost: LIMITS.probesUnderWay })
  const stalls = watchStalls(clock)
  const targets = new Map<string, TargetSettings>()
  const underWay = new Map<Promise<boolean | null>, { target: TargetSettings; abort: AbortController }>()
  const counts = { samples: 0, failures: 0, discarded: 0, cannot: 0 }

  async function probe(target: TargetSettings, link: string, abort: AbortController): Promise<boolean | null> {
    const { timeoutMs } = target
    const startedMs = clock.monoMs()
    let timedOut = false
    const cancel = clock.after(timeoutMs, () => {
      timedOut = true
      abort.abort()
    })
    const outcome = await outcomeOf(target, { clock, outbound, pinger, signal: abort.signal, timeoutMs })
    cancel()
    // Removed, replaced or stopped meanwhile: nobody asks any more.
    if (abort.signal.aborted && !timedOut) return null
    if (outcome.ok === null) {
      counts.cannot++
      options.onCannot(link, outcome.detail ?? '')
      return null
    }
    if (timedOut && !outcome.ok && stalls.since(startedMs)) {
      counts.discarded++
      return null
    }
    counts.samples++
    if (!outcome.ok) counts.failures++
    options.onSample({ link, kind: target.kind, atMs: clock.wallMs(), ok: outcome.ok, rttMs: outcome.rttMs, detail: outcome.detail })
    return outcome.ok
  }

  function jobOf(target: TargetSettings) {
    const link = linkKey(options.observer, 'target', target.name)
    return {
      key: link,
      everyMs: target.everyMs,
      run() {
        const abort = new AbortController()
        const work = probe(target, link, abort)
        underWay.set(work, { target, abort })
        return work.finally(() => underWay.delete(work))
      },
    }
  }

  function forget(target: TargetSettings): void {
    targets.delete(target.name)
    schedule.remove(linkKey(options.observer, 'target', target.name))
    for (const work of underWay.values()) if (work.target === target) work.abort.abort()
  }

  return {
    setTargets(wanted) {
      const next = new Map(wanted.slice(0, LIMITS.targets).map((target) => [target.name, target]))
      for (const target of targets.values()) if (!isDeepStrictEqual(next.get(target.name), target)) forget(target)
      const added = [...next.values()].filter((target) => !targets.has(target.name))
      for (const target of added) targets.set(target.name, target)
      schedule.add(added.map(jobOf))
    },
    start() {
      stalls.start()
      schedule.start()
    },
    async stop() {
      schedule.stop()
      stalls.stop()
      for (const work of underWay.values()) work.abort.abort()
      await pinger.stop()
      await Promise.allSettled(underWay.keys())
    },
    counters: () => ({ ...counts, targets: targets.size, underWay: schedule.underWay(), waiting: schedule.waiting() }),
  }
}

async function outcomeOf(target: TargetSettings, context: ProbeContext): Promise<Outcome> {
  try {
    switch (target.kind) {
      case 'tcp':
        return await probeTcp(target, context)
      case 'http':
        return await probeHttp(target, context)
      case 'tls':
        return await probeTls(target, context)
      case 'dns':
        return await probeDns(target, context)
      case 'icmp':
        return await probeIcmp(target, context)
    }
  } catch (error) {
    return cannot(`the probe itself failed: ${codeOf(error)}`)
  }
}
