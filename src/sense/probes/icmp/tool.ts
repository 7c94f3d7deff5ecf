import type { Outbound } from '../../../platform/index.ts'
import { codeOf } from '../../failure.ts'

/** A program that sends echo requests, and how to speak with it. */
export type Tool =
  | {
      readonly kind: 'found'
      readonly file: string
      /** Addresses that one process takes. fping sends a millisecond apart, so the last of 64 is not late. */
      readonly batch: number
      args(addresses: readonly string[], timeoutMs: number): string[]
      /** In all its output: why an address cannot be reached, by itself or as routers on the way say; null when nothing says so. */
      unreachable(output: string, address: string): string | null
      /** A line of its stdout; null unless it tells of a reply. `address` null: the only one asked for. */
      reply(line: string): { address: string | null; rttMs: number } | null
    }
  | { readonly kind: 'none'; readonly detail: string }

type Found = Tool & { kind: 'found' }

const FPING: Found = {
  kind: 'found',
  file: 'fping',
  batch: 64,
  // One request each, a millisecond apart. When it counts, older versions wait no longer than `-p`, whatever `-t` says.
  args: (addresses, timeoutMs) => ['-C', '1', '-i', '1', '-p', String(timeoutMs), '-t', String(timeoutMs), ...addresses],
  unreachable(output, address) {
    // "ICMP Host Unreachable from 10.0.0.1 for ICMP Echo sent to 10.9.9.9"
    for (const [, reason, to] of output.matchAll(/ICMP ([A-Za-z ]{4,40}) from \S+ for ICMP Echo sent to (\S+)/g)) {
      if (to === address) return (reason as string).toLowerCase()
    }
    return null
  },
  reply(line) {
    const match = /^(\S+)\s*: \[0\], \d+ bytes, ([\d.]+) ms/.exec(line)
    return match ? { address: match[1] as string, rttMs: Number(match[2]) } : null
  },
}

const PING: Found = {
  kind: 'found',
  file: 'ping',
  batch: 1,
  args: (addresses, timeoutMs) => ['-n', '-c', '1', '-W', String(Math.ceil(timeoutMs / 1_000)), ...addresses],
  unreachable(output) {
    const reason = /Destination (\w{3,12} (?:Unreachable|Prohibited))|(No route to host|\w+ is unreachable)/i.exec(output)
    return reason ? (reason[1] ?? reason[2] ?? '').toLowerCase().replace('no route to host', 'host unreachable').replace(' is ', ' ') : null
  },
  reply(line) {
    const match = / time[=<]([\d.]+) ms/.exec(line)
    return match ? { address: null, rttMs: Number(match[1]) } : null
  },
}

/** Tries each on loopback, because a program that is there may still lack the right to send. */
export async function findTool(outbound: Outbound, signal: AbortSignal): Promise<Tool> {
  let forbidden: string | null = null
  for (const tool of [FPING, PING]) {
    try {
      const result = await outbound.run({
        file: tool.file,
        args: tool.args(['127.0.0.1'], 500),
        timeoutMs: 3_000,
        maxOutputBytes: 4_096,
        signal,
      })
      // 0: a reply, 1: none. Above, it could not even ask.
      if (result.code !== null && result.code <= 1) return tool
      forbidden ??= tool.file
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') forbidden ??= tool.file
    }
  }
  if (forbidden !== null) return { kind: 'none', detail: `${forbidden} may not send here: it needs the capability CAP_NET_RAW` }
  return { kind: 'none', detail: 'needs fping or ping: apt-get install fping' }
}
