export * from './clock.ts'
export * from './network.ts'
export * from './random.ts'
