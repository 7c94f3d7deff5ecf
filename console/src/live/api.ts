import type {
  ApiError,
  Demo,
  DemoSwitch,
  Graph,
  History,
  HistoryWindow,
  Invitation,
  Keys,
  KeysChange,
  Past,
  Rundown,
  Timeline,
  Why,
} from '../../../src/contract/index.ts'

/** The cookie is missing or no longer good. */
export class Unauthorised extends Error {}

/** The node said no. The message tells what happened and what to do next. */
export class Refused extends Error {
  readonly code: ApiError['error']['code']
  constructor({ code, message, next }: ApiError['error']) {
    super(`${message} ${next}`)
    this.code = code
  }
}

export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

async function request<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await fetch(path, init)
  if (response.status === 401) throw new Unauthorised('not signed in')
  if (!response.ok) {
    const body = (await response.json().catch(() => null)) as ApiError | null
    if (body?.error) throw new Refused(body.error)
    throw new Error(`The node answered with status ${response.status}.`)
  }
  return (await response.json()) as T
}

function post<T>(path: string, body: unknown): Promise<T> {
  return request(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
}

function pair(from: string, to: string): string {
  return new URLSearchParams({ from, to }).toString()
}

// Paths are relative, like the page's own files, so that a proxy may mount the console anywhere.
export const api = {
  events: 'api/events',
  graphAt: (at: string, signal: AbortSignal) => request<Graph>(`api/graph?at=${at}`, { signal }),
  past: (fromMs: number, toMs: number) =>
    request<Past>(`api/past?from=${new Date(fromMs).toISOString()}&to=${new Date(toMs).toISOString()}`),
  rundown: () => request<Rundown>('api/status'),
  why: (from: string, to: string) => request<Why>(`api/why?${pair(from, to)}`),
  history: (from: string, to: string, window: HistoryWindow) => request<History>(`api/history?${pair(from, to)}&window=${window}`),
  /** `before` is a seq, `until` a time. */
  timeline: (query: { limit: number; before?: number; until?: string }, signal: AbortSignal | null = null) =>
    request<Timeline>(`api/timeline?${new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]))}`, {
      signal,
    }),
  keys: () => request<Keys>('api/keys'),
  changeKey: (change: Partial<KeysChange>) => post<Keys>('api/keys', change),
  invite: () => post<Invitation>('api/invite', {}),
  demo: () => request<Demo>('api/demo'),
  switchFault: (fault: DemoSwitch) => post<Demo>('api/demo', fault),
}
