import { z } from 'zod'
import { ERRORS, type ErrorCode } from './errors.ts'
import { JournalEvent } from './events.ts'
import { GraphLink, GraphNode, GraphTarget } from './graph.ts'
import { Identity, Label } from './ids.ts'
import { SamplePoint } from './samples.ts'
import { LinkState } from './states.ts'

/** Answer to any request that failed. */
export const ApiError = z.object({
  error: z.object({
    code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
    message: z.string(),
    next: z.string(),
  }),
})
export type ApiError = z.infer<typeof ApiError>

/** One trouble in the widest words that are true; many links may stand behind it. */
export const Trouble = z.object({
  what: z.string().describe('one clause, without the time'),
  since: z.iso.datetime().nullable(),
  more: z.string().describe('what else is known, as a sentence; may be empty'),
  state: LinkState.describe('how bad it is, in the terms of a link'),
  links: z.number().int().describe('how many links it explains'),
  about: z
    .discriminatedUnion('type', [
      z.object({ type: z.literal('node'), id: Label }),
      z.object({ type: z.literal('target'), id: Label }),
      z.object({ type: z.literal('link'), from: Label, to: Label }),
      z.object({ type: z.literal('sites'), from: Label, to: Label }),
    ])
    .describe('where to look first'),
})
export type Trouble = z.infer<typeof Trouble>

/** The rundown: is all well, and if not, what and since when. */
export const Rundown = z.object({
  well: z.boolean(),
  headline: z.string().describe('one sentence for a tired person'),
  at: z.iso.datetime(),
  self: Label,
  hash: z.string(),
  counts: z.object({
    nodes: z.number().int(),
    nodesUp: z.number().int(),
    targets: z.number().int(),
    targetsUp: z.number().int(),
    links: z.number().int(),
    linksTroubled: z.number().int(),
  }),
  troubles: z.array(Trouble).describe('each trouble once, worst first; the headline tells the first'),
  nodes: z.array(GraphNode).describe('nodes that are not up, or whose own view is degraded'),
  links: z.array(GraphLink).describe('links that are not up, worst first'),
})
export type Rundown = z.infer<typeof Rundown>

/** The evidence behind a link's state, in words and in numbers. */
export const Why = z.object({
  link: GraphLink,
  sentences: z.array(z.string()).describe('the explanation, one fact a line, most important first'),
  otherWay: GraphLink.nullable().describe('the link in the other direction, between nodes'),
  viaOthers: z.array(GraphLink).describe('how the other nodes see the same target'),
  points: z.array(SamplePoint).describe('the last minute, second by second, where this node keeps it'),
})
export type Why = z.infer<typeof Why>

/** One line of the timeline: a journal event in words. */
export const TimelineEntry = z.object({
  seq: z.number().int(),
  at: z.iso.datetime(),
  text: z.string(),
  tone: z.enum(['good', 'bad', 'plain']),
  event: JournalEvent,
})
export type TimelineEntry = z.infer<typeof TimelineEntry>

export const History = z.object({
  from: Label,
  to: Label,
  stepMs: z.number().int().describe('width of a bucket'),
  points: z.array(SamplePoint),
  turns: z.array(TimelineEntry).describe("the link's changes of state in the window, oldest first"),
})
export type History = z.infer<typeof History>

/** How far back the graph can be shown, and when it changed: what a slider over the past needs. */
export const Past = z.object({
  from: z.iso.datetime().nullable().describe('the oldest time of which a graph is kept; null when there is none'),
  to: z.iso.datetime(),
  moments: z
    .array(z.object({ at: z.iso.datetime(), changes: z.number().int(), bad: z.number().int() }))
    .describe('buckets of the asked range in which something changed, oldest first; `at` is when the last of it changed'),
})
export type Past = z.infer<typeof Past>

/** The grid's key, by its public name; the key itself is never told. */
export const Keys = z.object({
  grid: z.string().describe('public name of the grid; stays through changes of key'),
  generation: z.number().int().positive().describe('1 for the first key, one more with each change'),
  key: z.string().describe('public name of the key'),
  since: z.iso.datetime().nullable().describe('when this node took the key; null for the first'),
  by: Label.nullable().describe('the node on which the key was changed; null for the first'),
  waiting: z.array(Label).describe('nodes that have not yet been heard under this key'),
  removed: z.array(z.object({ identity: Identity, id: Label, by: Label, at: z.iso.datetime() })).describe('nodes that may not come back'),
})
export type Keys = z.infer<typeof Keys>
export const KeysChange = z.object({
  remove: Label.optional().describe('a node that shall not get the new key'),
  force: z.boolean().default(false).describe('go on though some nodes run a version that cannot take a new key'),
})
export type KeysChange = z.infer<typeof KeysChange>

export const Timeline = z.object({ entries: z.array(TimelineEntry).describe('newest first') })
export type Timeline = z.infer<typeof Timeline>

export const Invitation = z.object({
  command: z.string().describe('to paste on the other host'),
  token: z.string(),
  expiresAt: z.iso.datetime(),
})
export type Invitation = z.infer<typeof Invitation>

export const ConsoleLink = z.object({ url: z.string() })
export type ConsoleLink = z.infer<typeof ConsoleLink>

/** One thing that `doctor` looked at. */
export const Check = z.object({
  name: z.string(),
  ok: z.boolean(),
  found: z.string(),
  next: z.string().nullable().describe('what to do, when not ok'),
})
export type Check = z.infer<typeof Check>
export const Doctor = z.object({ checks: z.array(Check) })
export type Doctor = z.infer<typeof Doctor>

/** A fault that the demo's relay can make. */
export const DemoFault = z.object({
  id: z.string(),
  title: z.string(),
  expect: z.string().describe('what the map should show soon'),
  on: z.boolean(),
})
export type DemoFault = z.infer<typeof DemoFault>
export const Demo = z.object({ simulated: z.boolean(), faults: z.array(DemoFault) })
export type Demo = z.infer<typeof Demo>
export const DemoSwitch = z.object({ id: z.string().max(64), on: z.boolean() })
export type DemoSwitch = z.infer<typeof DemoSwitch>

export const Nodes = z.object({ nodes: z.array(GraphNode) })
export type Nodes = z.infer<typeof Nodes>

/** A target with every node's view of it. */
export const TargetView = GraphTarget.extend({ links: z.array(GraphLink) })
export type TargetView = z.infer<typeof TargetView>
export const Targets = z.object({ targets: z.array(TargetView) })
export type Targets = z.infer<typeof Targets>

/**
 * Server-sent events of `/api/events`. `graph` carries a whole Graph: first on connecting, then whenever a node
 * or target comes, goes or changes. `links` carries the links that changed since, measurements included, at most once
 * a second. `change` carries a TimelineEntry.
 */
export const LinksChanged = z.object({ hash: z.string(), at: z.iso.datetime(), links: z.array(GraphLink) })
export type LinksChanged = z.infer<typeof LinksChanged>
export const EVENT_NAMES = ['graph', 'links', 'change'] as const

/** Windows that `history` takes, with the width of their buckets. */
export const HISTORY_WINDOWS = {
  '15m': { spanMs: 900_000, stepMs: 1_000 },
  '1h': { spanMs: 3_600_000, stepMs: 1_000 * 2 },
  '1d': { spanMs: 86_400_000, stepMs: 60_000 },
  '30d': { spanMs: 2_592_000_000, stepMs: 1_800_000 },
} as const
export const HistoryWindow = z.enum(['15m', '1h', '1d', '30d'])
export type HistoryWindow = z.infer<typeof HistoryWindow>
