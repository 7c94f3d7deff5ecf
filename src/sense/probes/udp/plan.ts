import type { Identity } from '../../../contract/index.ts'

/** Who probes whom in a grid that is too large for everyone to probe everyone. */
export const PLAN = {
  /** Up to so many nodes everyone probes everyone. */
  fullMeshNodes: 200,
  /** Above, so many others watch each node: SWIM needs few, and some of them may be dead or slow themselves. */
  watchers: 6,
  /** And so many pairs of nodes, with no node in common, stand for each pair of sites: one may die without the pair going blind. */
  pairsOfSites: 2,
  /** Probes a second that one node sends at most; with more peers than that the time between probes grows. */
  probesPerSecond: 200,
} as const

/** What the plan is made of: the same facts make the same plan on every node, so nobody has to talk about it. */
export type PlannedNode = { readonly identity: Identity; readonly site: string; readonly isDown: boolean }

export type PlanLimits = { readonly fullMeshNodes: number; readonly watchers: number; readonly pairsOfSites: number }

/**
 * Whom a node probes, in order of identity. Each choice is by rendezvous hash (Thaler, Ravishankar 1998): who chooses ranks all candidates by a
 * hash of both and takes the first, so a node that comes or goes moves only the choices that it wins or loses. Pairs probe each other
 * both ways, so that each direction is seen. A node that is down is chosen by nobody, but still chooses who watches for its return.
 */
export function planPeers(nodes: readonly PlannedNode[], self: Identity, limits: PlanLimits = PLAN): Identity[] {
  const others = nodes.filter(({ identity }) => identity !== self)
  const own = nodes.find(({ identity }) => identity === self)
  if (!own) return []
  if (nodes.length <= limits.fullMeshNodes) return others.map(({ identity }) => identity).sort()
  const map = new PlanMap(nodes)
  const me = map.placeOf(own)
  const peers = new Set<Place>(map.watchersOf(me, limits.watchers))
  for (const other of map.places) if (other !== me && map.isWatchedBy(other, me, limits.watchers)) peers.add(other)
  for (const peer of map.facingOtherSites(me, limits.pairsOfSites)) peers.add(peer)
  return [...peers].map(({ identity }) => identity).sort()
}

/** Time between two probes of one peer: as set, or longer where the budget would not hold. */
export function probeIntervalMs(peers: number, everyMs: number): number {
  return Math.max(everyMs, Math.ceil((peers * 1_000) / PLAN.probesPerSecond))
}

type Place = PlannedNode & { readonly hash: number }

/** The grid's nodes by site, each with its hash. */
class PlanMap {
  readonly places: readonly Place[]
  readonly #upBySite = new Map<string, Place[]>()
  readonly #up: readonly Place[]

  constructor(nodes: readonly PlannedNode[]) {
    this.places = nodes.map((node) => ({ ...node, hash: hashOf(node.identity) }))
    this.#up = this.places.filter(({ isDown }) => !isDown)
    for (const place of this.#up) {
      const site = this.#upBySite.get(place.site)
      if (site) site.push(place)
      else this.#upBySite.set(place.site, [place])
    }
  }

  placeOf(node: PlannedNode): Place {
    return this.places.find(({ identity }) => identity === node.identity) as Place
  }

  /** Who watches a node: the first of its own site, and of all others where its site has too few. */
  watchersOf(subject: Place, count: number): Place[] {
    const near = lowest(this.#near(subject), subject, subject.hash, count)
    if (near.length === count) return near
    const far = this.#up.filter(({ site }) => site !== subject.site)
    return [...near, ...lowest(far, subject, subject.hash, count - near.length)]
  }

  /** The same question for one watcher. It stops at the first `count` that go before that one, which makes asking it of thousands cheap. */
  isWatchedBy(subject: Place, watcher: Place, count: number): boolean {
    if (watcher.isDown) return false
    const near = this.#near(subject)
    if (watcher.site === subject.site) return isAmongLowest(watcher, near, subject, count, null)
    const missing = count - (near.length - (subject.isDown ? 0 : 1))
    return missing > 0 && isAmongLowest(watcher, this.#up, subject, missing, subject.site)
  }

  /** Whom this node faces where it is one of those that stand for its site towards another. */
  facingOtherSites(me: Place, pairs: number): Place[] {
    if (me.isDown) return []
    const near = this.#near(me)
    const ownHash = hashOf(me.site)
    const facing: Place[] = []
    for (const [site, there] of this.#upBySite) {
      if (site === me.site) continue
      const salt = mix(ownHash ^ hashOf(site))
      const rank = lowest(near, null, salt, pairs).indexOf(me)
      const opposite = rank < 0 ? undefined : lowest(there, null, salt, pairs)[rank]
      if (opposite) facing.push(opposite)
    }
    return facing
  }

  #near({ site }: Place): readonly Place[] {
    return this.#upBySite.get(site) ?? []
  }
}

/** The `count` candidates that come first under a salt, first one first. */
function lowest(candidates: readonly Place[], except: Place | null, salt: number, count: number): Place[] {
  const taken: Place[] = []
  for (const candidate of candidates) {
    if (candidate === except) continue
    let at = taken.length
    while (at > 0 && goesBefore(candidate, taken[at - 1] as Place, salt)) at--
    if (at >= count) continue
    taken.splice(at, 0, candidate)
    if (taken.length > count) taken.pop()
  }
  return taken
}

function isAmongLowest(wanted: Place, candidates: readonly Place[], subject: Place, count: number, exceptSite: string | null): boolean {
  let before = 0
  for (const candidate of candidates) {
    if (candidate === wanted || candidate === subject || candidate.site === exceptSite) continue
    if (goesBefore(candidate, wanted, subject.hash) && ++before >= count) return false
  }
  return true
}

function goesBefore(a: Place, b: Place, salt: number): boolean {
  const [hashA, hashB] = [mix(a.hash ^ salt), mix(b.hash ^ salt)]
  return hashA < hashB || (hashA === hashB && a.identity < b.identity)
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return mix(hash)
}

/** The finalizer of MurmurHash3: each bit of the input moves half of the output's. */
function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
