export { mergeGraph, type NodeFacts, type RowLink } from './graph.ts'
export { assignLabels } from './labels.ts'
export { NODE_POLICY, TARGET_POLICY } from './policy.ts'
export { createVerdict, type LinkVerdict, type Verdict, type VerdictSample } from './verdict.ts'
