import { ERRORS, splitHostPort, type Check, type Graph, type Keys, type Settings } from '../contract/index.ts'
import { formatAddress, type Address, type NetworkCounters } from '../platform/index.ts'
import type { Store } from '../store/index.ts'

/** What a running node can say of its own health; the command line adds what it finds on the host. */
export async function doctorChecks(facts: {
  readonly settings: Settings
  readonly store: Store
  readonly graph: Graph
  readonly keys: Keys
  /** Who took this node out of the grid. */
  readonly outcast: { readonly by: string; readonly atMs: number } | null
  readonly advertised: Address
  readonly network: NetworkCounters
}): Promise<Check[]> {
  const { settings, store, graph, network, keys, outcast } = facts
  const [size, chain] = await Promise.all([store.size(), store.verify()])
  const self = graph.nodes.find((node) => node.self)
  const others = graph.nodes.filter((node) => !node.self && node.state !== 'left')
  const reached = others.filter((node) => node.state === 'up')
  const { droppedSamples, failedWrites } = store.counters()
  const advertised = formatAddress(facts.advertised)
  const isLoopback = facts.advertised.host.startsWith('127.') || facts.advertised.host === '::1'
  return [
    check(
      'journal',
      chain.ok,
      chain.ok ? `${chain.entries} entries, the chain holds` : `the chain breaks at entry ${chain.brokenAt}: ${chain.why}`,
      'Somebody or something changed the database. Keep a copy of it, then compare with the other nodes.',
    ),
    check(
      'storage',
      failedWrites === 0,
      `${(size.bytes / 1_048_576).toFixed(1)} of ${settings.storageMb} MB; ${droppedSamples} samples dropped, ${failedWrites} writes failed`,
      'Check the disk and the rights of the data folder.',
    ),
    check(
      'grid',
      others.length === 0 || reached.length > 0,
      others.length === 0 ? 'alone: nobody was invited yet' : `${reached.length} of ${others.length} other nodes are up`,
      'Check that UDP and TCP of the listening port are open between the hosts, both ways.',
    ),
    check(
      'key',
      outcast === null,
      outcast ? `removed from the grid on ${outcast.by}, ${new Date(outcast.atMs).toISOString().slice(0, 19)}Z` : keyText(keys),
      ERRORS.MW_REMOVED.next,
    ),
    check(
      'address',
      self?.callsOut === true || !isLoopback || others.every((node) => node.address?.startsWith('127.') ?? true),
      self?.callsOut ? callsOutText(settings) : `others reach this node by ${advertised}`,
      'Set advertise to an address that the other hosts can reach.',
    ),
    check(
      'label',
      (self?.wantedId ?? null) === null,
      self?.wantedId ? `another node is called ${self.wantedId}; this one is shown as ${self.id}` : settings.id,
      'Give this node an id of its own with --id.',
    ),
    check(
      'own view',
      (self?.degraded.length ?? 0) === 0,
      self?.degraded.length ? self.degraded.join(', ') : 'to be trusted',
      'This host is too busy, or hears nobody: look at its load, its network and its firewall.',
    ),
    check(
      'sending',
      network.sendErrors < network.sent / 100 + 10,
      `${network.sent} datagrams sent, ${network.sendErrors} refused by the system`,
      'Look at the routes and the firewall of this host.',
    ),
  ]
}

function keyText({ generation, key, waiting }: Keys): string {
  return `number ${generation}, ${key}; ${waiting.length === 0 ? 'all have it' : `not yet heard with it: ${waiting.join(', ')}`}`
}

function callsOutText({ advertise, listen }: Settings): string {
  const { port } = splitHostPort(listen)
  const why = advertise === 'none' ? 'as its settings say' : 'for no datagram of another node got in since its start'
  return `this node only calls out, ${why}; it takes part, but nobody can probe it. To be probed, let UDP and TCP of port ${port} in, or set advertise to an address where they get in, and start it anew.`
}

function check(name: string, ok: boolean, found: string, next: string): Check {
  return { name, ok, found, next: ok ? null : next }
}
