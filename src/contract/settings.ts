import { z } from 'zod'
import { Label } from './ids.ts'
import { LIMITS } from './limits.ts'

const DURATION_HINT = 'write a duration such as 500ms, 10s, 5m, 1h or 30d'
/** "500ms", "10s", "5m", "1h", "30d", or, in code, a number of ms. Files, flags and environment take only the text: see node/settings.ts. */
export const Duration = z.union([z.number().int().nonnegative(), z.string()], DURATION_HINT).transform((value, context): number => {
  if (typeof value === 'number') return value
  const match = /^(\d{1,9})\s*(ms|s|m|h|d)$/.exec(value.trim())
  if (!match) {
    context.addIssue({ code: 'custom', message: DURATION_HINT })
    return z.NEVER
  }
  const unit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] as 'ms' | 's' | 'm' | 'h' | 'd']
  return Number(match[1]) * unit
})

/** A Duration within bounds, both given as people write them. */
function durationBetween(least: string, most: string) {
  const [leastMs, mostMs] = [Duration.parse(least), Duration.parse(most)]
  return Duration.refine((ms) => ms >= leastMs && ms <= mostMs, `write a duration from ${least} to ${most}`)
}

/** Name of a file or folder. Relative ones count from the file that names them, or from the working directory. */
const FilePath = z.string().min(1).max(4_096).meta({ takes: 'path' })

const HOST_PORT = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]{1,253}):(\d{1,5})$/
/** host:port, [v6]:port. */
export const HostPort = z
  .string()
  .max(300)
  .refine(
    (text) => {
      const match = HOST_PORT.exec(text)
      return match !== null && Number(match[2]) >= 0 && Number(match[2]) <= 65_535
    },
    { error: 'write host:port, such as 10.0.0.5:8777 or [2001:db8::5]:8777', abort: true },
  )
  .meta({ takes: 'host:port' })

/** Splits a checked HostPort; brackets of IPv6 are taken off. */
export function splitHostPort(text: string): { host: string; port: number } {
  const at = text.lastIndexOf(':')
  return { host: text.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(text.slice(at + 1)) }
}

const probeCommon = {
  name: Label.describe('what people call it; the same name on two nodes is the same target'),
  site: Label.optional().describe('where it is, if it is anywhere'),
  everyMs: durationBetween('100ms', '1d').default(10_000).describe('time between probes'),
  timeoutMs: durationBetween('10ms', '60s').default(5_000).describe('no answer by then counts as a failure'),
}
const port = z.number().int().min(1).max(65_535).describe('1 to 65535')
const host = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[A-Za-z0-9._:[\]-]+$/, 'write a host name or an address')
  .describe('a host name or an address')

export const TcpTarget = z.strictObject({ kind: z.literal('tcp'), ...probeCommon, host, port })
export const HttpTarget = z.strictObject({
  kind: z.literal('http'),
  ...probeCommon,
  url: z
    .url({ protocol: /^https?$/, error: 'write an address that begins with http:// or https://' })
    .max(LIMITS.addressChars)
    .meta({ takes: 'URL' })
    .describe('http:// or https://'),
  method: z.enum(['GET', 'HEAD', 'POST']).default('GET').describe('how it is asked'),
  headers: z.record(z.string().max(100), z.string().max(1_000)).default({}).describe('sent with the request'),
  status: z
    .union(
      [z.number().int().min(100).max(599), z.string().regex(/^[1-5]\d\d-[1-5]\d\d$/, { abort: true })],
      'write a status such as 200, or a range such as 200-399',
    )
    .meta({ takes: 'status or range' })
    .default('200-399')
    .describe('a status, or a range such as 200-399'),
  bodyContains: z.string().max(1_000).optional().describe('text that the body must have in it'),
  headerEquals: z.record(z.string(), z.string()).optional().describe('headers that the answer must have'),
  redirects: z.number().int().min(0).max(LIMITS.httpTargetRedirects).default(3).describe('followed at most; 0 checks the redirect itself'),
  redirectTo: z.string().max(LIMITS.addressChars).optional().describe('the Location that the answer must name'),
  certificateDays: z.number().min(0).default(14).describe('https: fewer days left than this is a failure'),
  insecure: z.boolean().default(false).describe('https: do not check the certificate'),
})
export const TlsTarget = z.strictObject({
  kind: z.literal('tls'),
  ...probeCommon,
  host,
  port: port.default(443).describe('1 to 65535'),
  serverName: z.string().max(253).optional().describe('name to ask for and to check; the host unless given'),
  caFile: FilePath.optional().describe('PEM file of the authority to trust'),
  certificateDays: z.number().min(0).default(14).describe('fewer days left than this is a failure'),
})
export const DnsTarget = z.strictObject({
  kind: z.literal('dns'),
  ...probeCommon,
  query: z.string().min(1).max(253).describe('name to look up'),
  type: z.enum(['A', 'AAAA', 'CNAME', 'MX', 'NS', 'TXT', 'SRV']).default('A').describe('kind of record'),
  server: HostPort.optional().describe("resolver as host:port; the system's unless given"),
  expect: z.array(z.string()).optional().describe('values that the answer must contain'),
})
export const IcmpTarget = z.strictObject({ kind: z.literal('icmp'), ...probeCommon, host })
export const TargetSettings = z.discriminatedUnion(
  'kind',
  [TcpTarget, HttpTarget, TlsTarget, DnsTarget, IcmpTarget],
  'write one of: tcp, http, tls, dns, icmp',
)
export type TargetSettings = z.infer<typeof TargetSettings>

