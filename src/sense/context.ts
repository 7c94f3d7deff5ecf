import type { TargetSettings } from '../contract/index.ts'
import type { Clock, Outbound } from '../platform/index.ts'
import type { Outcome } from './outcome.ts'
import type { Pinger } from './probes/icmp/pinger.ts'

/** What a probe has to work with. The prober fires `signal` when the target's time is over; the probe then answers at once. */
export type ProbeContext = {
  readonly clock: Clock
  readonly outbound: Outbound
  readonly pinger: Pinger
  readonly signal: AbortSignal
  /** As the prober applies it, for words. */
  readonly timeoutMs: number
}

export type TargetOf<K extends TargetSettings['kind']> = Extract<TargetSettings, { kind: K }>

export type Probe<K extends TargetSettings['kind']> = (target: TargetOf<K>, context: ProbeContext) => Promise<Outcome>
