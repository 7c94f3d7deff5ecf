/** What the address says: a view, and what is selected in it. Everything that a person may want to send to another stands in it. */
export const VIEWS = ['map', 'matrix', 'table', 'changes'] as const
export type View = (typeof VIEWS)[number]
export const VIEW_TITLES: Readonly<Record<View, string>> = { map: 'Map', matrix: 'Matrix', table: 'Table', changes: 'Changes' }

export type Selection =
  | { readonly type: 'link'; readonly from: string; readonly to: string }
  | { readonly type: 'node'; readonly id: string }
  | { readonly type: 'target'; readonly id: string }

export type Route = {
  readonly view: View
  readonly selection: Selection | null
  /** Words that table and changes are narrowed to. */
  readonly filter: string
  /** The two sites that the matrix shows, observers' site first; null shows all. */
  readonly sites: readonly [string, string] | null
  /** The moment of the past that is shown, as an ISO time; null is now. */
  readonly at: string | null
}

export const HOME: Route = { view: 'map', selection: null, filter: '', sites: null, at: null }

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#?\/?/, '').split('?', 2)
  const words = new URLSearchParams(query)
  const [from, to, node, target] = [words.get('from'), words.get('to'), words.get('node'), words.get('target')]
  const [rows, columns] = [words.get('rows'), words.get('columns')]
  return {
    view: VIEWS.find((view) => view === path) ?? 'map',
    selection: from && to ? { type: 'link', from, to } : node ? { type: 'node', id: node } : target ? { type: 'target', id: target } : null,
    filter: words.get('filter') ?? '',
    sites: rows && columns ? [rows, columns] : null,
    at: moment(words.get('at')),
  }
}

function moment(text: string | null): string | null {
  const atMs = Date.parse(text ?? '')
  return Number.isNaN(atMs) ? null : new Date(atMs).toISOString()
}

export function formatRoute(route: Route): string {
  const words = new URLSearchParams()
  const { selection } = route
  if (selection?.type === 'link') {
    words.set('from', selection.from)
    words.set('to', selection.to)
  } else if (selection) words.set(selection.type, selection.id)
  if (route.filter) words.set('filter', route.filter)
  if (route.sites) {
    words.set('rows', route.sites[0])
    words.set('columns', route.sites[1])
  }
  if (route.at) words.set('at', route.at)
  const query = words.toString()
  return `#/${route.view}${query ? `?${query}` : ''}`
}
