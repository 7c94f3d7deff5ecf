import { closeSync, openSync, readSync } from 'node:fs'
import { homedir, hostname } from 'node:os'
import type { Surroundings } from '../node/settings/index.ts'

/** This process's own machine. */
export function surroundings(): Surroundings {
  return {
    env: process.env,
    cwd: process.cwd(),
    home: homedir(),
    isRoot: process.getuid?.() === 0,
    hostname: hostname(),
    readFile: readBounded,
  }
}

/** Text of a file of at most `maxBytes`; null when there is none. Reads from the descriptor, so a file that grows stays bounded. */
export function readBounded(path: string, maxBytes: number): string | null {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    throw error
  }
  try {
    const buffer = Buffer.alloc(Math.min(maxBytes + 1, 65_536))
    const parts: Buffer[] = []
    for (let bytes = 0, read = 1; read > 0; bytes += read) {
      if (bytes > maxBytes) throw new Error(`the file is larger than ${maxBytes} bytes`)
      read = readSync(file, buffer)
      parts.push(Buffer.from(buffer.subarray(0, read)))
    }
    return Buffer.concat(parts).toString('utf8')
  } finally {
    closeSync(file)
  }
}
