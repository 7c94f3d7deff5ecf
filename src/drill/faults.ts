import { type DemoFault, MidwatchError } from '../contract/index.ts'

export type DemoNode = { readonly id: string; readonly site: string }

/** What happens to packets on their way from one node to another. */
export type PathEffect = { readonly lossRatio: number; readonly delayMs: number }
export const CLEAR: PathEffect = { lossRatio: 0, delayMs: 0 }

type Fault = {
  readonly id: string
  readonly title: string
  readonly expect: string
  effect(from: DemoNode, to: DemoNode): PathEffect
}

const DEAD: PathEffect = { lossRatio: 1, delayMs: 0 }
/** In each direction; together 30 % of round trips fail: 1 - (1 - p)^2 = 0.3. */
const SOME: PathEffect = { lossRatio: 1 - Math.sqrt(0.7), delayMs: 0 }
/** In each direction; a round trip takes 200 ms longer. */
const LATE: PathEffect = { lossRatio: 0, delayMs: 100 }

/** The faults that a demo of these nodes can have. The first node answers the console, so nothing unplugs or deafens it. */
export function faultsFor(nodes: readonly DemoNode[]): Fault[] {
  const [first] = nodes
  const sites = [...new Set(nodes.map((node) => node.site))]
  const [home, second = home, last = second] = sites
  if (!first || home === undefined || second === undefined || last === undefined || nodes.length < 2) return []
  const lastOf = (site: string) => nodes.findLast((node) => node.site === site && node !== first)
  const unplugged = (lastOf(second) ?? nodes.at(-1) ?? first).id
  const deaf = (lastOf(home) ?? lastOf(last) ?? first).id

  const faults: Fault[] = [
    {
      id: 'unplug',
      title: `${unplugged} is unplugged`,
      expect: `Within 3 s ${unplugged} is down on every map, and what it said turns stale.`,
      effect: (from, to) => (from.id === unplugged || to.id === unplugged ? DEAD : CLEAR),
    },
    {
      id: 'deaf',
      title: `${deaf} hears nothing`,
      expect: `${deaf} stays on the map, for it still sends: the way to it is dead, the way from it is not.`,
      effect: (_, to) => (to.id === deaf ? DEAD : CLEAR),
    },
  ]
  if (sites.length < 2) return faults
  faults.push(
    {
      id: 'one-way',
      title: `Packets from ${home} to ${second} are lost`,
      expect: `Nobody is down; the links between ${home} and ${second} are one-way, with the dead direction named.`,
      effect: (from, to) => (from.site === home && to.site === second ? DEAD : CLEAR),
    },
    {
      id: 'loss',
      title: `30 % of probes between ${second} and ${last === second ? home : last} are lost`,
      expect: 'The links between the two are lossy within a minute; nobody is down.',
      effect: (from, to) => (areBetween(from, to, second, last === second ? home : last) ? SOME : CLEAR),
    },
    {
      id: 'slow',
      title: `${last} answers 200 ms later`,
      expect: `The links to and from ${last} are slow after some 15 s, once the demo has run for a minute and knows what is usual.`,
      effect: (from, to) => ((from.site === last) === (to.site === last) ? CLEAR : LATE),
    },
    {
      id: 'cut-off',
      title: `Site ${last} is cut off`,
      expect: `Every node of ${last} is down for the rest.`,
      effect: (from, to) => ((from.site === last) === (to.site === last) ? CLEAR : DEAD),
    },
  )
  return faults
}

function areBetween(from: DemoNode, to: DemoNode, siteA: string, siteB: string): boolean {
  return (from.site === siteA && to.site === siteB) || (from.site === siteB && to.site === siteA)
}

/** The service that the demo's nodes probe; see `createDemoService`. */
export type FailingService = { readonly name: string; fail(on: boolean): void }

/** Which faults are on, and what they do together. */
export class FaultBoard {
  readonly #faults: readonly Fault[]
  readonly #service: FailingService | null
  readonly #on = new Set<string>()

  constructor(nodes: readonly DemoNode[], service: FailingService | null) {
    this.#faults = faultsFor(nodes)
    this.#service = service
  }

  list(): DemoFault[] {
    const told = this.#faults.map(({ id, title, expect }) => ({ id, title, expect, on: this.#on.has(id) }))
    if (!this.#service) return told
    const { name } = this.#service
    const on = this.#on.has('service')
    return [
      ...told,
      { id: 'service', title: `${name} answers 503`, expect: `${name} is down for everyone, with the status that it answers.`, on },
    ]
  }

  /** Errors: MW_UNKNOWN_NAME. */
  set(id: string, on: boolean): void {
    if (!this.list().some((fault) => fault.id === id)) throw new MidwatchError('MW_UNKNOWN_NAME', `no simulated fault is called ${id}`)
    if (on) this.#on.add(id)
    else this.#on.delete(id)
    if (id === 'service') this.#service?.fail(on)
  }

  effect(from: DemoNode, to: DemoNode): PathEffect {
    let arrives = 1
    let delayMs = 0
    for (const fault of this.#faults) {
      if (!this.#on.has(fault.id)) continue
      const effect = fault.effect(from, to)
      arrives *= 1 - effect.lossRatio
      delayMs += effect.delayMs
    }
    return { lossRatio: 1 - arrives, delayMs }
  }
}
