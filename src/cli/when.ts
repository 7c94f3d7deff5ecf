import { MidwatchError } from '../contract/index.ts'

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const CLOCK = String.raw`(\d{1,2}):(\d{2})(?::(\d{2}))?`
const AGO = /^-\s*(\d{1,6})\s*([smhd])$/
const TIME = new RegExp(`^(?:(today|yesterday)\\s+)?${CLOCK}\\s*(Z)?$`, 'i')
const DATE = new RegExp(`^(\\d{4})-(\\d{2})-(\\d{2})(?:[ T]+${CLOCK}(\\.\\d{1,3})?)?\\s*(Z|[+-]\\d{2}:\\d{2})?$`, 'i')
const HINT = 'write "2026-11-23 03:20", "03:20", "yesterday 03:20" or -2h; times are local unless they end in Z'

/** A time as people write it, in ms since 1970. Local, unless it says otherwise. A time of day alone is the last one that has been. */
export function parseWhen(text: string, nowMs: number): number {
  const said = text.trim()
  const atMs = ago(said, nowMs) ?? timeOfDay(said, nowMs) ?? date(said)
  if (atMs === null || Number.isNaN(atMs)) throw new MidwatchError('MW_USAGE', `--at "${said}" is no time: ${HINT}.`)
  return atMs
}

function ago(text: string, nowMs: number): number | null {
  const match = AGO.exec(text)
  return match && nowMs - Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]
}

function timeOfDay(text: string, nowMs: number): number | null {
  const match = TIME.exec(text)
  if (!match) return null
  const [, day, hour, minute, second, zulu] = match
  const now = new Date(nowMs)
  const on = (back: number): number =>
    zulu
      ? moment([now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() - back, hour, minute, second], true)
      : moment([now.getFullYear(), now.getMonth(), now.getDate() - back, hour, minute, second], false)
  if (day) return on(day.toLowerCase() === 'today' ? 0 : 1)
  return on(0) <= nowMs ? on(0) : on(1)
}

function date(text: string): number | null {
  const match = DATE.exec(text)
  if (!match) return null
  const [, year, month, day, hour, minute, second, fraction, zone] = match
  // A day that its month does not have would become one of the next.
  if (Number(day) > new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate()) return NaN
  const parts = [year, Number(month) - 1, day, hour, minute, second]
  const atMs = zone ? moment(parts, true) - offsetMs(zone) : moment(parts, false)
  return atMs + Math.round(Number(fraction ?? 0) * 1_000)
}

function offsetMs(zone: string): number {
  if (zone.toUpperCase() === 'Z') return 0
  const [hours = 0, minutes = 0] = zone.slice(1).split(':').map(Number)
  return (zone.startsWith('-') ? -1 : 1) * (hours * UNIT_MS.h + minutes * UNIT_MS.m)
}

function moment(parts: readonly (string | number | undefined)[], isUtc: boolean): number {
  const [year = 0, month = 0, day = 1, hour = 0, minute = 0, second = 0] = parts.map((part) => Number(part ?? 0))
  if (month < 0 || month > 11 || day > 31 || hour > 23 || minute > 59 || second > 59) return NaN
  return isUtc ? Date.UTC(year, month, day, hour, minute, second) : new Date(year, month, day, hour, minute, second).getTime()
}

const two = (number: number): string => String(number).padStart(2, '0')

/** "2026-11-23 03:20:00", local: what --at takes. */
export function localText(atMs: number): string {
  const at = new Date(atMs)
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`
}

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const

/** "Monday 2026-11-23 03:20:00 (UTC+1)": with what a person needs to know that it is the time they meant. */
export function dayText(atMs: number): string {
  const offsetMinutes = -new Date(atMs).getTimezoneOffset()
  const [hours, minutes] = [Math.trunc(Math.abs(offsetMinutes) / 60), Math.abs(offsetMinutes) % 60]
  const zone = offsetMinutes === 0 ? '' : `${offsetMinutes < 0 ? '-' : '+'}${hours}${minutes ? `:${two(minutes)}` : ''}`
  return `${DAYS[new Date(atMs).getDay()]} ${localText(atMs)} (UTC${zone})`
}
