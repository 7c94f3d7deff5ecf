import type { Direction, LinkState } from '../../contract/index.ts'
import type { VerdictPolicy } from './policy.ts'
import { Ring } from './ring.ts'

/** One probe's outcome, as far as a verdict needs it. `atMs` may be of any clock, but of one clock for one link. */
export type VerdictSample = {
  readonly atMs: number
  readonly ok: boolean
  readonly rttMs: number | null
  readonly detail: string | null
  /** Between nodes: time since an authentic packet of the target reached us; null when none ever did. */
  readonly heardAgoMs?: number | null
  /** Between nodes: by the target's own latest word, time since something of ours reached it; null when it has not said. */
  readonly theyHeardAgoMs?: number | null
  /** This node was too busy to trust its own measurement: the sample counts for nothing. */
  readonly discount?: boolean
}

export type Verdict = {
  readonly state: LinkState
  /** For `one-way`: the dead direction, seen from the observer. */
  readonly dead: Direction | null
  /** `atMs` of the sample that began this state; null while unknown. */
  readonly sinceMs: number | null
  /** Share lost of the last 60 samples. */
  readonly lossRatio: number | null
  /** Median of the last 20 round trips. */
  readonly rttMsP50: number | null
  /** What the median usually is, once that has been learned. */
  readonly rttMsUsual: number | null
  readonly detail: string | null
}

export type LinkVerdict = {
  judge(sample: VerdictSample): Verdict
  readonly now: Verdict
}

const RECENT_SAMPLES = 60
const RTT_SAMPLES = 20
/** The usual is the median over blocks of 20 round trips: at least 3 of them, at most 60, which is 20 minutes at one a second. */
const USUAL_BLOCKS_MIN = 3
const USUAL_BLOCKS_MAX = 60
/** Window in which a link's own loss is measured for `falseDownChance`, and the most failures in a row that it can ask for. */
const OWN_LOSS_SAMPLES = 30
const DOWN_AFTER_MAX = 20

