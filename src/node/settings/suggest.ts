/** The one of `known` that `wrong` most likely meant, or null when none is near. Case and separators do not count. */
export function suggest(wrong: string, known: readonly string[]): string | null {
  const plain = (text: string): string => text.toLowerCase().replace(/[-_.\s]/g, '')
  const sought = plain(wrong).slice(0, 80)
  let best: { name: string; distance: number } | null = null
  for (const name of known) {
    const distance = editDistance(sought, plain(name))
    if (distance <= Math.ceil(sought.length / 3) && (best === null || distance < best.distance)) best = { name, distance }
  }
  return best?.name ?? null
}

/** Damerau-Levenshtein (optimal string alignment): inserted, lost, changed and swapped letters each count one. */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      let least = Math.min(changed, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) least = Math.min(least, (before[j - 2] ?? 0) + 1)
      row.push(least)
    }
    before = previous
    previous = row
  }
  return previous[b.length] ?? 0
}
