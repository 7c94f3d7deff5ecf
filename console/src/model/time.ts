/** "42 s", "5 min", "3 h 20 min", "4 d 2 h": two units at most. */
export function spanWords(spanMs: number): string {
  const seconds = Math.max(0, Math.floor(spanMs / 1_000))
  if (seconds < 90) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`
  const days = Math.floor(hours / 24)
  return hours % 24 === 0 || days > 9 ? `${days} d` : `${days} d ${hours % 24} h`
}

export function ago(spanMs: number): string {
  return spanMs < 2_000 ? 'just now' : `${spanWords(spanMs)} ago`
}

const clockFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const dayFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' })
const dayYearFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' })

/** "03:20:15" today, "7 Mar, 03:20:15" before, in the reader's own time zone. */
export function clockTime(atMs: number, nowMs: number): string {
  const at = new Date(atMs)
  const now = new Date(nowMs)
  const time = clockFormat.format(at)
  if (at.toDateString() === now.toDateString()) return time
  return `${(at.getFullYear() === now.getFullYear() ? dayFormat : dayYearFormat).format(at)}, ${time}`
}

/** "since 03:20:15 (5 min ago)", or null where nobody knows. */
export function since(iso: string | null, nowMs: number): string | null {
  if (iso === null) return null
  const atMs = Date.parse(iso)
  return `since ${clockTime(atMs, nowMs)} (${ago(nowMs - atMs)})`
}