/**
 * Every setting of a node. Flags go over MIDWATCH_* environment, over midwatch.yaml, over these defaults. The description of
 * each is its line in docs/configuration.md; a test keeps them equal.
 */
export const Settings = z.strictObject({
  id: Label.describe("this node's label; the host name unless given"),
  site: Label.default('home').describe('where this node is: a datacenter, region or room'),
  listen: HostPort.default('0.0.0.0:8777').describe('address of the grid (UDP and TCP), the console and the API'),
  advertise: z
    .union([z.literal('auto'), z.literal('none'), HostPort], 'write auto, none, or host:port, such as 10.0.0.5:8777')
    .meta({ takes: '`auto`, `none` or host:port' })
    .default('auto')
    .describe('address that other nodes use; auto learns it from the peer that it joins; none for a node that can only call out'),
  join: z.array(HostPort).max(32).default([]).describe('nodes to join at the start, as host:port; needs the grid key'),
  gridKeyFile: FilePath.optional().describe('file with the grid key, 64 hex digits; made in the data folder unless given'),
  data: FilePath.describe('data folder; ~/.local/share/midwatch, for root /var/lib/midwatch, unless given'),
  ephemeral: z.boolean().default(false).describe('run without a disk: a new identity at each start, no history kept'),
  open: z.boolean().default(false).describe('answer console and API beyond loopback; needs tlsCert and tlsKey, or insecureHttp'),
  insecureHttp: z.boolean().default(false).describe('allow open without TLS; only behind a proxy that adds it'),
  tlsCert: FilePath.optional().describe('PEM file with the certificate for console and API'),
  tlsKey: FilePath.optional().describe('PEM file with its key'),
  hosts: z
    .array(z.string().max(253).meta({ takes: 'host names' }))
    .max(64)
    .default([])
    .describe('further host names by which the console may be opened'),
  metrics: z.boolean().default(false).describe('answer /metrics without a token'),
  probeEveryMs: durationBetween('100ms', '1h').default(1_000).describe('time between probes of each other node'),
  storageMb: z.number().int().min(16).default(512).describe('disk budget of journal and samples together'),
  keepSecondsMs: durationBetween('1m', '3650d').default(3_600_000).describe('how long samples are kept second by second'),
  keepTensMs: durationBetween('1m', '3650d').default(86_400_000).describe('how long samples are kept in steps of 10 s'),
  keepMinutesMs: durationBetween('1m', '3650d').default(2_592_000_000).describe('how long samples are kept in steps of a minute'),
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('what the node writes to its own log (standard error)'),
  targets: z.array(TargetSettings).max(LIMITS.targets).default([]).describe('services to probe from this node'),
})
export type Settings = z.infer<typeof Settings>
export type SettingsInput = z.input<typeof Settings>

/** Settings that only come from a file of their own or from the environment, never from a flag: process lists show flags. */
export const SECRET_ENV = {
  gridKey: 'MIDWATCH_GRID_KEY',
  token: 'MIDWATCH_TOKEN',
} as const
