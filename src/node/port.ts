import { formatAddress, type Address, type NetworkCounters } from '../platform/index.ts'
import { MidwatchError, type Settings } from '../contract/index.ts'
import type { NodeEvent, NodePort } from '../serve/index.ts'
import type { Store } from '../store/index.ts'
import { rundown } from '../tell/index.ts'
import type { Chronicle } from './chronicle.ts'
import { doctorChecks } from './doctor.ts'
import { changeKeys, keysOfGrid } from './keys.ts'
import { nodeMetrics } from './metrics.ts'
import { graphAt, pastBetween, type PastOptions } from './past.ts'
import type { Seat } from './seat.ts'
import type { Views } from './views.ts'
import type { Watch } from './watch.ts'

export type PortOptions = {
  readonly settings: Settings
  readonly seat: Seat
  readonly watch: Watch
  readonly views: Views
  readonly past: PastOptions
  readonly chronicle: Chronicle
  readonly store: Store
  readonly network: NetworkCounters
  readonly demo: NodePort['demo']
  advertised(): Address
}

/** Tells listeners of the API that something changed. */
export class Changes {
  readonly #listeners = new Set<(event: NodeEvent) => void>()

  tell(event: NodeEvent): void {
    for (const listener of this.#listeners) listener(event)
  }

  subscribe(listener: (event: NodeEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

/** What the API may ask of this node. */
export function createPort(options: PortOptions, changes: Changes): NodePort {
  const { settings, seat, watch, views, chronicle, store, network } = options
  return {
    graph: () => views.graph(),
    graphAt: (atMs) => graphAt(atMs, options.past),
    past: (fromMs, toMs) => pastBetween(fromMs, toMs, options.past),
    rundown: () => rundown(views.graph(), seat.grid.ring.outcast),
    nodes: () => views.nodes(),
    targets: () => views.targets(),
    why: (from, to) => views.why(from, to),
    history: (from, to, window) => views.history(from, to, window),
    timeline: (query) => chronicle.timeline(query),
    async invite() {
      const { outcast } = seat.grid.ring
      if (outcast) throw new MidwatchError('MW_REMOVED', `this node was removed from the grid on ${outcast.by}`)
      const made = seat.invitations.make([formatAddress(options.advertised())])
      const expiresAt = new Date(made.expiresAtMs).toISOString()
      chronicle.append({ type: 'invitation.made', invitation: made.invitation, expiresAt })
      return { command: `midwatch join ${made.token}`, token: made.token, expiresAt }
    },
    leave: () => seat.leave(),
    keys: () => keysOfGrid(seat, views),
    changeKeys: (change) => changeKeys(change, seat, views),
    doctor: async () => ({
      checks: await doctorChecks({
        settings,
        store,
        graph: views.graph(),
        keys: keysOfGrid(seat, views),
        outcast: seat.grid.ring.outcast,
        advertised: options.advertised(),
        network,
      }),
    }),
    demo: options.demo && recorded(options.demo, chronicle),
    ready() {
      const waits = watch.firstProbeMs() === null && seat.grid.peers().length > 0
      return { ready: !waits, waitingFor: waits ? 'the first probe' : null }
    },
    metrics: () => nodeMetrics({ graph: views.graph(), seat, watch, store, network }),
    subscribe(listener) {
      const stopChanges = changes.subscribe(listener)
      const stopChronicle = chronicle.listen((entry) => listener({ type: 'change', entry }))
      return () => {
        stopChanges()
        stopChronicle()
      }
    },
  }
}

/** A fault that was switched belongs on the timeline. */
function recorded(demo: NonNullable<NodePort['demo']>, chronicle: Chronicle): NonNullable<NodePort['demo']> {
  return {
    list: () => demo.list(),
    async set(id, on) {
      const after = await demo.set(id, on)
      chronicle.append({ type: 'fault.switched', fault: after.faults.find((fault) => fault.id === id)?.title ?? id, on })
      return after
    },
  }
}
