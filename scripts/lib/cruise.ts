import { globSync } from 'node:fs'
import { type ICruiseResult, cruise } from 'dependency-cruiser'
import { ROOMS, forbidden } from '../rooms-table.ts'

export type Violation = { readonly rule: string; readonly from: string; readonly to: string }
export type Rooms = {
  readonly seen: number
  readonly unseen: readonly string[]
  readonly imports: number
  readonly violations: readonly Violation[]
}

const FOLDERS = ['src', 'console']
const SOURCES = '{src,console}/**/*.{ts,svelte}'

/** Follows every import below `root` and holds it against the room table. */
export async function cruiseRooms(root: string): Promise<Rooms> {
  const { output } = await cruise(
    FOLDERS,
    {
      baseDir: root,
      validate: true,
      ruleSet: { forbidden: forbidden.map((rule) => ({ severity: 'error', ...rule })) },
      doNotFollow: { path: 'node_modules' },
      // Types are imports too: without this they vanish before anyone looks.
      tsPreCompilationDeps: true,
    },
    {
      extensions: ['.ts', '.svelte', '.js', '.d.ts'],
      exportsFields: ['exports'],
      conditionNames: ['svelte', 'import', 'node', 'types', 'default'],
    },
  )
  const { modules, summary } = output as ICruiseResult
  const seen = new Set(modules.map((module) => module.source))
  const onDisk = globSync(SOURCES, { cwd: root })
  return {
    seen: onDisk.filter((path) => seen.has(path)).length,
    unseen: onDisk.filter((path) => !seen.has(path)),
    imports: modules.reduce((sum, module) => sum + module.dependencies.length, 0),
    violations: [
      ...summary.violations.map(({ rule, from, to }) => ({ rule: rule.name, from, to })),
      ...onDisk
        .filter((path) => path.startsWith('src/') && !ROOMS[path.split('/')[1]!])
        .map((from) => ({ rule: 'unknown-room', from, to: '' })),
    ],
  }
}
