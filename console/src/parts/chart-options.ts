import type uPlot from 'uplot'
import type { Colours } from '../live/colours.ts'

const LOSS_SCALES = [10, 20, 50, 100]

/** Two charts over one time axis; the cursor of one follows the other. */
export function chartOptions(library: typeof uPlot, width: number, colours: Colours): { loss: uPlot.Options; rtt: uPlot.Options } {
  const axis: uPlot.Axis = {
    stroke: colours['--muted'],
    grid: { stroke: colours['--line'], width: 1 },
    ticks: { show: false },
    font: '12px system-ui, sans-serif',
    size: 44,
    space: 26,
  }
  const times: uPlot.Axis = {
    ...axis,
    size: 26,
    space: 56,
    values: (_, seconds, __, ___, stepSeconds) => seconds.map((at) => timeWords(at, stepSeconds)),
  }
  const shared = { width, legend: { show: false }, cursor: { sync: { key: 'link' }, drag: { x: false, y: false } } }
  const line = (colour: string, lineWidth: number): uPlot.Series => ({ stroke: colour, width: lineWidth, points: { show: false } })
  const steps = library.paths.stepped?.({ align: 1 })
  return {
    loss: {
      ...shared,
      height: 84,
      padding: [10, 8, 0, 0],
      scales: { y: { range: (_, __, max) => [0, LOSS_SCALES.find((top) => top >= (max ?? 0)) ?? 100] } },
      axes: [times, { ...axis, splits: (_, __, ___, max) => [0, max / 2, max] }],
      series: [{}, { ...line(colours['--s-down'], 1.5), fill: faint(colours['--s-down'], 35), ...(steps ? { paths: steps } : {}) }],
    },
    rtt: {
      ...shared,
      height: 120,
      padding: [10, 8, 0, 0],
      scales: { y: { range: (_, __, max) => [0, Math.max(1, (max ?? 0) * 1.1)] } },
      axes: [times, axis],
      series: [{}, line(colours['--accent'], 1.5), line('transparent', 0), line('transparent', 0)],
      bands: [{ series: [3, 2], fill: faint(colours['--accent'], 22) }],
    },
  }
}

function faint(colour: string, percent: number): string {
  return `color-mix(in srgb, ${colour} ${percent}%, transparent)`
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' })
function timeWords(atSeconds: number, stepSeconds: number): string {
  return (stepSeconds >= 86_400 ? day : clock).format(atSeconds * 1_000)
}
