import { z } from 'zod'
import { Identity, Label } from './ids.ts'
import { Degraded, Direction, Lie, LinkState, NodeState, ProbeKind } from './states.ts'

const Iso = z.iso.datetime()

export const GraphNode = z.object({
  id: Label.describe('label, unique in this graph'),
  identity: Identity,
  site: Label,
  state: NodeState,
  since: Iso.nullable().describe('when this node saw that state begin'),
  address: z.string().nullable().describe('host:port that the grid uses to reach it'),
  program: z.string().describe('version of Midwatch that it runs'),
  incarnation: z.number().int().nonnegative(),
  rowVersion: z.number().int().nonnegative(),
  rowAgeMs: z.number().nonnegative().describe("time since its owner was last heard, by the receiver's clock"),
  degraded: z.array(Degraded).describe('why its own view is not to be trusted'),
  callsOut: z.boolean().describe('true for a node that can only call out: it takes part, and nobody can probe it'),
  lies: z.array(Lie).describe('what this node caught it at; what it says is not to be trusted'),
  wantedId: Label.nullable().describe('the label it asked for, when another node holds it'),
  self: z.boolean().describe('true for the node that answers'),
})
export type GraphNode = z.infer<typeof GraphNode>

export const GraphTarget = z.object({
  id: Label,
  kind: ProbeKind,
  address: z.string().describe('without user, password or query'),
  site: Label.nullable(),
})
export type GraphTarget = z.infer<typeof GraphTarget>

export const GraphLink = z.object({
  from: Label.describe('id of the node that looks'),
  to: Label.describe('id of a node (toType node) or of a target (toType target)'),
  toType: z.enum(['node', 'target']),
  kind: ProbeKind,
  state: LinkState,
  says: LinkState.describe('what the observer itself said, before other rows were weighed'),
  dead: Direction.nullable().describe('for one-way: the direction that is dead'),
  since: Iso.nullable(),
  lossRatio: z.number().min(0).max(1).nullable(),
  rttMsP50: z.number().nonnegative().nullable(),
  detail: z.string().nullable().describe('one short line, such as "status 503, wanted 200"'),
})
export type GraphLink = z.infer<typeof GraphLink>

/** Details of links that say more than words: other nodes and the rundown go by them. */
export const LINK_DETAILS = {
  callsOut: 'cannot be probed: it only calls out',
  noDatagrams: 'cannot be probed: no UDP passes here',
  oldVersion: 'cannot be probed: its version answers no node that only calls out',
  /** At the end, perhaps after one of the others. */
  line: 'a line is open to it',
} as const

/** Nobody can say anything of this link by probes, for a reason that is no trouble. */
export function cannotBeProbed(link: Pick<GraphLink, 'state' | 'detail' | 'toType'>): boolean {
  return link.state === 'unknown' && link.toType === 'node' && (link.detail?.startsWith('cannot be probed') ?? false)
}

/** The graph as one node sees it. `hash` covers only what the rows say and is equal on every node of a settled grid. */
export const Graph = z.object({
  hash: z.string().regex(/^[0-9a-f]{32}$/),
  at: Iso,
  grid: z.string().describe("short name of the grid, made from its key's hash"),
  self: Label,
  simulated: z.boolean().describe('true when the faults are made by a relay: midwatch demo'),
  nodes: z.array(GraphNode),
  targets: z.array(GraphTarget),
  links: z.array(GraphLink),
})
export type Graph = z.infer<typeof Graph>
