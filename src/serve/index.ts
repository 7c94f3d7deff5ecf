import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { MidwatchError, type Rundown } from '../contract/index.ts'
import { createHttpServer, plainAddress, type Clock, type HttpBounds, type Randomness } from '../platform/index.ts'
import { HSTS, SECURITY_HEADERS, answerTo } from './answers.ts'
import { consoleLink, createApp } from './app.ts'
import { createAssets } from './assets.ts'
import { createCredentials } from './credentials.ts'
import { createEventHub } from './events.ts'
import { createGate, isSecure } from './gate.ts'
import type { Metric, NodePort } from './ports.ts'

export type * from './ports.ts'

export type ServeOptions = {
  node: NodePort
  clock: Clock
  random: Randomness
  /** What a request has to show. At least 16 characters. */
  token: string
  /** Folder of the built console; null for none. */
  consoleDir: string | null
  /** Answer other hosts than this one. */
  open: boolean
  /** Further names by which the node may be called. */
  hosts: readonly string[]
  /** PEM texts. */
  tls: { cert: string; key: string } | null
  /** Answer /metrics without a token. */
  metricsOpen: boolean
  /** The rundown as plain text: what GET / answers to curl. */
  statusText: (rundown: Rundown) => string
  /** Version of Midwatch. */
  program: string
  /** Told of what the API did not expect; the client is told nothing of it. */
  unexpected?: (error: unknown) => void
  bounds?: Partial<HttpBounds>
}

export type Serve = {
  /** Takes over a connected socket that speaks HTTP or TLS, its first bytes unshifted. */
  handleSocket(socket: Socket): void
  /** A link that opens the console at `baseUrl` (http://127.0.0.1:8777), good until this process ends. */
  consoleLink(baseUrl: string): string
  /** What it refused since it began, by kind: `malformed`, `connections`, or the status of the answer (`401`). */
  refusals(): Record<string, { count: number; from: string | null }>
  close(): Promise<void>
}

const CLOSE_GRACE_MS = 1_000

/** The HTTP API, events, metrics and console of a node. Errors: MW_TLS, MW_CONFIG (the token). */
export function createServe(options: ServeOptions): Serve {
  const { node, clock, tls } = options
  const unexpected = options.unexpected ?? (() => {})
  const credentials = createCredentials(options)
  const hub = createEventHub({ node, clock, unexpected })
  const app = createApp({
    node,
    credentials,
    hub,
    unexpected,
    gate: createGate({ credentials, open: options.open, tls: tls !== null, hosts: options.hosts }),
    assets: createAssets(options.consoleDir),
    metricsOpen: options.metricsOpen,
    ownMetrics,
    statusText: options.statusText,
    program: options.program,
  })
  const answered = new Map<number, number>()
  const refusedFrom = new Map<number, string>()
  const answer = getRequestListener(app.fetch, { hostname: 'localhost', overrideGlobalObjects: false, errorHandler: unusable })
  const server = createHttpServer({ listener, tls, clock, ...(options.bounds ? { bounds: options.bounds } : {}) })

  function listener(request: IncomingMessage, response: ServerResponse): void {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value)
    // Browsers keep it for every port of a host, and on localhost other ports are other people's plain servers.
    if (isSecure(request) && !/^localhost(:|$)/i.test(request.headers.host ?? '')) response.setHeader('Strict-Transport-Security', HSTS)
    const from = plainAddress(request.socket.remoteAddress ?? '')
    response.once('close', () => {
      const { statusCode } = response
      answered.set(statusCode, (answered.get(statusCode) ?? 0) + 1)
      if (statusCode >= 400) refusedFrom.set(statusCode, from)
    })
    if (request.headers.host === undefined && request.httpVersion === '1.1') {
      const { body, status } = answerTo(new MidwatchError('MW_BAD_REQUEST', 'Host: it is needed here.'))
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
    } else void answer(request, response)
  }

  /** What is no request at all (a Host or a target that is no URL) never reaches the app. */
  function unusable(error: unknown): Response {
    const known = error instanceof Error && error.name === 'RequestError'
    const { body, status, unexpected: strange } = answerTo(known ? new MidwatchError('MW_BAD_REQUEST', error.message) : error)
    if (strange) unexpected(error)
    return Response.json(body, { status })
  }

  function ownMetrics(): Metric[] {
    const gauge = (name: string, help: string, value: number): Metric => ({ name, help, type: 'gauge', values: [{ value }] })
    const counter = (name: string, help: string, value: number): Metric => ({ name, help, type: 'counter', values: [{ value }] })
    return [
      {
        name: 'midwatch_http_answers_total',
        help: 'HTTP requests answered, by status',
        type: 'counter',
        values: [...answered].map(([code, value]) => ({ labels: { code: String(code) }, value })),
      },
      gauge('midwatch_http_connections', 'HTTP connections open', server.counters.open),
      counter('midwatch_http_malformed_total', 'what came on a connection and was no HTTP', server.counters.malformed),
      counter('midwatch_http_connections_refused_total', 'connections beyond the bound', server.counters.refused),
      gauge('midwatch_http_event_clients', 'clients of server-sent events', hub.counters.clients),
      counter('midwatch_http_event_clients_behind_total', 'times that a client read too slowly and missed events', hub.counters.dropped),
    ]
  }

  return {
    handleSocket: (socket) => server.handleSocket(socket),
    refusals() {
      const byStatus = [...answered].filter(([status]) => status >= 400)
      return {
        ...Object.fromEntries(byStatus.map(([status, count]) => [status, { count, from: refusedFrom.get(status) ?? null }])),
        malformed: { count: server.counters.malformed, from: null },
        connections: { count: server.counters.refused, from: null },
      }
    },
    consoleLink: (baseUrl) => consoleLink(baseUrl, credentials),
    close: async () => {
      hub.close()
      await server.close(CLOSE_GRACE_MS)
    },
  }
}
