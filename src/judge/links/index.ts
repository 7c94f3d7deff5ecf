export { mergeGraph, type MergedGraph, type MergeInput, type NodeFacts, type RowLink } from './graph.ts'
export { hashInput, rowHashInput, type HashedRow } from './hash.ts'
export { NODE_POLICY, TARGET_POLICY, type LossRule, type VerdictPolicy } from './policy.ts'
export { createVerdict, type LinkVerdict, type Verdict, type VerdictSample } from './verdict.ts'
