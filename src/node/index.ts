export { startDemo, type DemoOptions, type RunningDemo } from './demo.ts'
export { startNode, type RunningNode, type StartOptions } from './node.ts'
export { PROGRAM_VERSION } from './version.ts'
