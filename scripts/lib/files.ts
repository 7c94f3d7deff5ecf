import { spawnSync } from 'node:child_process'
import { globSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

export const root = dirname(dirname(import.meta.dirname))

/** Files of the project: what git follows or would; without git, all that is not plainly made by a tool. */
export function projectFiles(): string[] {
  const git = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  const paths =
    git.status === 0 ? git.stdout.split('\0') : globSync('{*,.ci/*,{bench,bin,console,docs,scripts,src,test}/**}', { cwd: root })
  return paths.filter((path) => path !== '' && (statSync(join(root, path), { throwIfNoEntry: false })?.isFile() ?? false))
}
