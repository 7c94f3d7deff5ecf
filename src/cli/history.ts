import { Graph, History, HISTORY_WINDOWS, HistoryWindow, MidwatchError, type GraphLink } from '../contract/index.ts'
import { findNode } from './client.ts'
import { findOptions, type CommandSpec } from './command.ts'
import { clean, table, type Output } from './output.ts'
import { stretchesOf, sumOf, type Stretch } from './outages.ts'
import { localText } from './when.ts'
import { lossline, msText, percentText, sparkline, spanText, stateCell } from './words.ts'

const WINDOW_WORDS: Record<HistoryWindow, string> = { '15m': '15 minutes', '1h': 'hour', '1d': 'day', '30d': '30 days' }
/** Marks of a picture's line: enough to see a night, and fits a terminal. */
const MARKS_MOST = 96
const TURNS_SHOWN = 40

export const command: CommandSpec = {
  name: 'history',
  args: '<from> <to>',
  summary: 'a link over time: loss, round trip, and each outage',
  examples: [
    ['midwatch history fra-1 ams-2', 'the last day of that link'],
    ['midwatch history fra-1 shop --window 30d', 'a month of a target; also 15m, 1h and 1d'],
    ['midwatch history fra-1 ams-2 --json', '{from, to, stepMs, points, turns}'],
  ],
  options: async () => [...findOptions, { flags: '--window <time>', about: 'how far back: 15m, 1h, 1d or 30d (default: 1d)' }],
  run: async (call) => {
    const [from = '', to = ''] = call.args
    const window = windowOf(call.options['window'])
    const node = await findNode(call)
    const history = await node.get(`/api/history?${new URLSearchParams({ from, to, window })}`, History)
    if (call.json) {
      call.out.json(history)
      return 0
    }
    const graph = await node.get('/api/graph', Graph)
    const link = graph.links.find((link) => link.from === from && link.to === to) ?? null
    for (const line of historyLines(call.out, { history, link, window, nowMs: Date.parse(graph.at) })) call.out.line(line)
    return 0
  },
}

function windowOf(given: unknown): HistoryWindow {
  const window = HistoryWindow.safeParse(given ?? '1d')
  if (window.success) return window.data
  throw new MidwatchError('MW_USAGE', `--window: write one of ${HistoryWindow.options.join(', ')}`)
}

type Shown = { readonly history: History; readonly link: GraphLink | null; readonly window: HistoryWindow; readonly nowMs: number }

export function historyLines(out: Output, { history, link, window, nowMs }: Shown): string[] {
  const { points, turns } = history
  const last = `the last ${WINDOW_WORDS[window]}`
  if (points.length === 0 && turns.length === 0)
    throw new MidwatchError('MW_NO_PAST', `Nothing is kept of ${history.from} → ${history.to} in ${last}.`)
  const fromMs = nowMs - HISTORY_WINDOWS[window].spanMs
  const stretches = stretchesOf(history, link, fromMs, nowMs)
  const lines = [`${out.paint('strong', `${clean(history.from)} → ${clean(history.to)}`)}: ${summaryText(stretches, last)}`, '']
  if (points.length > 0) lines.push(...pictureLines(out, points, fromMs, nowMs))
  const shown = stretches.filter(({ turn }) => turn !== null)
  if (shown.length === 0) return [...lines, '', '  No turns: it was the same all the time.']
  lines.push('', 'Turns, newest last')
  if (shown.length > TURNS_SHOWN) lines.push(out.paint('dim', `  … and ${shown.length - TURNS_SHOWN} earlier ones: --json lists them`))
  const rows = shown.slice(-TURNS_SHOWN).map(({ atMs, untilMs, state, turn }) => {
    const span = `for ${spanText(untilMs - atMs)}${untilMs === nowMs ? ' until now' : ''}`
    return [localText(atMs), stateCell(state), span, (turn?.event.type === 'link.changed' && turn.event.detail) || '']
  })
  return [...lines, ...table(out, rows)]
}

/** "up 99.93 % of the last day, 2 outages, longest 4 min". */
function summaryText(stretches: readonly Stretch[], last: string): string {
  const { knownMs, upMs, wornMs, outagesMs, unknownMs } = sumOf(stretches)
  if (knownMs === 0) return `nothing is known of ${last}`
  const parts = [`up ${shareText(upMs / knownMs)} of ${last}`]
  if (outagesMs.length === 0) parts.push('no outage')
  else if (outagesMs.length === 1) parts.push(`1 outage of ${spanText(outagesMs[0] ?? 0)}`)
  else parts.push(`${outagesMs.length} outages, longest ${spanText(Math.max(...outagesMs))}`)
  if (wornMs > 0) parts.push(`lossy or slow for ${spanText(wornMs)}`)
  if (unknownMs > knownMs / 100) parts.push(`nothing known of ${spanText(unknownMs)}`)
  return parts.join(', ')
}

/** Never 100 % when it was not. */
function shareText(share: number): string {
  return share === 1 ? '100 %' : `${(Math.floor(share * 10_000) / 100).toFixed(2)} %`
}

function pictureLines(out: Output, points: History['points'], fromMs: number, nowMs: number): string[] {
  const marks = Math.max(10, Math.min(MARKS_MOST, out.columns - 10))
  const cells = cellsOf(points, fromMs, nowMs, marks)
  const sent = points.reduce((sum, { sent }) => sum + sent, 0)
  const lost = points.reduce((sum, { lost }) => sum + lost, 0)
  const worst = Math.max(...points.map((point) => (point.sent === 0 ? 0 : point.lost / point.sent)))
  const half = medianOf(points)
  const lines = [`  loss  ${lossline(cells)}`]
  lines.push(out.paint('dim', `        ${percentText(sent === 0 ? 0 : lost / sent)} in all, ${percentText(worst)} at worst`))
  lines.push(`  trip  ${sparkline(cells)}`)
  if (half !== null) {
    const least = Math.min(...points.map(({ rttMsMin, rttMsP50 }) => rttMsMin ?? rttMsP50 ?? Infinity))
    const most = Math.max(...points.map(({ rttMsMax, rttMsP50 }) => rttMsMax ?? rttMsP50 ?? 0))
    lines.push(out.paint('dim', `        ${msText(least)} to ${msText(most)}, half within ${msText(half)}`))
  }
  lines.push(out.paint('dim', `        from ${localText(fromMs)} to ${localText(nowMs)}`))
  return lines
}

/** Points put together into so many equal stretches of time. */
function cellsOf(points: History['points'], fromMs: number, nowMs: number, count: number): History['points'] {
  const stepMs = (nowMs - fromMs) / count
  const cells = Array.from({ length: count }, (): History['points'] => [])
  for (const point of points) cells[Math.max(0, Math.min(count - 1, Math.floor((point.atMs - fromMs) / stepMs)))]?.push(point)
  return cells.map((inside, i) => ({
    atMs: Math.round(fromMs + i * stepMs),
    sent: inside.reduce((sum, { sent }) => sum + sent, 0),
    lost: inside.reduce((sum, { lost }) => sum + lost, 0),
    rttMsMin: null,
    rttMsP50: medianOf(inside),
    rttMsMax: null,
  }))
}

function medianOf(points: History['points']): number | null {
  const times = points.flatMap(({ rttMsP50 }) => (rttMsP50 === null ? [] : [rttMsP50])).sort((a, b) => a - b)
  return times[Math.floor((times.length - 1) / 2)] ?? null
}
