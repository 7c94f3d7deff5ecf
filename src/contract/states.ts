import { z } from 'zod'

/** What one node says of one target. The order is from well to bad; `stale` and `unknown` mean that nobody can say. */
export const LinkState = z.enum(['up', 'slow', 'lossy', 'partial', 'one-way', 'down', 'stale', 'unknown'])
export type LinkState = z.infer<typeof LinkState>

/** States that a person has to look at. `unknown` is not one of them: a link just made has not been probed yet. */
export const TROUBLED: ReadonlySet<LinkState> = new Set(['slow', 'lossy', 'partial', 'one-way', 'down', 'stale'])

/** Which half of a one-way link is dead: `out` is from the link's node to its target. */
export const Direction = z.enum(['out', 'in'])
export type Direction = z.infer<typeof Direction>

/** Membership: is the node alive. `left` said goodbye. */
export const NodeState = z.enum(['up', 'suspect', 'down', 'left'])
export type NodeState = z.infer<typeof NodeState>

/** How a target is probed. Nodes are always probed by `udp`. */
export const ProbeKind = z.enum(['udp', 'tcp', 'http', 'tls', 'dns', 'icmp'])
export type ProbeKind = z.infer<typeof ProbeKind>

/**
 * What a node was caught at. `two-rows`: it signed two different rows under one version. `forged-row`: it sent a row that the row's owner did not
 * sign. `too-large`: it signed a row that no honest node makes.
 */
export const Lie = z.enum(['two-rows', 'forged-row', 'too-large'])
export type Lie = z.infer<typeof Lie>

/** Why an observer says that its own view is not to be trusted. */
export const Degraded = z.enum(['hears-nobody', 'busy', 'socket-drops'])
export type Degraded = z.infer<typeof Degraded>
