import { createRoute, z } from '@hono/zod-openapi'
import {
  ApiError,
  ConsoleLink,
  Demo,
  DemoSwitch,
  Doctor,
  Graph,
  History,
  HistoryWindow,
  Invitation,
  Keys,
  KeysChange,
  Label,
  LIMITS,
  LinksChanged,
  Nodes,
  Past,
  Rundown,
  Targets,
  Timeline,
  TimelineEntry,
  Why,
} from '../contract/index.ts'

/** Schemas that the OpenAPI document lists by name. */
export const NAMED = {
  ApiError,
  ConsoleLink,
  Demo,
  DemoSwitch,
  Doctor,
  Graph,
  GraphLink: Graph.shape.links.element,
  GraphNode: Graph.shape.nodes.element,
  GraphTarget: Graph.shape.targets.element,
  History,
  Invitation,
  Keys,
  KeysChange,
  LinksChanged,
  Nodes,
  Past,
  Rundown,
  SamplePoint: History.shape.points.element,
  TargetView: Targets.shape.targets.element,
  Targets,
  Timeline,
  TimelineEntry,
  Why,
} as const

const failure = (description: string) => ({ description, content: { 'application/json': { schema: ApiError } } })
const BAD = failure('MW_BAD_REQUEST: the message names the field')
const NO_TOKEN = failure('MW_TOKEN: no token, or a wrong one')
const FORBIDDEN = failure('MW_FORBIDDEN: from a place or page that is not allowed')
const LIMITED = failure('MW_LIMIT: a bound was reached')

const ok = <T extends z.ZodType>(schema: T, description: string) => ({ description, content: { 'application/json': { schema } } })
// Written out, not spread into each other: a spread turns status codes into strings, which the handlers' types then miss.
const answers = <T extends z.ZodType>(schema: T, description: string) => ({
  200: ok(schema, description),
  400: BAD,
  401: NO_TOKEN,
  403: FORBIDDEN,
})
const answersOrNone = <T extends z.ZodType>(schema: T, description: string) => ({
  200: ok(schema, description),
  400: BAD,
  401: NO_TOKEN,
  403: FORBIDDEN,
  404: failure('MW_UNKNOWN_NAME, MW_NOT_PROBED, MW_NOT_FOUND or MW_NO_PAST: there is no such thing here'),
})

/** From 1970 to 9999: what a date can be made of. */
const Time = z.iso.datetime({ offset: true })

const Ends = z.object({
  from: Label.describe('id of the node that looks'),
  to: Label.describe('id of the node or target that it looks at'),
})

const line = (description: string) => ({ description, content: { 'text/plain': { schema: z.string() } } })
/** No token needed. */
const OPEN_TO_ALL: { [name: string]: string[] }[] = []

