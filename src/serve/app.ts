import { OpenAPIHono } from '@hono/zod-openapi'
import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { LIMITS, MidwatchError, type ApiError, type Rundown } from '../contract/index.ts'
import { answerTo } from './answers.ts'
import type { Assets } from './assets.ts'
import { BodyTooLarge, boundedBody } from './body.ts'
import type { Credentials } from './credentials.ts'
import { isSecure, type Gate } from './gate.ts'
import type { EventHub, EventStream } from './events.ts'
import { METRICS_TYPE, exposition } from './metrics.ts'
import { openapiDocument, type OpenapiDocument } from './openapi.ts'
import type { Metric, NodePort } from './ports.ts'
import { NAMED, routes } from './routes.ts'

type Env = { Bindings: HttpBindings }

export type AppOptions = {
  node: NodePort
  gate: Gate
  credentials: Credentials
  hub: EventHub
  assets: Assets
  metricsOpen: boolean
  ownMetrics: () => Metric[]
  statusText: (rundown: Rundown) => string
  program: string
  unexpected: (error: unknown) => void
}

/** Every route there is. A failure anywhere becomes an ApiError. */
export function createApp(options: AppOptions): OpenAPIHono<Env> {
  const { node, gate } = options
  const app = new OpenAPIHono<Env>({
    defaultHook: (result) => {
      if (!result.success) throw badRequest(result.error.issues)
    },
  })
  app.onError((error, c) => {
    const answer = answerTo(asOurs(error))
    if (answer.unexpected) options.unexpected(error)
    if (answer.status === 401) c.header('WWW-Authenticate', 'Bearer')
    if (error instanceof HTTPException) return c.json(answer.body, error.status)
    return c.json(answer.body, error instanceof BodyTooLarge ? 413 : answer.status)
  })
  app.notFound((c) => c.json<ApiError>({ error: nothingAt(c.req.path).toJSON() }, 404))

  // Before anything that asks who calls: an orchestrator's probe comes from anywhere and learns nothing.
  app.openapi(routes.health, (c) => c.text('ok\n', 200))
  app.openapi(routes.ready, (c) => {
    const { ready, waitingFor } = node.ready()
    return ready ? c.text('ready\n', 200) : c.text(`not ready: ${waitingFor ?? 'starting'}\n`, 503)
  })

  app.use(async (c, next) => {
    gate.checkPlace(c.env.incoming)
    await next()
  })
  app.use('/api/*', async (c, next) => {
    gate.checkAccess(c.env.incoming)
    await next()
  })
  app.post('*', boundedBody)

  addReads(app, node)
  addActs(app, options)
  addEvents(app, options.hub)
  // Made when first asked for: it takes some ms, and few ask.
  let document: OpenapiDocument | null = null
  app.openapi(routes.openapi, (c) => c.json((document ??= openapiDocument(app, NAMED, options.program)), 200))

  app.openapi(routes.metrics, (c) => {
    if (!options.metricsOpen) gate.checkAccess(c.env.incoming)
    return c.text(exposition([...node.metrics(), ...options.ownMetrics()]), 200, { 'Content-Type': METRICS_TYPE })
  })
  addConsole(app, options)
  return app
}

function addReads(app: OpenAPIHono<Env>, node: NodePort): void {
  app.openapi(routes.graph, async (c) => {
    const { at } = c.req.valid('query')
    return c.json(at === undefined ? node.graph() : await node.graphAt(Date.parse(at)), 200)
  })
  app.openapi(routes.past, async (c) => {
    const { from, to } = c.req.valid('query')
    return c.json(await node.past(from === undefined ? null : Date.parse(from), to === undefined ? null : Date.parse(to)), 200)
  })
  app.openapi(routes.status, (c) => c.json(node.rundown(), 200))
  app.openapi(routes.nodes, (c) => c.json(node.nodes(), 200))
  app.openapi(routes.targets, (c) => c.json(node.targets(), 200))
  app.openapi(routes.why, async (c) => {
    const { from, to } = c.req.valid('query')
    return c.json(await node.why(from, to), 200)
  })
  app.openapi(routes.history, async (c) => {
    const { from, to, window } = c.req.valid('query')
    return c.json(await node.history(from, to, window), 200)
  })
  app.openapi(routes.timeline, async (c) => {
    const { limit, before, until } = c.req.valid('query')
    const query = { limit, ...(before !== undefined && { before }), ...(until !== undefined && { untilMs: Date.parse(until) }) }
    return c.json(await node.timeline(query), 200)
  })
  app.openapi(routes.keys, (c) => c.json(node.keys(), 200))
  app.openapi(routes.doctor, async (c) => c.json(await node.doctor(), 200))
  app.openapi(routes.demo, (c) => c.json(demoOf(node).list(), 200))
}

function addActs(app: OpenAPIHono<Env>, options: AppOptions): void {
  const { node, credentials } = options
  app.openapi(routes.invite, async (c) => c.json(await node.invite(), 200))
  app.openapi(routes.leave, async (c) => {
    await node.leave()
    return c.json({}, 200)
  })
  app.openapi(routes.changeKeys, async (c) => c.json(await node.changeKeys(c.req.valid('json')), 200))
  app.openapi(routes.consoleLink, (c) => {
    const { incoming } = c.env
    // The gate has checked that Host is a name of this node.
    const base = `${isSecure(incoming) ? 'https' : 'http'}://${incoming.headers.host ?? ''}`
    return c.json({ url: consoleLink(base, credentials) }, 200)
  })
  app.openapi(routes.demoSwitch, async (c) => {
    const { id, on } = c.req.valid('json')
    return c.json(await demoOf(node).set(id, on), 200)
  })
}

