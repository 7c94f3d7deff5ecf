import cytoscape from 'cytoscape'
import type { Colours } from '../live/colours.ts'
import { type Point, RING_NODES, arrange, place } from '../model/layout.ts'
import { type MapEdge, type MapModel, groupKey, nodeKey, spotsOf, targetKey } from '../model/map.ts'
import type { Selection } from '../model/route.ts'
import { stylesheet } from './stylesheet.ts'

export type Positions = ReadonlyMap<string, Point>
export type Picked = { readonly selection: Selection } | { readonly sites: readonly [string, string] }
type Handlers = { readonly onpick: (picked: Picked) => void; readonly onplaced: (positions: Positions) => void }

const PADDING_PX = 28
/** Smaller than this, names of nodes cannot be read and lines are hairs: then all is drawn larger, and names only of sites. */
const FAR_ZOOM = 0.42
const MAX_FIT_ZOOM = 1.2
/** What stands around the outermost nodes: their site, its name, the padding. */
const AROUND_PX = 230

/**
 * The only code that knows cytoscape. It keeps the drawing equal to a model by touching nothing but what differs, and never moves
 * what stands.
 */
export class MapCanvas {
  readonly #cy: cytoscape.Core
  readonly #handlers: Handlers
  readonly #drawn = new Map<string, string>()
  #positions: Positions
  #selected = ''
  /** Once a person has moved or zoomed the map, it is theirs. */
  #touched = false
  #moving = false
  readonly #resize: ResizeObserver