export const routes = {
  health: createRoute({
    method: 'get',
    path: '/healthz',
    summary: 'Does the process answer',
    security: OPEN_TO_ALL,
    responses: { 200: line('it does') },
  }),
  ready: createRoute({
    method: 'get',
    path: '/readyz',
    summary: 'Does the node listen and probe',
    security: OPEN_TO_ALL,
    responses: { 200: line('it does'), 503: line('not yet, and what it waits for') },
  }),
  metrics: createRoute({
    method: 'get',
    path: '/metrics',
    summary: 'Figures for Prometheus',
    description: 'Without a token where the setting `metrics` says so.',
    responses: { 200: line('the text format, 0.0.4'), 401: NO_TOKEN, 403: FORBIDDEN },
  }),
  graph: createRoute({
    method: 'get',
    path: '/api/graph',
    summary: 'What can reach what, now or at a time past',
    request: { query: z.object({ at: Time.optional().describe('a time past; now unless given') }) },
    responses: answersOrNone(Graph, 'the graph'),
  }),
  past: createRoute({
    method: 'get',
    path: '/api/past',
    summary: 'How far back the graph can be shown, and when it changed',
    request: {
      query: z.object({
        from: Time.optional().describe('begin of the range; the oldest time kept unless given'),
        to: Time.optional().describe('end of the range; now unless given'),
      }),
    },
    responses: answers(Past, 'the reach and the changes'),
  }),
  status: createRoute({
    method: 'get',
    path: '/api/status',
    summary: 'The rundown: is all well, and if not, what and since when',
    responses: answers(Rundown, 'the rundown'),
  }),
  nodes: createRoute({ method: 'get', path: '/api/nodes', summary: 'Every node', responses: answers(Nodes, 'the nodes') }),
  targets: createRoute({
    method: 'get',
    path: '/api/targets',
    summary: 'Every target, with every view of it',
    responses: answers(Targets, 'the targets'),
  }),
  why: createRoute({
    method: 'get',
    path: '/api/why',
    summary: "What is behind a link's state",
    request: { query: Ends },
    responses: answersOrNone(Why, 'the evidence, in words and numbers'),
  }),
  history: createRoute({
    method: 'get',
    path: '/api/history',
    summary: 'Loss and round-trip of a link over time',
    request: { query: Ends.extend({ window: HistoryWindow.default('15m') }) },
    responses: answersOrNone(History, 'buckets, oldest first'),
  }),
  timeline: createRoute({
    method: 'get',
    path: '/api/timeline',
    summary: 'What changed, newest first',
    request: {
      query: z.object({
        limit: z.coerce.number().int().min(1).max(LIMITS.timelineEntries).default(100),
        before: z.coerce.number().int().min(1).optional().describe('a seq: only older entries'),
        until: Time.optional().describe('a time: no later entries'),
      }),
    },
    responses: answers(Timeline, 'the entries'),
  }),
  keys: createRoute({
    method: 'get',
    path: '/api/keys',
    summary: "The grid's key by its public name, who waits for it, and who was removed",
    responses: answers(Keys, 'the key, never itself'),
  }),
  doctor: createRoute({
    method: 'get',
    path: '/api/doctor',
    summary: 'What the node finds of itself',
    responses: answers(Doctor, 'its checks'),
  }),
  demo: createRoute({
    method: 'get',
    path: '/api/demo',
    summary: 'The faults that a demo can make',
    responses: answersOrNone(Demo, 'the faults'),
  }),
  invite: createRoute({
    method: 'post',
    path: '/api/invite',
    summary: 'Makes an invitation: good once, for ten minutes',
    responses: { 200: ok(Invitation, 'the invitation'), 401: NO_TOKEN, 403: FORBIDDEN, 429: LIMITED },
  }),
  leave: createRoute({
    method: 'post',
    path: '/api/leave',
    summary: 'Leaves the grid; the node runs on alone',
    responses: answers(z.object({}), 'the node has left'),
  }),
  changeKeys: createRoute({
    method: 'post',
    path: '/api/keys',
    summary: "Changes the grid's key; a node that is to be removed does not get the new one",
    request: { body: { required: true, content: { 'application/json': { schema: KeysChange } } } },
    responses: {
      200: ok(Keys, 'the new key'),
      400: BAD,
      401: NO_TOKEN,
      403: FORBIDDEN,
      404: failure('MW_UNKNOWN_NAME: no node has that name'),
      409: failure('MW_OLD_NODES or MW_REMOVED: the message says why not'),
      429: LIMITED,
    },
  }),
  consoleLink: createRoute({
    method: 'post',
    path: '/api/console-link',
    summary: 'A link that opens the console, good until the node restarts',
    responses: answers(ConsoleLink, 'the link'),
  }),
  demoSwitch: createRoute({
    method: 'post',
    path: '/api/demo',
    summary: 'Switches a fault of a demo on or off',
    request: { body: { required: true, content: { 'application/json': { schema: DemoSwitch } } } },
    responses: answersOrNone(Demo, 'the faults'),
  }),
  openapi: createRoute({
    method: 'get',
    path: '/api/openapi.json',
    summary: 'This document',
    responses: answers(z.object({ openapi: z.string() }), 'an OpenAPI 3.1 document'),
  }),
  events: createRoute({
    method: 'get',
    path: '/api/events',
    summary: 'Server-sent events',
    description:
      '`graph` carries a Graph: first, and whenever a node or target comes, goes or changes. `links` carries a LinksChanged, `change` a TimelineEntry. ' +
      'A client that reads too slowly misses events and then gets a `graph`.',
    responses: {
      200: { description: 'a stream that does not end', content: { 'text/event-stream': { schema: z.string() } } },
      401: NO_TOKEN,
      403: FORBIDDEN,
      429: LIMITED,
    },
  }),
} as const
