import { type Route, type Selection, formatRoute, parseRoute } from '../model/route.ts'

/** Browsers refuse to change the address hundreds of times in half a minute, which a dragged slider would do. */
const WRITE_MS = 250

class Router {
  route = $state.raw<Route>(parseRoute(location.hash))
  #writing: ReturnType<typeof setTimeout> | null = null
  /** What `go` wrote: its event comes late, and must not undo what was done meanwhile. */
  #own: string | null = null

  constructor() {
    addEventListener('hashchange', () => {
      const own = this.#own
      this.#own = null
      if (location.hash === own) return
      this.#stopWriting()
      this.route = parseRoute(location.hash)
    })
  }

  /** The address of the present route with `change` made, for links. */
  href(change: Partial<Route>): string {
    return formatRoute({ ...this.route, ...change })
  }

  go(change: Partial<Route>): void {
    if (this.#stopWriting()) history.replaceState(null, '', this.href({}))
    const hash = this.href(change)
    this.route = parseRoute(hash)
    if (location.hash === hash) return
    this.#own = hash
    location.hash = hash
  }

  /** Like `go`, without a step of the Back button: for what is typed or dragged. */
  replace(change: Partial<Route>): void {
    this.route = { ...this.route, ...change }
    this.#writing ??= setTimeout(() => {
      this.#writing = null
      history.replaceState(null, '', this.href({}))
    }, WRITE_MS)
  }

  #stopWriting(): boolean {
    if (this.#writing === null) return false
    clearTimeout(this.#writing)
    this.#writing = null
    return true
  }

  select(selection: Selection | null): void {
    this.go({ selection })
  }
}

export const router = new Router()
