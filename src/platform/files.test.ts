import { mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { fileSizeBytes, moveAside, readFileBounded, touchPrivate, writeFileAtomic } from './files.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'midwatch-files-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

test('an atomic write replaces the file whole, for its owner alone, and leaves nothing beside it', async () => {
  const path = join(dir, 'key')
  await writeFileAtomic(path, 'first, and longer')
  await writeFileAtomic(path, 'second')
  expect(await readFile(path, 'utf8')).toBe('second')
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect(await readdir(dir)).toEqual(['key'])
})

test('an atomic write that fails leaves the old file and no temporary one', async () => {
  const path = join(dir, 'folder')
  await writeFileAtomic(join(dir, 'keep'), 'old')
  await expect(writeFileAtomic(join(path, 'x'), 'new')).rejects.toMatchObject({ code: 'ENOENT' })
  expect(await readdir(dir)).toEqual(['keep'])
})

test('an atomic write does not follow a link in its place', async () => {
  await writeFile(join(dir, 'other'), 'untouched')
  await symlink(join(dir, 'other'), join(dir, 'link'))
  await writeFileAtomic(join(dir, 'link'), 'new')
  expect(await readFile(join(dir, 'other'), 'utf8')).toBe('untouched')
})

test('a bounded read gives the bytes up to the bound, and MW_LIMIT for one more', async () => {
  const path = join(dir, 'data')
  await writeFile(path, 'x'.repeat(100_000))
  expect((await readFileBounded(path, 100_000))?.length).toBe(100_000)
  await expect(readFileBounded(path, 99_999)).rejects.toMatchObject({ code: 'MW_LIMIT' })
})

test('a bounded read of a file without a size stops at the bound', async () => {
  await expect(readFileBounded('/dev/zero', 1_000)).rejects.toMatchObject({ code: 'MW_LIMIT' })
})

test('a bounded read of a missing file is null', async () => {
  expect(await readFileBounded(join(dir, 'none'), 10)).toBeNull()
})

test('a file is made private, measured and moved aside; a missing one is no error', async () => {
  const path = join(dir, 'a')
  await touchPrivate(path)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  await writeFile(path, '12345')
  await touchPrivate(path)
  expect(await fileSizeBytes(path)).toBe(5)
  await moveAside(path, join(dir, 'b'))
  await moveAside(path, join(dir, 'b'))
  expect(await readdir(dir)).toEqual(['b'])
  expect(await fileSizeBytes(path)).toBe(0)
})