/** Judges one link, sample by sample. Depends on nothing but the samples, so a recorded series always gives the same verdicts. */
export function createVerdict(policy: VerdictPolicy): LinkVerdict {
  /** 1 for a loss. Holds only what was measured while the link was not down, so an outage does not make it lossy afterwards. */
  const losses = new Ring(Math.max(OWN_LOSS_SAMPLES, policy.lossyLeave.of, ...policy.lossyEnter.map((rule) => rule.of)))
  const recent = new Ring(RECENT_SAMPLES)
  const rtts = new Ring(RTT_SAMPLES)
  const block = new Ring(RTT_SAMPLES)
  const blockMedians = new Ring(USUAL_BLOCKS_MAX)

  let reach: 'unknown' | 'up' | 'down' = 'unknown'
  let lossy = false
  let slow = false
  let run = { ok: true, length: 0, sinceMs: 0 }
  let upAfter = policy.upAfter
  let recoveredAtMs: number | null = null
  let usualMs: number | null = null
  let failureDetail: string | null = null
  let now: Verdict = {
    state: 'unknown',
    dead: null,
    sinceMs: null,
    lossRatio: null,
    rttMsP50: null,
    rttMsUsual: null,
    detail: null,
  }

  function judge(sample: VerdictSample): Verdict {
    if (sample.discount === true) return now
    if (run.length > 0 && run.ok === sample.ok) run.length++
    else run = { ok: sample.ok, length: 1, sinceMs: sample.atMs }
    recent.push(sample.ok ? 0 : 1)
    if (sample.ok && sample.rttMs !== null) rtts.push(sample.rttMs)
    if (!sample.ok) failureDetail = sample.detail

    const reachBefore = reach
    judgeReach(sample)
    if (reach === 'up') {
      judgeLoss(sample, reachBefore)
      judgeRtt(sample)
    }
    return publish(sample, reach !== reachBefore)
  }

  function judgeReach(sample: VerdictSample): void {
    if (reach === 'unknown' && sample.ok) reach = 'up'
    else if (reach === 'down' && sample.ok && run.length >= upAfter) {
      reach = 'up'
      recoveredAtMs = sample.atMs
    } else if (reach !== 'down' && !sample.ok && run.length >= failuresNeeded()) {
      const flaps = recoveredAtMs !== null && run.sinceMs - recoveredAtMs < policy.flapWindowMs
      upAfter = flaps ? Math.min(upAfter * 2, policy.upAfterMax) : policy.upAfter
      // The losses that led here are told by `down`. Left in, they would make the recovered link lossy.
      losses.unpush(reach === 'up' ? run.length - 1 : 0)
      lossy = lossy && isLossy()
      reach = 'down'
      block.clear()
    }
  }

  function failuresNeeded(): number {
    const before = run.length - 1
    const measured = Math.min(OWN_LOSS_SAMPLES, losses.size - before)
    if (measured <= 0) return policy.downAfter
    const lost = losses.sumOfLast(measured + before) - before
    // A short history is no measure of loss: fewer samples count as if the missing ones had arrived.
    const share = lost / OWN_LOSS_SAMPLES
    if (share <= 0) return policy.downAfter
    if (share >= 1) return DOWN_AFTER_MAX
    const needed = Math.ceil(Math.log(policy.falseDownChance) / Math.log(share))
    return Math.min(Math.max(policy.downAfter, needed), DOWN_AFTER_MAX)
  }

  function judgeLoss(sample: VerdictSample, reachBefore: typeof reach): void {
    // The successes that ended an outage were measured while down.
    if (reachBefore === 'down') return
    losses.push(sample.ok ? 0 : 1)
    if (lossy) {
      const { lost, of } = policy.lossyLeave
      lossy = losses.size < of || losses.sumOfLast(of) > lost
      // What was lost before that counts no more, or a long rule would find it again with the next sample, and the link would flap.
      if (!lossy) losses.keepLast(of)
    } else {
      lossy = isLossy()
    }
  }

  function isLossy(): boolean {
    return policy.lossyEnter.some((rule) => losses.sumOfLast(rule.of) >= rule.lost)
  }

  function judgeRtt(sample: VerdictSample): void {
    const median = rtts.median()
    if (usualMs !== null && median !== null && rtts.size === RTT_SAMPLES) {
      const enterMs = Math.max(policy.slowFactor * usualMs, usualMs + policy.slowExtraMs)
      slow = slow ? median >= enterMs / 2 : median > enterMs
    }
    // The usual is learned only from good times, or a slow link would become the usual one.
    if (slow || lossy) block.clear()
    else if (sample.ok && sample.rttMs !== null) {
      block.push(sample.rttMs)
      if (block.size === RTT_SAMPLES) {
        blockMedians.push(block.median() as number)
        block.clear()
        if (blockMedians.size >= USUAL_BLOCKS_MIN) usualMs = blockMedians.median()
      }
    }
  }

  function publish(sample: VerdictSample, reachChanged: boolean): Verdict {
    const state = stateNow(sample)
    const dead = state === 'one-way' ? 'out' : null
    const changed = state !== now.state
    now = {
      state,
      dead,
      // A run of failures or successes began the state with its first sample, not with the one that convinced us.
      sinceMs: state === 'unknown' ? null : !changed ? now.sinceMs : reachChanged ? run.sinceMs : sinceWithinReach(state, sample),
      lossRatio: recent.sumOfLast(RECENT_SAMPLES) / recent.size,
      rttMsP50: rtts.median(),
      rttMsUsual: usualMs,
      detail: state === 'up' || state === 'slow' ? (sample.ok ? sample.detail : now.detail) : failureDetail,
    }
    return now
  }

  /** `down` and `one-way` take turns as facts about the directions come in; the outage began before both. */
  function sinceWithinReach(state: LinkState, sample: VerdictSample): number {
    const isOutage = state === 'down' || state === 'one-way'
    return isOutage && now.sinceMs !== null ? now.sinceMs : sample.atMs
  }

  function stateNow(sample: VerdictSample): LinkState {
    if (reach === 'unknown') return 'unknown'
    if (reach === 'down') {
      if (sample.ok) return now.state
      return onlyOutIsDead(sample) ? 'one-way' : 'down'
    }
    return lossy ? 'lossy' : slow ? 'slow' : 'up'
  }

  /**
   * Round trips fail, yet the target's packets arrive: what dies is what we send. Unless the target says that it hears us, in which case
   * both directions carry something and only the answers are missing: that stays `down`, as nobody can use the link.
   * Hearing nothing is `down` as well; the other side's row tells whether it hears us, see `mergeGraph`.
   */
  function onlyOutIsDead(sample: VerdictSample): boolean {
    const heardAgoMs = sample.heardAgoMs ?? null
    if (heardAgoMs === null || heardAgoMs >= policy.directionMs) return false
    if (sample.atMs - heardAgoMs < run.sinceMs + policy.inFlightMs) return false
    const theyHeardAgoMs = sample.theyHeardAgoMs ?? null
    return theyHeardAgoMs === null || theyHeardAgoMs > policy.directionMs
  }

  return {
    judge,
    get now() {
      return now
    },
  }
}
