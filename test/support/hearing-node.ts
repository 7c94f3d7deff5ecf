import type { Address } from '../../src/platform/index.ts'
import { virtualNode, type VirtualNode } from './virtual-grid.ts'
import { VirtualWorld, type VirtualHost } from './virtual-network.ts'

/** A running node of a virtual world, and the hand of a stranger on its wire. */
export type HearingNode = { readonly node: VirtualNode; readonly world: VirtualWorld; hear(datagram: Uint8Array, from?: string): void }

export function hearingNode(seed: number): HearingNode {
  const world = new VirtualWorld(seed)
  let listener: (bytes: Uint8Array, from: Address) => void = () => {}
  const makeHost = world.host.bind(world)
  world.host = (name): VirtualHost => {
    const host = makeHost(name)
    const onDatagram: typeof host.network.onDatagram = (to) => {
      listener = to
      host.network.onDatagram(to)
    }
    return { ...host, network: { ...host.network, onDatagram } }
  }
  const node = virtualNode(world, 5, { seeds: [] })
  node.start()
  return { node, world, hear: (datagram, from = '10.66.0.1') => listener(datagram, { host: from, port: 666 }) }
}
