import type uPlot from 'uplot'
import type { Colours } from '../live/colours.ts'

/** Two charts over one time axis; the cursor of one follows the other. */
export function chartOptions(library: typeof uPlot, width: number, colours: Colours): { loss: uPlot.Options; rtt: uPlot.Options } {
  const axis = (values?: uPlot.Axis['values']): uPlot.Axis => ({
    stroke: colours['--muted'],
    grid: { stroke: colours['--line'], width: 1 },
    ticks: { show: false },
    font: '12px system-ui, sans-serif',
    size: 44,
    ...(values ? { values } : {}),
  })
  const times: uPlot.Axis = { ...axis(), size: 26, space: 60 }
  const shared = {
    width,
    legend: { show: false },
    cursor: { sync: { key: 'link' }, drag: { x: false, y: false } },
    // A 24-hour clock, as everywhere on the page.
    fmtDate: (template: string) =>
      library.fmtDate(
        template.replace(/\{h\}(:\{mm\})?(:\{ss\})?\{aa\}/g, (_, mm?: string, ss?: string) => `{HH}${mm ?? ':{mm}'}${ss ?? ''}`),
      ),
  }
  const line = (colour: string, lineWidth: number): uPlot.Series => ({
    stroke: colour,
    width: lineWidth,
    points: { show: false },
    spanGaps: false,
  })
  return {
    loss: {
      ...shared,
      height: 84,
      scales: { y: { range: (_, __, max) => [0, Math.max(5, Math.min(100, max ?? 0))] } },
      axes: [times, { ...axis(), space: 24 }],
      series: [
        {},
        {
          ...line(colours['--s-down'], 1.5),
          fill: `color-mix(in srgb, ${colours['--s-down']} 35%, transparent)`,
          points: { show: true, size: 3 },
        },
      ],
    },
    rtt: {
      ...shared,
      height: 120,
      scales: { y: { range: (_, __, max) => [0, Math.max(1, (max ?? 0) * 1.1)] } },
      axes: [times, { ...axis(), space: 28 }],
      series: [{}, line(colours['--accent'], 1.5), line('transparent', 0), line('transparent', 0)],
      bands: [{ series: [3, 2], fill: `color-mix(in srgb, ${colours['--accent']} 22%, transparent)` }],
    },
  }
}
