import type { GraphLink, LinkState, NodeState, SamplePoint } from '../contract/index.ts'
import type { Tone } from './output.ts'

/** A state is told by word and symbol; colour only helps. */
const STATES: Record<LinkState | Exclude<NodeState, LinkState>, { symbol: string; tone: Tone }> = {
  up: { symbol: '✓', tone: 'good' },
  slow: { symbol: '~', tone: 'warn' },
  lossy: { symbol: '%', tone: 'warn' },
  partial: { symbol: '½', tone: 'warn' },
  'one-way': { symbol: '→', tone: 'bad' },
  down: { symbol: '✗', tone: 'bad' },
  stale: { symbol: '?', tone: 'warn' },
  unknown: { symbol: '·', tone: 'dim' },
  suspect: { symbol: '?', tone: 'warn' },
  left: { symbol: '-', tone: 'dim' },
}

export const symbolOf = (state: LinkState | NodeState): string => STATES[state].symbol
export const toneOf = (state: LinkState | NodeState): Tone => STATES[state].tone
/** A table cell: "✗ down". */
export const stateCell = (state: LinkState | NodeState): { text: string; tone: Tone } => ({
  text: `${symbolOf(state)} ${state}`,
  tone: toneOf(state),
})

/** "12 s", "3 min", "2 h 5 min", "4 days". */
export function spanText(spanMs: number): string {
  const seconds = Math.max(0, Math.round(spanMs / 1_000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return minutes % 60 === 0 || hours >= 6 ? `${hours} h` : `${hours} h ${minutes % 60} min`
  const days = Math.floor(hours / 24)
  return `${days} day${days === 1 ? '' : 's'}`
}

/** "for 3 min", by the clock of the node that answered, since this host's may be wrong. */
export function sinceText(since: string | null, at: string): string {
  return since === null ? '' : `for ${spanText(Date.parse(at) - Date.parse(since))}`
}

export const arrowText = (link: GraphLink): string => `${link.from} → ${link.to}`

/** Loss and round trip, as far as they are known: "12 % lost, 3.4 ms". */
export function figuresText(link: GraphLink): string {
  const parts: string[] = []
  if (link.lossRatio !== null && link.lossRatio > 0) parts.push(`${percentText(link.lossRatio)} lost`)
  if (link.rttMsP50 !== null) parts.push(msText(link.rttMsP50))
  return parts.join(', ')
}

/** What is wrong with a link beyond its state's name. */
export function troubleText(link: GraphLink): string {
  const parts: string[] = []
  if (link.dead !== null) parts.push(link.dead === 'out' ? `nothing arrives at ${link.to}` : `nothing comes back from ${link.to}`)
  const figures = figuresText(link)
  if (figures) parts.push(figures)
  if (link.detail !== null) parts.push(link.detail)
  return parts.join('; ')
}

export function percentText(ratio: number): string {
  const percent = ratio * 100
  return `${percent > 0 && percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`
}

export function msText(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`
}

const BARS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const

/** One mark per point: a bar for the share that was lost, a blank where nothing was sent. The least loss shows: 1 in 1,000 matters. */
export function lossline(points: readonly SamplePoint[]): string {
  return points
    .map(({ sent, lost }) => {
      if (sent === 0) return ' '
      if (lost === 0) return BARS[0]
      return BARS[Math.max(1, Math.min(BARS.length - 1, Math.ceil(Math.sqrt(lost / sent) * (BARS.length - 1))))] ?? '▂'
    })
    .join('')
}

/** One mark per point: a bar for the round trip, ✗ where everything was lost, a blank where nothing was sent. */
export function sparkline(points: readonly SamplePoint[]): string {
  const times = points.flatMap((point) => (point.rttMsP50 === null ? [] : [point.rttMsP50]))
  const [least, most] = [Math.min(...times), Math.max(...times)]
  return points
    .map((point) => {
      if (point.sent === 0) return ' '
      if (point.rttMsP50 === null) return '✗'
      // Jitter of a fraction of a millisecond is no mountain range.
      const height = (point.rttMsP50 - least) / Math.max(most - least, 1)
      return BARS[Math.min(BARS.length - 1, Math.floor(height * BARS.length))] ?? '▁'
    })
    .join('')
}
