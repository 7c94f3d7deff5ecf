/** `lost` or more of the last `of` samples. */
export type LossRule = { readonly lost: number; readonly of: number }

/** The thresholds of a link's verdict. Each has its reason beside the value. */
export type VerdictPolicy = {
  /** Failures in a row that make a link `down`; more on a link that already loses packets, see `falseDownChance`. */
  readonly downAfter: number
  /** Successes in a row that end `down`. */
  readonly upAfter: number
  /** Where flap damping stops raising `upAfter`. */
  readonly upAfterMax: number
  /** Going down again within this time of a recovery doubles `upAfter`. */
  readonly flapWindowMs: number
  /**
   * On a link that loses the share p, so many failures in a row are asked for that p^n is below this. Without it a link that loses
   * 30 % is called down every two minutes, since 0.3^4 = 0.8 %.
   */
  readonly falseDownChance: number
  /** Any of these makes a link `lossy`. */
  readonly lossyEnter: readonly LossRule[]
  /** At most this much ends `lossy`. Far below the entry, so that it does not flap. */
  readonly lossyLeave: LossRule
  /** `slow` is a median above both `slowFactor` times the usual and `slowExtraMs` over it; it ends at half of that. */
  readonly slowFactor: number
  readonly slowExtraMs: number
  /** A direction in which something arrived within this time is alive. Peers speak at least once a second; two may get lost. */
  readonly directionMs: number
  /** What is heard within this time of the first failure may have been on its way before it, and proves nothing. */
  readonly inFlightMs: number
}

export const NODE_POLICY: VerdictPolicy = {
  // The prober repeats a first loss in a quick burst, so four cost little time; four random ones at 1.4 % are one in 26 million.
  downAfter: 4,
  upAfter: 3,
  // The prober sends twelve quick probes once something answers again, so even the most suspect link is up a second later.
  upAfterMax: 12,
  flapWindowMs: 300_000,
  falseDownChance: 1e-5,
  // This kind of machine lost 1.4 % of packets with no fault. At that rate 240 links in ten minutes enter 7 of 30 with a chance of 0.8 %
  // and 13 of 120 with 0.1 %; 5 of 30 and 8 of 120 would be entered once and four times.
  lossyEnter: [
    { lost: 7, of: 30 },
    { lost: 13, of: 120 },
  ],
  lossyLeave: { lost: 1, of: 60 },
  slowFactor: 4,
  slowExtraMs: 50,
  directionMs: 2_500,
  inFlightMs: 500,
}

export const TARGET_POLICY: VerdictPolicy = {
  ...NODE_POLICY,
  // A service check costs seconds when it fails, and TCP has already retried below it.
  downAfter: 3,
  // The windows are shorter, since a target is probed every 10 s: 20 samples are over three minutes.
  lossyEnter: [
    { lost: 5, of: 20 },
    { lost: 8, of: 60 },
  ],
  lossyLeave: { lost: 1, of: 30 },
  // A service's answer varies more than a packet's way.
  slowExtraMs: 200,
}
