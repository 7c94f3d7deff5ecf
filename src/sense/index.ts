export { targetAddress } from './address.ts'
export { createProber, type Prober, type ProberCounters, type ProberOptions } from './prober.ts'
export { createNodeProber, type NodeProber, type NodeSample } from './probes/udp/index.ts'
export { PLAN, planPeers, probeIntervalMs, type PlannedNode } from './probes/udp/plan.ts'