function addEvents(app: OpenAPIHono<Env>, hub: EventHub): void {
  app.openapi(routes.events, (c) => {
    const head = { 'Content-Type': 'text/event-stream; charset=utf-8', 'X-Accel-Buffering': 'no' }
    if (c.req.method === 'HEAD') return c.body(null, 200, head)
    if (hub.counters.clients >= LIMITS.eventClients) throw new MidwatchError('MW_LIMIT', `${LIMITS.eventClients} clients listen already`)
    const { outgoing } = c.env
    // Written straight to the connection: only it knows how much a slow reader has left waiting.
    outgoing.writeHead(200, head)
    if (!hub.attach(streamOf(outgoing))) outgoing.end()
    return RESPONSE_ALREADY_SENT
  })
}

function streamOf(outgoing: HttpBindings['outgoing']): EventStream {
  return {
    write: (bytes) => void outgoing.write(bytes),
    bufferedBytes: () => outgoing.writableLength,
    onDrain: (listener) => void outgoing.on('drain', listener),
    onClose: (listener) => void outgoing.once('close', listener),
    destroy: () => void outgoing.destroy(),
  }
}

function addConsole(app: OpenAPIHono<Env>, options: AppOptions): void {
  const { node, gate, credentials, assets } = options
  app.get('/open/:code', (c) => {
    if (!credentials.isLinkCode(c.req.param('code'))) {
      return c.text('This link is no longer good: the node has restarted since. `midwatch open` prints a new one.\n', 403)
    }
    const { incoming } = c.env
    const secure = isSecure(incoming) ? '; Secure' : ''
    const cookie = `${credentials.cookieName}=${credentials.makeCookie()}; Path=/; Max-Age=${credentials.cookieSeconds}; HttpOnly; SameSite=Strict${secure}`
    c.header('Set-Cookie', cookie)
    // Relative, since a proxy may have put the node below a path. Followed from a page of another site (a chat, a ticket), a redirect would not carry a strict cookie. A page of our own does.
    const site = incoming.headers['sec-fetch-site']
    if (site === undefined || site === 'none' || site === 'same-origin') return c.redirect('../', 303)
    return c.html(
      '<!doctype html><meta http-equiv="refresh" content="0;url=../"><title>Midwatch</title><a href="../">Open the console</a>\n',
    )
  })

  app.get('/', async (c) => {
    if (c.req.header('accept')?.includes('text/html') === true) {
      const page = await asset(c, assets, 'index.html')
      return page ?? c.text('This node carries no console. `npm run build` makes it; the API is under /api.\n', 404)
    }
    if (gate.access(c.env.incoming) === null) {
      c.header('WWW-Authenticate', 'Bearer')
      return c.text('Midwatch. For the rundown: curl -H "Authorization: Bearer $(midwatch token)" this address\n', 401)
    }
    gate.checkAccess(c.env.incoming)
    // Names and details come from other hosts; none of them moves a terminal's cursor.
    return c.text(options.statusText(node.rundown()).replace(/[^\P{Cc}\n]/gu, ''))
  })

  app.get('*', async (c) => (await asset(c, assets, c.req.path.slice(1))) ?? c.notFound())
}

async function asset(c: Context<Env>, assets: Assets, path: string): Promise<Response | null> {
  const found = await assets.find(path)
  if (found === null) return null
  const head: Record<string, string> = {
    'Content-Type': found.type,
    'Cache-Control': found.immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
    ETag: found.etag,
  }
  if (found.gzipped !== null) head['Vary'] = 'Accept-Encoding'
  if (c.req.header('if-none-match') === found.etag) return c.body(null, 304, head)
  const zipped = found.gzipped !== null && /\bgzip\b/.test(c.req.header('accept-encoding') ?? '')
  if (zipped) head['Content-Encoding'] = 'gzip'
  return c.body((zipped ? found.gzipped : found.bytes) as Uint8Array<ArrayBuffer>, 200, head)
}

export function consoleLink(baseUrl: string, credentials: Credentials): string {
  return `${baseUrl.replace(/\/+$/, '')}/open/${credentials.linkCode()}`
}

function demoOf(node: NodePort): NonNullable<NodePort['demo']> {
  if (node.demo === null) throw new MidwatchError('MW_NOT_FOUND', 'Only `midwatch demo` has faults to switch.')
  return node.demo
}

function nothingAt(path: string): MidwatchError {
  return new MidwatchError('MW_NOT_FOUND', `There is nothing at ${path.slice(0, 200)}.`)
}

function badRequest(issues: readonly { path: readonly PropertyKey[]; message: string }[]): MidwatchError {
  const issue = issues[0]
  const field = issue?.path.map(String).join('.') ?? ''
  return new MidwatchError('MW_BAD_REQUEST', `${field === '' ? 'body' : field}: ${issue?.message ?? 'not valid'}`)
}

/** Hono's own refusals (a body that is not JSON, or has another type) in our words. */
function asOurs(error: unknown): unknown {
  if (!(error instanceof HTTPException) || error.status >= 500) return error
  return new MidwatchError('MW_BAD_REQUEST', error.status === 415 ? 'body: send it as application/json' : 'body: not valid JSON')
}
