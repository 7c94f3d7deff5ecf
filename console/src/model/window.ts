/** Where each line of a grouped axis begins: lines of one size, with a gap where the group changes. */
export function offsets(groups: readonly string[], sizePx: number, gapPx: number): { starts: number[]; totalPx: number } {
  let at = 0
  const starts = groups.map((group, i) => {
    if (i > 0 && group !== groups[i - 1]) at += gapPx
    const start = at
    at += sizePx
    return start
  })
  return { starts, totalPx: at }
}

/** First and one past the last line that a window shows, with a few more at either side. */
export function visible(starts: readonly number[], fromPx: number, spanPx: number, spare = 4): [number, number] {
  const first = firstAtLeast(starts, fromPx)
  const end = firstAtLeast(starts, fromPx + spanPx)
  return [Math.max(0, first - spare), Math.min(starts.length, end + spare)]
}

function firstAtLeast(starts: readonly number[], px: number): number {
  let [low, high] = [0, starts.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((starts[middle] as number) < px) low = middle + 1
    else high = middle
  }
  return low
}
