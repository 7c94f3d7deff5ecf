import { type Route, type Selection, formatRoute, parseRoute } from '../model/route.ts'

class Router {
  route = $state.raw<Route>(parseRoute(location.hash))

  constructor() {
    addEventListener('hashchange', () => {
      this.route = parseRoute(location.hash)
    })
  }

  /** The address of the present route with `change` made, for links. */
  href(change: Partial<Route>): string {
    return formatRoute({ ...this.route, ...change })
  }

  go(change: Partial<Route>): void {
    const hash = this.href(change)
    this.route = parseRoute(hash)
    location.hash = hash
  }

  /** Like `go`, without a step of the Back button: for what is typed. */
  replace(change: Partial<Route>): void {
    this.route = { ...this.route, ...change }
    history.replaceState(null, '', formatRoute(this.route))
  }

  select(selection: Selection | null): void {
    this.go({ selection })
  }
}

export const router = new Router()