  constructor(container: HTMLElement, colours: Colours, positions: Positions, handlers: Handlers) {
    this.#positions = positions
    this.#handlers = handlers
    this.#cy = cytoscape({
      container,
      style: stylesheet(colours),
      minZoom: 0.05,
      maxZoom: 4,
      boxSelectionEnabled: false,
      selectionType: 'single',
      autounselectify: true,
    })
    this.#cy.on('tap', 'node[kind], edge', (event) => this.#pick(event.target as cytoscape.SingularElementArgument))
    this.#cy.on('mouseover', 'node[kind], edge', () => (container.style.cursor = 'pointer'))
    this.#cy.on('mouseout', 'node[kind], edge', () => (container.style.cursor = ''))
    this.#cy.on('dragfree', 'node[kind]', () => this.#keepPositions())
    this.#cy.on('viewport', () => {
      if (!this.#moving) this.#touched = true
    })
    this.#resize = new ResizeObserver(() => {
      this.#cy.resize()
      if (!this.#touched) this.fit()
    })
    this.#resize.observe(container)
  }

  /** Of the past nothing is kept: where things stand now is left as it was. */
  show(model: MapModel, past: boolean): void {
    const cy = this.#cy
    const first = this.#drawn.size === 0
    const positions = place(spotsOf(model), this.#positions, this.#aspect())
    const wanted = new Set<string>()
    const zoom = this.#zoomFor(positions.values())
    const far = zoom < FAR_ZOOM
    const sizes = new Map([...Map.groupBy(model.nodes, ({ group }) => group)].map(([group, members]) => [group, members.length]))
    cy.batch(() => {
      for (const group of model.groups)
        this.#draw(wanted, { group: 'nodes', data: { id: groupKey(group), label: group, far, size: textSize(15, zoom, 60) } })
      for (const node of model.nodes) {
        const { group, ...data } = node
        const dense = (sizes.get(group) ?? 0) > RING_NODES
        const size = node.state !== 'up' ? textSize(14, zoom, 46) : dense ? 14 : textSize(14, zoom, 22)
        const label = node.self && !dense ? `${node.label}\nthis node` : node.label
        const position = positions.get(node.id) ?? { x: 0, y: 0 }
        this.#draw(wanted, { group: 'nodes', data: { ...data, far, size, label, parent: groupKey(group) }, position: { ...position } })
      }
      const bundleSize = textSize(15, zoom, 60)
      for (const edge of model.edges)
        this.#draw(wanted, { group: 'edges', data: { ...edge, far, size: edge.kind === 'bundle' ? bundleSize : 0 } })
      // Edges go before the nodes that they hang on.
      for (const id of [...this.#drawn.keys()].reverse()) {
        if (wanted.has(id)) continue
        cy.getElementById(id).remove()
        this.#drawn.delete(id)
      }
    })
    const grown = positions.size !== this.#positions.size
    this.#positions = past ? new Map([...positions, ...this.#positions]) : positions
    if (grown && !past) this.#handlers.onplaced(positions)
    if (first || (grown && !this.#touched && !this.#allVisible())) this.fit()
    this.#mark()
  }

  #draw(wanted: Set<string>, element: cytoscape.ElementDefinition): void {
    const id = element.data.id as string
    wanted.add(id)
    const print = JSON.stringify(element.data)
    const before = this.#drawn.get(id)
    if (before === print) return
    this.#drawn.set(id, print)
    const drawn = before === undefined ? this.#cy.collection() : this.#cy.getElementById(id)
    if (drawn.empty()) {
      this.#cy.add(element)
      return
    }
    if (element.group === 'nodes' && drawn.data('parent') !== element.data.parent) drawn.move({ parent: element.data.parent ?? null })
    drawn.data(element.data)
  }

  select(selection: Selection | null): void {
    this.#selected =
      selection === null
        ? ''
        : selection.type === 'link'
          ? `${selection.from} ${selection.to}`
          : selection.type === 'node'
            ? nodeKey(selection.id)
            : targetKey(selection.id)
    this.#mark()
  }

  #mark(): void {
    this.#cy.batch(() => {
      this.#cy.elements('.selected').removeClass('selected')
      if (this.#selected === '') return
      const [from = '', to = ''] = this.#selected.split(' ')
      if (to === '') this.#cy.getElementById(from).addClass('selected')
      else for (const type of ['node', 'target']) this.#cy.getElementById(`${from} ${type}:${to}`).addClass('selected')
    })
  }

  recolour(colours: Colours): void {
    this.#cy.style(stylesheet(colours))
  }

  fit(): void {
    this.#move(() => {
      this.#cy.fit(undefined, PADDING_PX)
      if (this.#cy.zoom() > MAX_FIT_ZOOM) this.#cy.zoom(MAX_FIT_ZOOM)
      this.#cy.center()
    })
    this.#touched = false
  }

  zoomBy(factor: number): void {
    this.#touched = true
    this.#cy.zoom({ level: this.#cy.zoom() * factor, renderedPosition: { x: this.#cy.width() / 2, y: this.#cy.height() / 2 } })
  }

  panBy(x: number, y: number): void {
    this.#touched = true
    this.#cy.panBy({ x, y })
  }

  /** Forgets where things stood, as if the page were opened for the first time. */
  tidy(model: MapModel): void {
    this.#positions = arrange(spotsOf(model), this.#aspect())
    this.#cy.batch(() => {
      for (const [id, point] of this.#positions) this.#cy.getElementById(id).position({ ...point })
    })
    this.#handlers.onplaced(this.#positions)
    this.fit()
  }

  /** For tests: where a node or the middle of a link is on the page, in px from the map's corner. */
  where(id: string): Point | null {
    const element = this.#cy.getElementById(id)
    if (element.empty()) return null
    const { x1, x2, y1, y2 } = element.renderedBoundingBox({ includeLabels: false })
    return { x: Math.round((x1 + x2) / 2), y: Math.round((y1 + y2) / 2) }
  }

  destroy(): void {
    this.#resize.disconnect()
    this.#cy.destroy()
  }

  /** How near all of it can be seen: decides how large names are drawn. */
  #zoomFor(points: Iterable<Point>): number {
    const all = [...points]
    const span = (of: (point: Point) => number): number => Math.max(...all.map(of)) - Math.min(...all.map(of)) + AROUND_PX
    return Math.min(MAX_FIT_ZOOM, this.#cy.width() / span(({ x }) => x), this.#cy.height() / span(({ y }) => y))
  }

  #aspect(): number {
    return this.#cy.width() / Math.max(1, this.#cy.height())
  }

  #move(change: () => void): void {
    this.#moving = true
    change()
    this.#moving = false
  }

  #allVisible(): boolean {
    const all = this.#cy.elements().boundingBox()
    const seen = this.#cy.extent()
    return all.x1 >= seen.x1 && all.x2 <= seen.x2 && all.y1 >= seen.y1 && all.y2 <= seen.y2
  }

  #keepPositions(): void {
    const positions = new Map<string, Point>()
    for (const [id, before] of this.#positions) {
      // Who is not in the picture of a past moment stays where it was.
      const drawn = this.#cy.getElementById(id)
      const { x, y } = drawn.empty() ? before : drawn.position()
      positions.set(id, { x: Math.round(x), y: Math.round(y) })
    }
    this.#positions = positions
    this.#handlers.onplaced(positions)
  }

  #pick(element: cytoscape.SingularElementArgument): void {
    const data = element.data() as Record<string, unknown>
    if (element.isNode()) {
      const type = data['kind'] === 'target' ? 'target' : 'node'
      this.#handlers.onpick({ selection: { type, id: String(data['name']) } })
      return
    }
    const edge = data as unknown as MapEdge
    const [from, to] = [edge.source.slice(2), edge.target.slice(2)]
    this.#handlers.onpick(edge.sites ? { sites: edge.sites } : { selection: { type: 'link', from, to } })
  }
}

/** Large enough to be read when all is seen. In quarters, so that a newcomer does not redraw every name. */
function textSize(px: number, zoom: number, most: number): number {
  return Math.round(Math.min(most, Math.max(px, (px * 0.9) / zoom)) / 4) * 4
}
