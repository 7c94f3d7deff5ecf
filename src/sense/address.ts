import { LIMITS, type TargetSettings } from '../contract/index.ts'
import { formatAddress } from '../platform/index.ts'

/** Where a target is, for people and for other nodes: without user, password, query or fragment. */
export function targetAddress(target: TargetSettings): string {
  return addressOf(target).replace(/\p{C}/gu, '').slice(0, LIMITS.addressChars)
}

function addressOf(target: TargetSettings): string {
  switch (target.kind) {
    case 'http': {
      const url = new URL(target.url)
      return url.origin + url.pathname
    }
    case 'tcp':
    case 'tls':
      return formatAddress({ host: plainTargetHost(target.host), port: target.port })
    case 'dns':
      return `${target.query} ${target.type}${target.server === undefined ? '' : ` @${target.server}`}`
    case 'icmp':
      return plainTargetHost(target.host)
  }
}

/** Settings may write an IPv6 address in brackets; sockets take it without. */
export function plainTargetHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1')
}
