export { FIELDS, fieldsOfTarget, type Described } from './fields.ts'
export { findDataDir, loadSettings, type Flags, type Loaded } from './load.ts'
export { NodeFile, nodeFilePath, tokenPath } from './node-file.ts'
export type { Surroundings } from './places.ts'
