export type Point = { readonly x: number; readonly y: number }
export type Spot = { readonly id: string; readonly group: string }

/** Room that a node with its label takes. */
const GAP_PX = 96
/** Room between the outlines of two sites. */
const SITE_GAP_PX = 90
/** Up to this many, sites stand on a ring, so that no line between two crosses a third; beyond, a ring is mostly hole. */
const RING_SITES = 8
const RING_NODES = 10

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
  const radii = shapes.map((shape) => Math.max(...shape.map(({ x, y }) => Math.hypot(x, y))) + GAP_PX / 2)
  const centres = groups.length <= RING_SITES ? ring(radii, aspect) : rows(radii, aspect)
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
    const radius = Math.max(GAP_PX / 2, (count * GAP_PX) / (2 * Math.PI))
    return ids.map((_, i) => onCircle(radius, radius, i / count + (count === 2 ? 0.25 : 0)))
  }
  const perRow = Math.ceil(Math.sqrt(count))
  const rowCount = Math.ceil(count / perRow)
  return ids.map((_, i) => {
    const row = Math.floor(i / perRow)
    const stagger = row % 2 === 0 ? 0.25 : -0.25
    return { x: ((i % perRow) - (perRow - 1) / 2 + stagger) * GAP_PX * 0.7, y: (row - (rowCount - 1) / 2) * GAP_PX * 0.7 }
  })
}

function ring(radii: readonly number[], aspect: number): Point[] {
  if (radii.length === 1) return [{ x: 0, y: 0 }]
  const steps = radii.map((radius) => radius * 2 + SITE_GAP_PX)
  const around = steps.reduce((sum, step) => sum + step, 0)
  const largest = Math.max(...radii)
  const radius = Math.max(around / (2 * Math.PI), largest + SITE_GAP_PX)
  const stretch = Math.sqrt(Math.min(2, Math.max(0.5, aspect)))
  // Two sites stand side by side on a wide page and above each other on a tall one; more begin at the top.
  let at = radii.length === 2 && aspect >= 1 ? -0.25 : 0
  return steps.map((step, i) => {
    const turn = at + (i === 0 ? 0 : step / around / 2)
    at = turn + step / around / 2
    return onCircle(radius * stretch, radius / stretch, turn)
  })
}

function rows(radii: readonly number[], aspect: number): Point[] {
  const cell = Math.max(...radii) * 2 + SITE_GAP_PX
  const perRow = Math.min(radii.length, Math.max(1, Math.round(Math.sqrt(radii.length * aspect))))
  return radii.map((_, i) => ({ x: (i % perRow) * cell, y: Math.floor(i / perRow) * cell }))
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
      if (taken.every((other) => Math.hypot(other.x - point.x, other.y - point.y) >= gapPx * 0.95)) return point
    }
  }
  return { x: from.x + gapPx * (taken.length + 2), y: from.y }
}

function centre(points: readonly Point[]): Point {
  if (points.length === 0) return { x: 0, y: 0 }
  const sum = points.reduce((a, b) => ({ x: a.x + b.x, y: a.y + b.y }))
  return { x: sum.x / points.length, y: sum.y / points.length }
}
