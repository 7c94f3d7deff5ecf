import type {
  ApiError,
  Demo,
  DemoSwitch,
  Graph,
  History,
  HistoryWindow,
  Invitation,
  Rundown,
  Timeline,
  Why,
} from '../../../src/contract/index.ts'

/** The cookie is missing or no longer good. */
export class Unauthorised extends Error {}

async function request<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await fetch(path, init)
  if (response.status === 401) throw new Unauthorised('not signed in')
  if (!response.ok) {
    const body = (await response.json().catch(() => null)) as ApiError | null
    throw new Error(body?.error ? `${body.error.message} ${body.error.next}` : `The node answered with status ${response.status}.`)
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
  graph: () => request<Graph>('api/graph'),
  rundown: () => request<Rundown>('api/status'),
  why: (from: string, to: string) => request<Why>(`api/why?${pair(from, to)}`),
  history: (from: string, to: string, window: HistoryWindow) => request<History>(`api/history?${pair(from, to)}&window=${window}`),
  timeline: (query: { limit: number; before?: number }) =>
    request<Timeline>(`api/timeline?limit=${query.limit}${query.before === undefined ? '' : `&before=${query.before}`}`),
  invite: () => post<Invitation>('api/invite', {}),
  demo: () => request<Demo>('api/demo'),
  switchFault: (fault: DemoSwitch) => post<Demo>('api/demo', fault),
}
