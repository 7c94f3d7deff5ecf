import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs'
import { open, rename, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { MidwatchError } from '../contract/errors.ts'
import { systemRandomness } from './random.ts'

/**
 * Replaces a file whole: after a crash at any moment it holds the old bytes or the new ones, never a part. The new bytes are
 * on the disk (fsync of the file, then of its folder) before the promise resolves. Readable by its owner alone, unless told.
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array, mode = 0o600): Promise<void> {
  const temporary = `${path}.${Buffer.from(systemRandomness.bytes(6)).toString('hex')}.tmp`
  try {
    const file = await open(temporary, 'wx', mode)
    try {
      await file.writeFile(data)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await unlink(temporary).catch(() => {})
    throw error
  }
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** A file that is written piece by piece under a temporary name; it gets its own with `keep`, when all of it is on the disk. */
export type FileInPieces = { write(text: string): Promise<void>; keep(): Promise<void>; discard(): Promise<void> }

export async function writeInPieces(path: string): Promise<FileInPieces> {
  const temporary = `${path}.tmp`
  const file = await open(temporary, 'w', 0o600)
  return {
    write: (text) => file.appendFile(text),
    async keep() {
      await file.sync()
      await file.close()
      await rename(temporary, path)
    },
    async discard() {
      await file.close()
      await unlink(temporary)
    },
  }
}

/** Replaces a file of a few bytes that must be on the disk before the next line runs. Blocks for as long as the disk takes; the folder's entry may be a moment behind. */
export function writeSmallFileNow(path: string, data: string): void {
  const temporary = `${path}.${Buffer.from(systemRandomness.bytes(6)).toString('hex')}.tmp`
  const file = openSync(temporary, 'wx', 0o600)
  try {
    writeSync(file, data)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(temporary, path)
}

/**
 * A file's bytes, or null when there is none. Reads no more than `maxBytes`, whatever the size the file claims (a pipe or a
 * growing file claims none); one byte more is MW_LIMIT.
 */
export async function readFileBounded(path: string, maxBytes: number): Promise<Buffer | null> {
  let file
  try {
    file = await open(path, 'r')
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
  try {
    const chunks: Buffer[] = []
    let sizeBytes = 0
    for (;;) {
      const chunk = Buffer.alloc(Math.min(65_536, maxBytes + 1 - sizeBytes))
      const { bytesRead } = await file.read(chunk, 0, chunk.length, null)
      if (bytesRead === 0) return Buffer.concat(chunks)
      chunks.push(chunk.subarray(0, bytesRead))
      sizeBytes += bytesRead
      if (sizeBytes > maxBytes) throw new MidwatchError('MW_LIMIT', `${path} is larger than ${maxBytes} bytes`)
    }
  } finally {
    await file.close()
  }
}

/** Makes an empty file that only its owner may read, where there is none: another library's own would follow the umask. */
export async function touchPrivate(path: string): Promise<void> {
  const file = await open(path, 'a', 0o600)
  await file.close()
}

/** Renames a file if it is there. */
export async function moveAside(path: string, aside: string): Promise<void> {
  try {
    await rename(path, aside)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

/** Size of a file, 0 when there is none. */
export async function fileSizeBytes(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (isMissing(error)) return 0
    throw error
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
