import { z } from 'zod'
import { Degraded, Direction, Identity, Label, Lie, LIMITS, LinkState, NodeState, ProbeKind } from '../contract/index.ts'

/** One link as its observer's row told it, without figures: those are samples. */
export const KeptLink = z.object({
  toType: z.enum(['node', 'target']),
  to: z.string().max(LIMITS.labelChars),
  kind: ProbeKind,
  state: LinkState,
  dead: Direction.nullable(),
  sinceMs: z.number().nullable(),
  detail: z.string().max(LIMITS.detailChars).nullable(),
  address: z.string().max(LIMITS.addressChars).nullable(),
  site: Label.nullable(),
})
export type KeptLink = Readonly<z.infer<typeof KeptLink>>

/** All that was known of one node at a time, as judge takes it, but for ages and figures. */
export const KeptNode = z.object({
  identity: Identity,
  id: Label,
  site: Label,
  address: z.string().max(LIMITS.addressChars).nullable(),
  program: z.string(),
  state: NodeState,
  sinceMs: z.number().nullable(),
  incarnation: z.number(),
  version: z.number(),
  degraded: z.array(Degraded).readonly(),
  lies: z.array(Lie).readonly(),
  links: z.array(KeptLink).max(LIMITS.linksPerRow).readonly(),
})
export type KeptNode = Readonly<z.infer<typeof KeptNode>>

/** What stays the same in a run: a stretch of time in which this node wrote down what it knew, without a break. */
export const RunCard = z.object({ self: Identity, grid: z.string() })
export type RunCard = Readonly<z.infer<typeof RunCard>>
