import { join } from 'node:path'
import { z } from 'zod'

/** What a running node writes into its data folder (0600), so that commands find it. Gone when it stops. */
export const NodeFile = z.object({
  url: z.url({ protocol: /^https?$/ }).describe('where its API answers on this host'),
  pid: z.number().int().positive(),
  id: z.string(),
  startedAt: z.iso.datetime(),
})
export type NodeFile = z.infer<typeof NodeFile>

export const nodeFilePath = (dataDir: string): string => join(dataDir, 'node.json')
/** The API's bearer token, one line (0600). It outlives the process. */
export const tokenPath = (dataDir: string): string => join(dataDir, 'token')
