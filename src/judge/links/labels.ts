import { LIMITS, type NodeState } from '../../contract/index.ts'

export type LabelClaim = { readonly identity: string; readonly id: string; readonly state: NodeState }

/** A node that is there has the first right to a label. */
const TURN: Readonly<Record<NodeState, number>> = { up: 0, suspect: 0, down: 1, left: 2 }

const FIRST_SUFFIX_DIGITS = 4

/**
 * The label that each identity is shown under. Of those that want the same one the lowest identity keeps it, on every node; the
 * others get `~` and the first digits of their identity, as many as make it unique. A node that is down, or left, holds no label against one
 * that is there: its successor without a disk has its name.
 */
export function assignLabels(claims: readonly LabelClaim[]): Map<string, string> {
  const sorted = claims.toSorted((a, b) => TURN[a.state] - TURN[b.state] || (a.identity < b.identity ? -1 : 1))
  const taken = new Set<string>()
  const shown = new Map<string, string>()
  // Everyone who can have the wanted label gets it first, so that a suffixed one never takes it away.
  for (const claim of sorted) {
    if (taken.has(claim.id)) continue
    taken.add(claim.id)
    shown.set(claim.identity, claim.id)
  }
  for (const claim of sorted) {
    if (shown.has(claim.identity)) continue
    const label = firstFree(claim, taken)
    taken.add(label)
    shown.set(claim.identity, label)
  }
  return shown
}

function firstFree({ identity, id }: LabelClaim, taken: ReadonlySet<string>): string {
  for (let digits = FIRST_SUFFIX_DIGITS; ; digits++) {
    // Past the identity's own digits only a node that asked for this very label can be in the way; a counter steps around it.
    const suffix = digits <= identity.length ? identity.slice(0, digits) : `${identity}.${digits - identity.length}`
    const kept = id.slice(0, LIMITS.labelChars - suffix.length - 1).replace(/[\uD800-\uDBFF]$/, '')
    const label = `${kept}~${suffix}`
    if (!taken.has(label)) return label
  }
}
