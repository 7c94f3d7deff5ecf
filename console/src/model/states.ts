import type { Direction, GraphLink, GraphNode, Lie, LinkState, NodeState } from '../../../src/contract/index.ts'

/**
 * How a link state looks. A state is never told by colour alone: each has a mark for cells and lists, and a line of its own on the map.
 * Only types come from the contract: its schemas would bring zod, and zod's compiler, into a page whose content policy forbids eval.
 */
export type Look = {
  readonly word: string
  readonly mark: string
  /** Custom property with the colour, for text, cells and lines alike. */
  readonly colour: string
  readonly widthPx: number
  /** Dashes on the map as lengths of line and gap; empty is a solid line. */
  readonly dash: readonly number[]
  readonly arrow: 'triangle' | 'tee' | 'vee' | 'circle' | 'diamond'
  /** 0 is well, higher is worse. */
  readonly severity: number
  readonly meaning: string
}

export const LOOKS: Readonly<Record<LinkState, Look>> = {
  up: { word: 'up', mark: '·', colour: '--s-up', widthPx: 1.2, dash: [], arrow: 'triangle', severity: 0, meaning: 'answers as it should' },
  slow: {
    word: 'slow',
    mark: 'S',
    colour: '--s-slow',
    widthPx: 2.5,
    dash: [14, 4],
    arrow: 'triangle',
    severity: 2,
    meaning: 'answers late',
  },
  lossy: {
    word: 'lossy',
    mark: 'L',
    colour: '--s-lossy',
    widthPx: 2.5,
    dash: [7, 5],
    arrow: 'triangle',
    severity: 3,
    meaning: 'some probes get no answer',
  },
  partial: {
    word: 'partial',
    mark: '½',
    colour: '--s-partial',
    widthPx: 3,
    dash: [12, 4, 3, 4],
    arrow: 'diamond',
    severity: 4,
    meaning: 'some flows are dead, others are well',
  },
  'one-way': {
    word: 'one-way',
    mark: '→',
    colour: '--s-one-way',
    widthPx: 3,
    dash: [],
    arrow: 'vee',
    severity: 5,
    meaning: 'one direction is dead; on the map a bar stands where nothing arrives',
  },
  down: {
    word: 'down',
    mark: '✕',
    colour: '--s-down',
    widthPx: 3,
    dash: [3, 4],
    arrow: 'tee',
    severity: 6,
    meaning: 'nothing is answered',
  },
  stale: {
    word: 'stale',
    mark: '○',
    colour: '--s-stale',
    widthPx: 1.5,
    dash: [2, 7],
    arrow: 'circle',
    severity: 1,
    meaning: 'the observer is silent; nobody can say',
  },
  unknown: {
    word: 'unknown',
    mark: '?',
    colour: '--s-unknown',
    widthPx: 1,
    dash: [1, 6],
    arrow: 'circle',
    severity: 0.5,
    meaning: 'not probed yet',
  },
}

/** A link that cannot be probed, for a reason that is no trouble: its other end only calls out, or no datagrams pass. */
export const UNPROBEABLE: Look = {
  word: 'no probe',
  mark: '–',
  colour: '--s-unknown',
  widthPx: 1,
  dash: [2, 8],
  arrow: 'circle',
  // Below well: it says nothing, so anything else that is known goes before it.
  severity: -1,
  meaning: 'cannot be probed, such as a node that only calls out; no trouble',
}

/** The contract has the same; a test keeps them equal. */
export function isUnprobeable(link: Pick<GraphLink, 'state' | 'detail' | 'toType'>): boolean {
  return link.state === 'unknown' && link.toType === 'node' && (link.detail?.startsWith('cannot be probed') ?? false)
}

export function anyUnprobeable(links: Iterable<GraphLink>): boolean {
  for (const link of links) if (isUnprobeable(link)) return true
  return false
}

