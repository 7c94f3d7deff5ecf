import { BlockList, isIP } from 'node:net'

/** 4, 6, or 0 for what is no address. For rooms that read addresses and open no connection. */
export { isIP }

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

/** An address as people write it: IPv4 that came in through an IPv6 socket (::ffff:10.0.0.5) is IPv4, and a zone (%eth0) is dropped. */
export function plainAddress(address: string): string {
  const text = address.toLowerCase().replace(/%.*$/, '')
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/.test(text) ? text.slice(7) : text
}

/** Is this the address of the host itself? An address that nobody knows is not. */
export function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false
  const plain = plainAddress(address)
  const family = isIP(plain)
  return family !== 0 && LOOPBACK.check(plain, family === 4 ? 'ipv4' : 'ipv6')
}
