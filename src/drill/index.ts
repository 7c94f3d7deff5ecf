export { createRelay, type Relay } from './relay.ts'
export { createDemoService, type DemoService } from './service.ts'
