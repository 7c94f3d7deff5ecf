/** "1 node", "3 nodes". */
export function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** "a", "a and b", "a, b and c", "a, b and 3 more". */
export function listText(names: readonly string[], shown = 3): string {
  if (names.length <= 1) return names[0] ?? ''
  const whole = names.length <= shown
  const head = whole ? names.slice(0, -1) : names.slice(0, shown - 1)
  return `${head.join(', ')} and ${whole ? names.at(-1) : `${names.length - head.length} more`}`
}

/** "12 s", "4 min", "3 h 5 min", "2 days": exact enough for a person. */
export function durationText(ms: number): string {
  const seconds = Math.round(ms / 1_000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`
  return countText(Math.floor(hours / 24), 'day')
}

/** "since 03:20:41 UTC (4 min)", with the date when it was not within a day of `at`; empty for an unknown time. */
export function sinceText(since: string | null, at: string): string {
  if (since === null) return ''
  const ageMs = Date.parse(at) - Date.parse(since)
  const day = Math.abs(ageMs) < 86_400_000 ? '' : `${since.slice(0, 10)} `
  // The observer's clock may run ahead of ours.
  const age = ageMs >= 0 ? ` (${durationText(ageMs)})` : ''
  return `since ${day}${since.slice(11, 19)} UTC${age}`
}

/** "0.4 ms", "12 ms", "1.2 s". */
export function rttText(ms: number): string {
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`
  return ms >= 10 ? `${Math.round(ms)} ms` : `${ms.toFixed(1)} ms`
}

/** "30 %", "0.4 %". Never "0 %" for something, nor "100 %" for less than all. */
export function percentText(ratio: number): string {
  const percent = ratio * 100
  if (percent === 0 || percent === 100) return `${percent} %`
  if (percent < 1) return `${Math.max(0.1, percent).toFixed(1)} %`
  return `${Math.min(99, Math.round(percent))} %`
}

export function upperFirst(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`
}

/** Words joined by single spaces, empty ones left out, as a sentence. */
export function sentence(...parts: string[]): string {
  const text = parts.filter((part) => part !== '').join(' ')
  return /[.!?]$/.test(text) ? text : `${text}.`
}
