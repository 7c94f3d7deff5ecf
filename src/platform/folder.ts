import { opendir, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'

/** Regular files under a folder, as paths relative to it with `/`; links are not followed. An absent folder has none. */
export async function listFolder(dir: string, maxFiles: number): Promise<string[]> {
  const found: string[] = []
  if ((await stat(dir).catch(() => null))?.isDirectory() !== true) return found
  for await (const entry of await opendir(dir, { recursive: true })) {
    if (!entry.isFile()) continue
    found.push(relative(dir, join(entry.parentPath, entry.name)).split(sep).join('/'))
    if (found.length >= maxFiles) break
  }
  return found
}
