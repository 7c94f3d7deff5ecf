import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { root, removeFolder } from './folders.ts'
import { run } from './run.ts'

const RELEASE = 'bookworm'
const MIRROR = 'http://deb.debian.org/debian'
/** Part of the cache's name: raise it when what is made below changes. */
const RECIPE = 2

/** A root file system to build on, as a tar: Debian's smallest, with fping. Made once, then kept. */
export async function baseTar(folder: string): Promise<string> {
  const name = createHash('sha256').update(`${RECIPE} ${RELEASE} ${process.arch}`).digest('hex').slice(0, 12)
  const cached = join(root, '.cache', 'image', `base-${name}.tar`)
  if (existsSync(cached)) return cached
  const tree = join(folder, 'base')
  await run(['debootstrap', '--variant=minbase', '--include=fping', RELEASE, tree, await mirror()])
  await run(['chroot', tree, 'apt-get', 'clean'])
  mkdirSync(join(root, '.cache', 'image'), { recursive: true })
  // Package lists and manuals are of no use in it, and each layer copies them.
  const left = ['./var/lib/apt/lists', './usr/share/doc', './usr/share/man', './usr/share/locale', './dev', './proc', './sys']
  const partial = `${cached}.${process.pid}`
  await run([
    'tar',
    '--xattrs',
    '--xattrs-include=security.capability',
    ...left.map((path) => `--exclude=${path}/*`),
    '-C',
    tree,
    '-cf',
    partial,
    '.',
  ])
  renameSync(partial, cached)
  removeFolder(tree)
  return cached
}

/** Where this machine's own apt gets Debian from. */
async function mirror(): Promise<string> {
  const format = ['--format', '$(REPO_URI) $(CODENAME) $(COMPONENT)']
  const lines = await run(['apt-get', 'indextargets', ...format, 'Created-By: Packages']).catch(() => '')
  const own = lines.split('\n').find((line) => line.endsWith(` ${RELEASE} main`))
  return own?.split(' ')[0] ?? MIRROR
}
