import type { Identity, ProbeKind } from '../contract/index.ts'
import { createVerdict, NODE_POLICY, TARGET_POLICY, type LinkVerdict, type Verdict, type VerdictSample } from '../judge/index.ts'
import type { LinkClaim } from '../grid/index.ts'
import type { Clock } from '../platform/index.ts'

type OwnLink = {
  readonly toType: 'node' | 'target'
  readonly to: string
  readonly kind: ProbeKind
  readonly address: string | null
  readonly site: string | null
  verdict: LinkVerdict
  claim: LinkClaim
}

/** A target as the settings have it. */
export type TargetLink = Pick<OwnLink, 'to' | 'kind' | 'address' | 'site'>

export type Figures = readonly (readonly [lossPerMille: number, rttUs: number | null])[]

/** This node's own links: a verdict for each, kept as the claims that its row makes. */
export class OwnLinks {
  readonly #clock: Clock
  readonly #links = new Map<string, OwnLink>()
  #ordered: OwnLink[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Sets which nodes and targets there are. The verdicts of those that stay go on. */
  setDestinations(nodes: readonly Identity[], targets: readonly TargetLink[]): void {
    const wanted = [
      ...nodes.map((to) => ({ toType: 'node' as const, to: to as string, kind: 'udp' as const, address: null, site: null })),
      ...targets.map((target) => ({ toType: 'target' as const, ...target })),
    ]
    const keys = new Set(wanted.map(keyOf))
    for (const key of this.#links.keys()) if (!keys.has(key)) this.#links.delete(key)
    for (const link of wanted) {
      if (this.#links.has(keyOf(link))) continue
      const verdict = newVerdict(link.toType)
      this.#links.set(keyOf(link), { ...link, verdict, claim: { ...link, state: 'unknown', dead: null, sinceMs: null, detail: null } })
    }
    this.#ordered = [...this.#links.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
  }

  /** A node that started anew is judged anew: its outage is over as soon as it answers. */
  restart(identity: Identity): void {
    const link = this.#links.get(keyOf({ toType: 'node', to: identity }))
    if (link) link.verdict = newVerdict('node')
  }

  /** Judges one sample. Answers whether the claim changed. */
  judge(toType: 'node' | 'target', to: string, sample: Omit<VerdictSample, 'atMs'>): boolean {
    const link = this.#links.get(keyOf({ toType, to }))
    if (!link) return false
    return this.#claim(link, link.verdict.judge({ ...sample, atMs: this.#clock.monoMs() }))
  }

  /** It cannot be probed from here, which says nothing of it. */
  cannot(toType: 'node' | 'target', to: string, why: string | null): boolean {
    const link = this.#links.get(keyOf({ toType, to }))
    if (!link) return false
    link.verdict = newVerdict(toType)
    return this.#claim(link, { ...link.verdict.now, detail: why })
  }

  #claim(link: OwnLink, verdict: Verdict): boolean {
    const before = link.claim
    if (verdict.state === before.state && verdict.dead === before.dead && verdict.detail === before.detail) return false
    const turned = verdict.state !== before.state || verdict.dead !== before.dead
    const sinceMs = turned ? this.#wall(verdict.sinceMs) : before.sinceMs
    link.claim = { ...before, state: verdict.state, dead: verdict.dead, detail: verdict.detail, sinceMs }
    return true
  }

  #wall(monoMs: number | null): number {
    return this.#clock.wallMs() - (monoMs === null ? 0 : this.#clock.monoMs() - monoMs)
  }

  claims(): LinkClaim[] {
    return this.#ordered.map((link) => link.claim)
  }

  /** In the order of the claims. */
  figures(): Figures {
    return this.#ordered.map(({ verdict: { now } }) => [
      Math.round((now.lossRatio ?? 0) * 1_000),
      now.rttMsP50 === null ? null : Math.round(now.rttMsP50 * 1_000),
    ])
  }

  verdict(toType: 'node' | 'target', to: string): Verdict | null {
    return this.#links.get(keyOf({ toType, to }))?.verdict.now ?? null
  }
}

function keyOf(link: { toType: 'node' | 'target'; to: string }): string {
  return `${link.toType}:${link.to}`
}

function newVerdict(toType: 'node' | 'target'): LinkVerdict {
  return createVerdict(toType === 'node' ? NODE_POLICY : TARGET_POLICY)
}
