import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { z } from 'zod'
import { ApiError, MidwatchError, SECRET_ENV } from '../contract/index.ts'
import { findDataDir, NodeFile, nodeFilePath, tokenPath } from '../node/settings/index.ts'
import type { Call } from './command.ts'

/** A full mesh of 500 nodes is some 60 MB of links. */
const ANSWER_BYTES_MAX = 134_217_728
const TIMEOUT_MS = 10_000

export type Client = {
  readonly url: string
  /** Null when it was found by --url. */
  readonly dataDir: string | null
  /** Errors: MW_NO_NODE, MW_TOKEN, or the code that the node answered. The answer is checked, and given as it came. */
  get<T>(path: string, schema: z.ZodType<T>): Promise<T>
  post<T>(path: string, schema: z.ZodType<T>, body?: unknown): Promise<T>
}

type Place = { readonly url: string; readonly token: string | null; readonly dataDir: string | null; readonly what: string }

/** The node that --url, MIDWATCH_URL, --data or the settings point at. */
export async function findNode(call: Call): Promise<Client> {
  const place = await locate(call)
  const ask = async <T>(method: 'GET' | 'POST', path: string, schema: z.ZodType<T>, body?: unknown): Promise<T> => {
    const answer = await request(place, method, path, body)
    const parsed = schema.safeParse(answer)
    if (parsed.success) return answer as T
    const issue = parsed.error.issues[0]
    throw new MidwatchError(
      'MW_NO_NODE',
      `What answers at ${place.url}${path} is not a Midwatch node of this version: ${issue?.path.join('.')}: ${issue?.message}`,
    )
  }
  return {
    url: place.url,
    dataDir: place.dataDir,
    get: (path, schema) => ask('GET', path, schema),
    post: (path, schema, body) => ask('POST', path, schema, body),
  }
}

async function locate(call: Call): Promise<Place> {
  const { env } = call.machine
  const url = call.options['url'] ?? (call.options['data'] === undefined ? env['MIDWATCH_URL'] || undefined : undefined)
  if (url !== undefined) {
    if (typeof url !== 'string' || !/^https?:\/\//.test(url) || !URL.canParse(url))
      throw new MidwatchError('MW_USAGE', `--url: write an address such as http://127.0.0.1:8777`)
    // The token of a folder goes to that folder's node only, unless both are named.
    const dataDir = call.options['data'] === undefined ? null : await dataDirOf(call)
    return { url: url.replace(/\/+$/, ''), token: env[SECRET_ENV.token] || (dataDir && readToken(call, dataDir)), dataDir, what: '' }
  }
  const dataDir = await dataDirOf(call)
  const text = read(call, nodeFilePath(dataDir))
  if (text === null) throw new MidwatchError('MW_NO_NODE', `No node is running on ${dataDir}.${rootHint(call, dataDir)}`)
  const file = NodeFile.safeParse(parseJson(text))
  if (!file.success) throw new MidwatchError('MW_NO_NODE', `${nodeFilePath(dataDir)} is not what a node writes.`)
  const { pid, id } = file.data
  return {
    url: file.data.url.replace(/\/+$/, ''),
    token: readToken(call, dataDir),
    dataDir,
    what: ` (node ${id}, process ${pid}, of ${dataDir})`,
  }
}

/** The data folder that --data, MIDWATCH_DATA, a configuration file or the default names. */
export const dataDirOf = (call: Call): Promise<string> => findDataDir({ ...call.machine, flags: call.options })

/** The token of a data folder; null when it has none. */
export function readToken(call: Call, dataDir: string): string | null {
  return read(call, tokenPath(dataDir))?.trim() || null
}

function read(call: Call, path: string): string | null {
  try {
    return call.machine.readFile(path, 65_536)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why =
      code === 'EACCES' || code === 'EPERM' ? 'it belongs to another user; run this as that user, or as root' : String(code ?? error)
    throw new MidwatchError('MW_DATA_DIR', `${path} cannot be read: ${why}.`, { cause: error })
  }
}

function rootHint(call: Call, dataDir: string): string {
  return call.machine.isRoot || dataDir === '/var/lib/midwatch'
    ? ''
    : ' A node of root keeps its data in /var/lib/midwatch: ask that one as root.'
}

async function request(place: Place, method: 'GET' | 'POST', path: string, said?: unknown): Promise<unknown> {
  const { status, body } = await exchange(place, method, path, said).catch((error: unknown) => {
    if (error instanceof MidwatchError) throw error
    throw new MidwatchError('MW_NO_NODE', `Nothing answers at ${place.url}${place.what}: ${reasonOf(error)}.`, { cause: error })
  })
  const answer = parseJson(body)
  if (status >= 200 && status < 300) return answer
  const refusal = ApiError.safeParse(answer)
  if (refusal.success) throw new MidwatchError(refusal.data.error.code, refusal.data.error.message)
  if (status === 401) throw new MidwatchError('MW_TOKEN', `${place.url} does not take the token.`)
  throw new MidwatchError('MW_NO_NODE', `What answers at ${place.url} is not a Midwatch node: status ${status} for ${path}.`)
}

/** node:http and not fetch: it starts faster, and it can accept the own certificate of a node on this host. */
async function exchange(place: Place, method: 'GET' | 'POST', path: string, said?: unknown): Promise<{ status: number; body: string }> {
  const url = new URL(place.url + path)
  const { request: send } = url.protocol === 'https:' ? await import('node:https') : await import('node:http')
  const headers: Record<string, string> = { accept: 'application/json' }
  if (place.token) headers['authorization'] = `Bearer ${place.token}`
  const text = said === undefined ? '' : JSON.stringify(said)
  if (method === 'POST') headers['content-length'] = String(Buffer.byteLength(text))
  if (text !== '') headers['content-type'] = 'application/json'
  // Found by its data folder and on loopback: there is no name that a certificate could be for.
  const rejectUnauthorized = place.what === '' || !/^(127\.|localhost$|\[::1\]$)/.test(url.hostname)
  const outgoing = send(url, {
    method,
    headers,
    signal: AbortSignal.timeout(TIMEOUT_MS),
    ...(url.protocol === 'https:' ? { rejectUnauthorized } : {}),
  })
  const response = once(outgoing, 'response') as Promise<[IncomingMessage]>
  // Once the response has begun, its own error says the same.
  outgoing.on('error', () => {}).end(text)
  const [incoming] = await response
  return { status: incoming.statusCode ?? 0, body: await readBody(incoming) }
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of incoming as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > ANSWER_BYTES_MAX) throw new MidwatchError('MW_LIMIT', `The answer is larger than ${ANSWER_BYTES_MAX} bytes.`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function reasonOf(error: unknown): string {
  const { code, name, message } = error as NodeJS.ErrnoException
  if (name === 'AbortError' || name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1_000} s`
  if (code === 'ECONNREFUSED') return 'the port is closed'
  return message || String(code ?? error)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
