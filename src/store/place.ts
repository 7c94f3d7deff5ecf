import { dirname, join } from 'node:path'
import { fileSizeBytes, moveAside, touchPrivate } from '../platform/index.ts'

/** The files of a SQLite database: its pages, write-ahead log and the log's index. */
const SUFFIXES = ['', '-wal', '-shm'] as const

/** Makes the file, so that it is its owner's alone; SQLite gives the other two the same mode. */
export const prepareFile = (path: string): Promise<void> => touchPrivate(path)

/**
 * Moves a database that cannot be used out of the way, and answers where to. It is never deleted. Its log goes along under the
 * matching name, so that sqlite3 can still open what is left.
 */
export async function setAside(path: string, nowMs: number): Promise<string> {
  const aside = `${path}.damaged-${stamp(nowMs)}`
  for (const suffix of SUFFIXES) await moveAside(`${path}${suffix}`, `${aside}${suffix}`)
  return aside
}

/** Beside a database: where its journal is saved to when it is set aside. */
export function journalFileBeside(path: string, nowMs: number): string {
  return join(dirname(path), `journal-${stamp(nowMs)}.jsonl`)
}

function stamp(nowMs: number): string {
  return new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d+/g, '')
}

/** What the database takes on the disk. */
export async function sizeOnDisk(path: string): Promise<number> {
  const sizes = await Promise.all(SUFFIXES.map((suffix) => fileSizeBytes(`${path}${suffix}`)))
  return sizes.reduce((sum, bytes) => sum + bytes, 0)
}
