import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export const root = dirname(dirname(dirname(import.meta.dirname)))
const PREFIX = 'midwatch-image-'

/** A folder for this run, named after its process. What runs left that were killed goes first. */
export function ownFolder(): string {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(name.startsWith(PREFIX) ? name.slice(PREFIX.length) : Number.NaN)
    if (!(pid > 0) || isAlive(pid)) continue
    removeFolder(join(tmpdir(), name))
    spawnSync('ip', ['link', 'delete', bridgeOf(pid)])
  }
  const folder = join(tmpdir(), `${PREFIX}${process.pid}`)
  mkdirSync(folder, { recursive: true })
  return folder
}

/** Unmounts what a Docker daemon left mounted below, deepest first, then removes it all. */
export function removeFolder(folder: string): void {
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${folder}/`))
  for (const path of mounts.toSorted((a, b) => b.length - a.length)) spawnSync('umount', ['--lazy', path])
  rmSync(folder, { recursive: true, force: true })
}

/** The bridge of a run's containers. A daemon that is ended without being asked to tidy up leaves it behind. */
export const bridgeOf = (pid: number): string => `mwimg${pid}`

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
