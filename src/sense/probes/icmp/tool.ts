import type { Outbound } from '../../../platform/index.ts'
import { codeOf } from '../../failure.ts'

/** What became of one echo request. */
export type Echo =
  | { readonly kind: 'reply'; readonly rttMs: number }
  | { readonly kind: 'silence' }
  | { readonly kind: 'unreachable'; readonly detail: string }
  | { readonly kind: 'cannot'; readonly detail: string }

/** A program that sends echo requests, and how to speak with it. */
export type Tool =
  | {
      readonly kind: 'found'
      readonly file: string
      /** Addresses that one process takes. fping sends a millisecond apart, so the last of 64 is not late. */
      readonly batch: number
      args(addresses: readonly string[], timeoutMs: number): string[]
      /** A line of its output; null unless it tells of an address. `address` null: the only one asked for. */
      read(line: string): { address: string | null; echo: Echo } | null
    }
  | { readonly kind: 'none'; readonly detail: string }

type Found = Tool & { kind: 'found' }

const FPING: Found = {
  kind: 'found',
  file: 'fping',
  batch: 64,
  // One request each, a millisecond apart. When it counts, older versions wait no longer than `-p`, whatever `-t` says.
  args: (addresses, timeoutMs) => ['-C', '1', '-i', '1', '-p', String(timeoutMs), '-t', String(timeoutMs), ...addresses],
  read(line) {
    // "10.0.0.1 : [0], 64 bytes, 0.262 ms (0.262 avg, 0% loss)"
    const reply = /^(\S+)\s*: \[0\], \d+ bytes, ([\d.]+) ms/.exec(line)
    if (reply) return { address: reply[1] as string, echo: { kind: 'reply', rttMs: Number(reply[2]) } }
    // "ICMP Host Unreachable from 10.0.0.1 for ICMP Echo sent to 10.9.9.9"
    const told = /^ICMP ([A-Za-z ]{4,40}) from \S+ for ICMP Echo sent to (\S+)/.exec(line)
    return told ? { address: told[2] as string, echo: { kind: 'unreachable', detail: (told[1] as string).toLowerCase() } } : null
  },
}

const PING: Found = {
  kind: 'found',
  file: 'ping',
  batch: 1,
  args: (addresses, timeoutMs) => ['-n', '-c', '1', '-W', String(Math.ceil(timeoutMs / 1_000)), ...addresses],
  read(line) {
    const reply = / time[=<]([\d.]+) ms/.exec(line)
    if (reply) return { address: null, echo: { kind: 'reply', rttMs: Number(reply[1]) } }
    // "From 10.0.0.1 icmp_seq=1 Destination Host Unreachable", or by this host "ping: connect: Network is unreachable"
    const told = /Destination (\w{3,12} (?:Unreachable|Prohibited))|(No route to host|\w+ is unreachable)/i.exec(line)
    const words = told?.[1] ?? told?.[2]
    if (words === undefined) return null
    const detail = words.toLowerCase().replace('no route to host', 'host unreachable').replace(' is ', ' ')
    return { address: null, echo: { kind: 'unreachable', detail } }
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
