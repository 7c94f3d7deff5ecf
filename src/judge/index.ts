export * from './links/index.ts'
