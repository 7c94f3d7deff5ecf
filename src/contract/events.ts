import { z } from 'zod'
import { Identity, Label } from './ids.ts'
import { Degraded, Direction, Lie, LinkState, NodeState, ProbeKind } from './states.ts'

/**
 * What happened, as kept in the journal. Append only: a new kind may be added, a kept one never changes its meaning.
 * `node.*` and `link.*` are what this node saw or learned; times are this node's wall clock.
 */
export const JournalEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('node.started'), id: Label, site: Label, incarnation: z.number().int(), program: z.string() }),
  z.object({ type: z.literal('node.stopped'), reason: z.string() }),
  z.object({ type: z.literal('member.changed'), identity: Identity, id: Label, site: Label, from: NodeState.nullable(), to: NodeState }),
  z.object({
    type: z.literal('link.changed'),
    fromNode: Label,
    toName: Label,
    toType: z.enum(['node', 'target']),
    kind: ProbeKind,
    from: LinkState,
    to: LinkState,
    dead: Direction.nullable(),
    detail: z.string().nullable(),
  }),
  z.object({ type: z.literal('observer.degraded'), id: Label, reasons: z.array(Degraded) }),
  z.object({ type: z.literal('id.conflict'), identity: Identity, wanted: Label, shown: Label }),
  z.object({ type: z.literal('row.forked'), identity: Identity, id: Label, incarnation: z.number().int(), version: z.number().int() }),
  /** `two-rows` is told by row.forked. */
  z.object({ type: z.literal('node.lied'), identity: Identity, id: Label, lie: Lie }),
  z.object({ type: z.literal('node.removed'), identity: Identity, id: Label, by: Label }),
  /** The grid has a new key, and this node holds it. `key` is its public name. */
  z.object({ type: z.literal('key.changed'), generation: z.number().int(), key: z.string(), by: Label }),
  /** This node itself was removed: it holds no key of the grid any more. */
  z.object({ type: z.literal('grid.removed'), by: Label }),
  z.object({ type: z.literal('invitation.made'), invitation: z.string(), expiresAt: z.iso.datetime() }),
  z.object({ type: z.literal('invitation.used'), invitation: z.string(), by: Identity }),
  z.object({ type: z.literal('invitation.refused'), reason: z.string() }),
  z.object({ type: z.literal('fault.switched'), fault: z.string(), on: z.boolean() }),
])
export type JournalEvent = z.infer<typeof JournalEvent>

/** A journal event in its place: `seq` counts from 1 without gaps, `hash` covers the event and the hash before it. */
export const JournalEntry = z.object({
  seq: z.number().int().positive(),
  at: z.iso.datetime(),
  event: JournalEvent,
  hash: z.string(),
})
export type JournalEntry = z.infer<typeof JournalEntry>
