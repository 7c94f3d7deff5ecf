export { targetAddress } from './address.ts'
export { createProber, type Prober, type ProberCounters, type ProberOptions } from './prober.ts'
