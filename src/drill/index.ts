export type { DemoNode, FailingService } from './faults.ts'
export { createRelay, type Relay, type RelayCounters, type RelayOptions } from './relay.ts'
export { createDemoService, type DemoService } from './service.ts'
