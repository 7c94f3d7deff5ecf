import type cytoscape from 'cytoscape'
import type { Colours } from '../live/colours.ts'
import { LOOKS, STATES, UNPROBEABLE } from '../model/states.ts'

/** How the map is drawn, for one colour scheme. Selectors match the data that `MapNode` and `MapEdge` carry. */
export function stylesheet(colours: Colours): cytoscape.StylesheetJson {
  const font = { 'font-family': 'system-ui, sans-serif', color: colours['--text'] }
  const states = STATES.map((state) => {
    const look = LOOKS[state]
    const colour = colours[look.colour as keyof Colours]
    return {
      selector: `edge[state = "${state}"]`,
      style: {
        width: look.widthPx,
        'line-color': colour,
        'target-arrow-color': colour,
        'source-arrow-color': colour,
        'target-arrow-shape': look.arrow,
        'line-style': look.dash.length > 0 ? 'dashed' : 'solid',
        ...(look.dash.length > 0 ? { 'line-dash-pattern': [...look.dash] } : {}),
        'z-index': Math.ceil(look.severity) + 1,
        opacity: look.severity < 1 ? 0.5 : 1,
        color: colour,
      },
    }
  })
  const targetStates = STATES.map((state) => ({
    selector: `node[kind = "target"][trouble = "${state}"]`,
    style: {
      'border-color': colours[LOOKS[state].colour as keyof Colours],
      'border-width': 4,
      color: colours[LOOKS[state].colour as keyof Colours],
    },
  }))
  return [
    {
      selector: 'node[kind]',
      style: {
        ...font,
        width: 34,
        height: 34,
        label: 'data(label)',
        'font-size': 'data(size)',
        'text-wrap': 'wrap',
        'text-valign': 'bottom',
        'text-margin-y': 5,
        'line-height': 1.15,
        'min-zoomed-font-size': 9,
        'text-background-color': colours['--surface'],
        'text-background-opacity': 0.75,
        'text-background-padding': '1px',
        'text-background-shape': 'round-rectangle',
        'background-color': colours['--raised'],
        'border-width': 2.5,
        'border-color': colours['--s-up'],
        'z-index': 10,
      },
    },
    { selector: 'node[kind = "target"]', style: { shape: 'diamond', width: 36, height: 36, 'border-color': colours['--line-strong'] } },
    ...targetStates,
    {
      selector: 'node[?self]',
      style: {
        'background-color': colours['--accent'],
        'border-color': colours['--surface'],
        'outline-width': 2.5,
        'outline-color': colours['--s-up'],
      },
    },
    {
      selector: 'node[?callsOut]',
      style: { 'background-image': outwardArrow(colours['--text']), 'background-width': '62%', 'background-height': '62%' },
    },
    { selector: 'node[?callsOut][?self]', style: { 'background-image': outwardArrow(colours['--on-accent']) } },
    {
      selector: 'node[?lies]',
      style: { 'border-style': 'double', 'border-width': 8, 'border-color': colours['--s-down'], color: colours['--s-down'] },
    },
    {
      selector: 'node[state = "down"]',
      style: {
        shape: 'octagon',
        'background-color': colours['--s-down'],
        'border-color': colours['--s-down'],
        color: colours['--s-down'],
        'font-weight': 'bold',
        width: 40,
        height: 40,
        'z-index': 20,
      },
    },
    {
      selector: 'node[state = "suspect"]',
      style: { 'border-style': 'dashed', 'border-width': 4, 'border-color': colours['--s-slow'], color: colours['--s-slow'] },
    },
    { selector: 'node[state = "left"]', style: { 'border-style': 'dotted', 'border-color': colours['--s-unknown'], opacity: 0.6 } },
    {
      selector: 'node[kind = "node"][trouble = "stale"]',
      style: { 'border-style': 'double', 'border-width': 6, 'border-color': colours['--s-stale'] },
    },
    {
      selector: ':parent',
      style: {
        ...font,
        color: colours['--muted'],
        label: 'data(label)',
        'font-size': 'data(size)',
        'font-weight': 'bold',
        'text-background-color': colours['--surface'],
        'text-background-opacity': 0.8,
        'text-background-padding': '2px',
        'text-valign': 'top',
        'text-halign': 'center',
        'text-margin-y': -6,
        'min-zoomed-font-size': 7,
        shape: 'round-rectangle',
        'background-color': colours['--raised'],
        'background-opacity': 0.45,
        'border-width': 1,
        'border-color': colours['--line'],
        padding: '48px',
        // Else a site grows and shrinks with what its nodes are called at the moment.
        'compound-sizing-wrt-labels': 'exclude',
        events: 'no',
        'z-index': 0,
      },
    },
    {
      selector: 'edge',
      style: {
        'curve-style': 'bezier',
        'control-point-step-size': 26,
        'arrow-scale': 1.05,
        'source-distance-from-node': 3,
        'target-distance-from-node': 3,
        'z-index-compare': 'manual',
      },
    },
    ...states,
    {
      selector: 'edge[?unprobeable]',
      style: { width: UNPROBEABLE.widthPx, 'line-dash-pattern': [...UNPROBEABLE.dash], 'target-arrow-shape': 'none' },
    },
    { selector: 'edge[state = "one-way"][dead = "out"]', style: { 'target-arrow-shape': 'tee', 'source-arrow-shape': 'triangle' } },
    { selector: 'edge[state = "one-way"][dead = "in"]', style: { 'target-arrow-shape': 'triangle', 'source-arrow-shape': 'tee' } },
    {
      selector: 'edge[kind = "bundle"]',
      style: {
        ...font,
        'curve-style': 'bezier',
        'z-compound-depth': 'top',
        width: 5,
        label: 'data(label)',
        'font-size': 'data(size)',
        'font-weight': 'bold',
        'min-zoomed-font-size': 7,
        'text-background-color': colours['--surface'],
        'text-background-opacity': 0.9,
        'text-background-padding': '4px',
      },
    },
    {
      selector: 'edge[kind = "bundle"][state = "up"]',
      style: { width: 3, opacity: 0.35, 'target-arrow-shape': 'none', 'curve-style': 'straight' },
    },
    // Seen from afar, what would be a hair and a speck is drawn larger.
    { selector: 'edge[?far]', style: { width: 7, 'arrow-scale': 2 } },
    { selector: 'edge[kind = "bundle"][?far]', style: { width: 14 } },
    { selector: 'edge[kind = "bundle"][state = "up"][?far]', style: { width: 4 } },
    { selector: 'node[kind][?far]', style: { width: 46, height: 46, 'border-width': 6 } },
    { selector: 'node[state = "down"][?far]', style: { width: 64, height: 64 } },
    {
      selector: 'edge.selected',
      style: { width: 5, opacity: 1, 'z-index': 9, 'underlay-color': colours['--accent'], 'underlay-opacity': 0.35, 'underlay-padding': 5 },
    },
    {
      selector: 'node.selected',
      style: { 'underlay-color': colours['--accent'], 'underlay-opacity': 0.4, 'underlay-padding': 8, 'underlay-shape': 'ellipse' },
    },
  ] as cytoscape.StylesheetJson
}

/** A node that only calls out. Drawn here, since the content policy lets nothing else in. */
function outwardArrow(colour: string): string {
  const path = `<path d="M6 18L18 6M9 6h9v9" fill="none" stroke="${colour}" stroke-width="2.6"/>`
  return `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" viewBox="0 0 24 24">${path}</svg>`)}`
}
