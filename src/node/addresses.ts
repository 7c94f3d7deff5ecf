import { splitHostPort, type Settings } from '../contract/index.ts'
import { formatAddress, isIpLiteral, ownAddress, resolveHost, type Address } from '../platform/index.ts'

const WILDCARDS = new Set(['0.0.0.0', '::'])

/** The address that this node tells others, and how it changes when a peer says how it sees this node. */
export type Advertised = {
  /** By which it is reached, if at all. */
  current(): Address
  /** What its row says; null for a node that can only call out. */
  told(): string | null
  seenAs(host: string): boolean
  /** Nobody can call this node: from now on it tells no address. */
  callsOut(): void
}

/**
 * Follows the setting `advertise`: a given address stays; `auto` takes the listening one, or learns from a peer where that is a wildcard, until
 * it shows that nobody gets in; `none` knows that from the start.
 */
export async function advertise(settings: Pick<Settings, 'advertise' | 'listen'>, port: number): Promise<Advertised> {
  const { advertise: wanted } = settings
  if (wanted !== 'auto' && wanted !== 'none') {
    const given = splitHostPort(wanted)
    const address = { host: await resolveHost(given.host), port: given.port || port }
    return { current: () => address, told: () => formatAddress(address), seenAs: () => false, callsOut: () => {} }
  }
  const { host } = splitHostPort(settings.listen)
  const learns = WILDCARDS.has(host)
  let address: Address = { host: learns ? ownAddress(host === '::') : await resolveHost(host), port }
  let isCallable = wanted === 'auto'
  return {
    current: () => address,
    told: () => (isCallable ? formatAddress(address) : null),
    callsOut: () => void (isCallable = false),
    seenAs(seen) {
      // A peer on the same host sees loopback, which would lead all others astray.
      if (!learns || !isIpLiteral(seen) || isLoopback(seen) || seen === address.host) return false
      address = { host: seen, port }
      return true
    },
  }
}

/** Resolves what can be resolved; a name that cannot is tried again next time. */
export async function resolveAll(hostPorts: readonly string[]): Promise<Address[]> {
  const settled = await Promise.allSettled(
    hostPorts.map(async (text) => {
      const { host, port } = splitHostPort(text)
      return { host: await resolveHost(host), port }
    }),
  )
  return settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
}

/** Where this host's own programs reach the API. */
export function localUrl(listen: string, port: number): string {
  const { host } = splitHostPort(listen)
  const reached = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${formatAddress({ host: reached, port })}`
}

function isLoopback(host: string): boolean {
  return host === '::1' || host.startsWith('127.')
}
