export type Point = { readonly x: number; readonly y: number }
export type Spot = { readonly id: string; readonly group: string }

/** Room that a node with its label takes. */
const GAP_PX = 96
/** Room between the outlines of two sites. */
const SITE_GAP_PX = 90
/** What a site's name takes above it, seen from afar. */
const NAME_PX = 50
/** How close members of a large site stand. */
const ROW_GAP_PX = 68
/** Up to this many, sites stand on a ring, so that no line between two crosses a third; beyond, a ring is mostly hole. */
export const RING_SITES = 8
/** Up to this many members of a site stand in a circle, with room for their names; more stand in rows. */
export const RING_NODES = 10

/**
 * Where everything stands on the map. Nothing that is placed is moved: a newcomer takes the nearest free spot by its site. Only
 * a map of which less than a third is known is drawn anew. The same input gives the same picture in every browser,
 * so that two people on the phone see the same thing; a force layout would not, and on a full mesh, where everything
 * pulls at everything, it has nothing to say.
 */
export function place(spots: readonly Spot[], known: ReadonlyMap<string, Point>, aspect: number): Map<string, Point> {
  const placed = new Map<string, Point>()
  for (const { id } of spots) {
    const point = known.get(id)
    if (point) placed.set(id, point)
  }
  if (placed.size * 3 <= spots.length) return arrange(spots, aspect)

  const groups = Map.groupBy(spots, (spot) => spot.group)
  for (const spot of spots) {
    if (placed.has(spot.id)) continue
    const mates = (groups.get(spot.group) ?? []).map(({ id }) => placed.get(id)).filter((point) => point !== undefined)
    const alone = mates.length === 0
    const taken = [...placed.values()]
    placed.set(spot.id, nearestFree(centre(alone ? taken : mates), taken, alone ? GAP_PX * 2 + SITE_GAP_PX : GAP_PX))
  }
  return placed
}

/** The picture from nothing. `aspect` is width over height of where it will be seen. */
export function arrange(spots: readonly Spot[], aspect: number): Map<string, Point> {
  const groups = [...Map.groupBy(spots, (spot) => spot.group)].sort(([a], [b]) => a.localeCompare(b))
  const shapes = groups.map(([, members]) => inside(members.map(({ id }) => id)))
  const centres = groups.length <= RING_SITES ? ring(shapes.map(radiusOf), aspect) : rows(shapes, aspect)
  const placed = new Map<string, Point>()
  groups.forEach(([, members], g) => {
    members.forEach(({ id }, m) => {
      const middle = centres[g] as Point
      const offset = shapes[g]?.[m] as Point
      placed.set(id, { x: Math.round(middle.x + offset.x), y: Math.round(middle.y + offset.y) })
    })
  })
  return placed
}

/** The members of one site around its middle: a circle while that is clear, for on it no three stand in a line; then rows. */
function inside(ids: readonly string[]): Point[] {
  const count = ids.length
  if (count === 1) return [{ x: 0, y: 0 }]
  if (count <= RING_NODES) {
    const radius = Math.max(GAP_PX * 0.6, (count * GAP_PX * 1.1) / (2 * Math.PI))
    return ids.map((_, i) => onCircle(radius, radius, i / count + (count === 2 ? 0.25 : count === 4 ? 0.125 : 0)))
  }
  const perRow = Math.ceil(Math.sqrt(count))
  const rowCount = Math.ceil(count / perRow)
  return ids.map((_, i) => {
    const row = Math.floor(i / perRow)
    const stagger = row % 2 === 0 ? 0.25 : -0.25
    return { x: ((i % perRow) - (perRow - 1) / 2 + stagger) * ROW_GAP_PX, y: (row - (rowCount - 1) / 2) * ROW_GAP_PX }
  })
}

function ring(radii: readonly number[], aspect: number): Point[] {
  if (radii.length === 1) return [{ x: 0, y: 0 }]
  const steps = radii.map((radius) => radius * 2 + SITE_GAP_PX)
  const around = steps.reduce((sum, step) => sum + step, 0)
  const stretch = Math.sqrt(Math.min(2, Math.max(0.5, aspect)))
  // An even number stands with flat top and bottom, which fills a page better; two stand along its longer side.
  let at = radii.length % 2 === 1 || (radii.length === 2 && aspect < 1) ? 0 : -1 / (2 * radii.length)
  const turns = steps.map((step, i) => {
    const turn = at + (i === 0 ? 0 : step / around / 2)
    at = turn + step / around / 2
    return turn
  })
  // The squeezed side of the oval brings neighbours together, so it grows until none touch.
  for (let radius = around / (2 * Math.PI); ; radius *= 1.08) {
    const points = turns.map((turn) => onCircle(radius * stretch, radius / stretch, turn))
    if (points.every((a, i) => points.every((b, j) => j <= i || apart(a, b) >= (radii[i] ?? 0) + (radii[j] ?? 0) + SITE_GAP_PX)))
      return points
  }
}

function apart(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y)
}

function rows(shapes: readonly Point[][], aspect: number): Point[] {
  const all = shapes.flat()
  const width = Math.max(...all.map(({ x }) => Math.abs(x))) * 2 + GAP_PX + SITE_GAP_PX
  const height = Math.max(...all.map(({ y }) => Math.abs(y))) * 2 + GAP_PX + SITE_GAP_PX + NAME_PX
  const count = shapes.length
  // As many to a row as lets all of it be seen from nearest.
  const zoom = (perRow: number): number => Math.min(aspect / (perRow * width), 1 / (Math.ceil(count / perRow) * height))
  const perRow = shapes.reduce((best, _, i) => (zoom(i + 1) > zoom(best) ? i + 1 : best), 1)
  return shapes.map((_, i) => ({ x: (i % perRow) * width, y: Math.floor(i / perRow) * height }))
}

function radiusOf(shape: readonly Point[]): number {
  return Math.max(...shape.map(({ x, y }) => Math.hypot(x, y))) + GAP_PX / 2
}

/** `turn` counts whole turns clockwise from the top. */
function onCircle(radiusX: number, radiusY: number, turn: number): Point {
  const angle = turn * 2 * Math.PI
  return { x: radiusX * Math.sin(angle), y: -radiusY * Math.cos(angle) }
}

/** The first spot on a widening spiral from `from` that keeps `gapPx` from everything taken. */
export function nearestFree(from: Point, taken: readonly Point[], gapPx: number): Point {
  for (let ringNumber = 0; ringNumber <= taken.length + 1; ringNumber++) {
    const seats = Math.max(1, ringNumber * 6)
    for (let seat = 0; seat < seats; seat++) {
      const offset = onCircle(ringNumber * gapPx, ringNumber * gapPx, seat / seats)
      const point = { x: Math.round(from.x + offset.x), y: Math.round(from.y + offset.y) }
      if (taken.every((other) => apart(other, point) >= gapPx * 0.95)) return point
    }
  }
  return { x: from.x + gapPx * (taken.length + 2), y: from.y }
}

function centre(points: readonly Point[]): Point {
  if (points.length === 0) return { x: 0, y: 0 }
  const sum = points.reduce((a, b) => ({ x: a.x + b.x, y: a.y + b.y }))
  return { x: sum.x / points.length, y: sum.y / points.length }
}
