export { startDemo, type DemoOptions, type RunningDemo } from './demo.ts'
export { startNode, type RunningNode, type StartOptions } from './node.ts'
