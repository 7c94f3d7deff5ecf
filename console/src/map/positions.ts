import { keep, kept } from '../live/preferences.svelte.ts'
import type { Positions } from './canvas.ts'

/** Where things stand is kept for each grid, and apart for wide and tall pages. What is damaged or foreign is forgotten. */
export function keptPositions(grid: string, tall: boolean): Positions {
  try {
    const entries = Object.entries(JSON.parse(kept(key(grid, tall)) ?? '{}') as Record<string, unknown>)
    return new Map(
      entries.flatMap(([id, value]) => {
        const [x, y] = Array.isArray(value) ? (value as unknown[]) : []
        return Number.isFinite(x) && Number.isFinite(y) ? [[id, { x: x as number, y: y as number }] as const] : []
      }),
    )
  } catch {
    return new Map()
  }
}

export function keepPositions(grid: string, tall: boolean, positions: Positions): void {
  keep(key(grid, tall), JSON.stringify(Object.fromEntries([...positions].map(([id, { x, y }]) => [id, [x, y]]))))
}

function key(grid: string, tall: boolean): string {
  return `map.${grid}${tall ? '.tall' : ''}`
}