export function lookOf(link: Pick<GraphLink, 'state' | 'detail' | 'toType'>): Look {
  return isUnprobeable(link) ? UNPROBEABLE : LOOKS[link.state]
}

/** Worst first: the order of legends, lists and tables. */
export const STATES: readonly LinkState[] = (Object.keys(LOOKS) as LinkState[]).sort((a, b) => LOOKS[b].severity - LOOKS[a].severity)

export function isTroubled(state: LinkState): boolean {
  return state !== 'up' && state !== 'unknown'
}

export function worst(states: Iterable<LinkState>): LinkState | null {
  let found: LinkState | null = null
  for (const state of states) if (found === null || LOOKS[state].severity > LOOKS[found].severity) found = state
  return found
}

/** A node's state borrows the look of the link state that a person would take it for. */
const NODE_LOOKS: Readonly<Record<NodeState, LinkState>> = { up: 'up', suspect: 'slow', down: 'down', left: 'unknown' }
export function nodeLook(state: NodeState): Look {
  return { ...LOOKS[NODE_LOOKS[state]], word: state, mark: state === 'up' ? '·' : state === 'down' ? '✕' : state === 'left' ? '–' : '?' }
}

const DEGRADED_WORDS = { 'hears-nobody': 'hears nobody', busy: 'busy', 'socket-drops': 'drops packets' } as const
export function degradedWords(node: Pick<GraphNode, 'degraded'>): string {
  return node.degraded.map((reason) => DEGRADED_WORDS[reason]).join(', ')
}

const LIE_WORDS: Readonly<Record<Lie, string>> = {
  'two-rows':
    'It signed two different rows under one version: it runs twice with one key, or it lies. Stop one of the two; if there is only one, remove it.',
  'forged-row': 'It sent a row that the row’s owner did not sign. Honest nodes never do: look at that host, or remove it.',
  'too-large': 'It signed a row larger than any that an honest node makes. Look at that host, or remove it.',
}
/** What a node was caught at and what to do, a sentence each. */
export function lieSentences(node: Pick<GraphNode, 'lies'>): string[] {
  return node.lies.map((lie) => LIE_WORDS[lie])
}

/** The state with its particulars, as a phrase: "one-way: nothing that a sends reaches b". */
export function stateWords(link: Pick<GraphLink, 'from' | 'to' | 'state' | 'dead' | 'lossRatio' | 'detail'>): string {
  const { from, to, state } = link
  switch (state) {
    case 'up':
      return 'up: answers as it should'
    case 'slow':
      return 'slow: answers come, but later than usual'
    case 'lossy':
      return link.lossRatio === null ? 'lossy: some probes get no answer' : `lossy: ${percent(link.lossRatio)} of probes get no answer`
    case 'partial':
      return 'partial: some flows are dead while others are well'
    case 'one-way':
      return `one-way: ${deadWords(link.dead, from, to)}`
    case 'down':
      return link.detail ? `down: ${link.detail}` : `down: ${to} answers none of the probes`
    case 'stale':
      return `stale: ${from} has been silent for too long, so nobody can say`
    case 'unknown':
      return `unknown: ${link.detail ?? 'not probed yet'}`
  }
}

function deadWords(dead: Direction | null, from: string, to: string): string {
  if (dead === 'out') return `nothing that ${from} sends reaches ${to}`
  if (dead === 'in') return `${to} hears ${from}, but nothing comes back`
  return 'one direction is dead'
}

export function percent(ratio: number): string {
  const value = ratio * 100
  if (value > 0 && value < 0.1) return '<0.1 %'
  return `${value >= 10 || value === 0 ? Math.round(value) : value.toFixed(1)} %`
}

export function milliseconds(value: number): string {
  if (value >= 1_000) return `${(value / 1_000).toFixed(1)} s`
  if (value >= 100) return `${Math.round(value)} ms`
  return `${value >= 10 ? value.toFixed(1) : value.toFixed(2)} ms`
}
