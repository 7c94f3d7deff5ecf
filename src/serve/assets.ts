import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { listFolder, readFileBounded } from '../platform/index.ts'

/** One file of the console, as it is sent. */
export type Asset = {
  readonly type: string
  readonly bytes: Buffer
  readonly gzipped: Buffer | null
  readonly etag: string
  /** Its name holds its hash: it may be kept for ever. */
  readonly immutable: boolean
}

export type Assets = { find(path: string): Promise<Asset | null> }

const FILES_MAX = 2_000
const FILE_BYTES_MAX = 8_388_608
const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  json: 'application/json; charset=utf-8',
  map: 'application/json; charset=utf-8',
  webmanifest: 'application/manifest+json; charset=utf-8',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
  png: 'image/png',
  ico: 'image/x-icon',
  woff2: 'font/woff2',
}
const compress = promisify(gzip)

/**
 * The files of a folder. Its list is taken once, at the first request, and only what stands in it is served: no path can lead outside.
 * A file is read once and kept; the console is small.
 */
export function createAssets(dir: string | null): Assets {
  let listed: Promise<Set<string>> | null = null
  const loaded = new Map<string, Promise<Asset | null>>()
  return {
    async find(path) {
      if (dir === null) return null
      listed ??= listFolder(dir, FILES_MAX).then((files) => new Set(files))
      if (!(await listed).has(path)) return null
      const ready = loaded.get(path) ?? load(dir, path)
      loaded.set(path, ready)
      ready.catch(() => loaded.delete(path))
      return ready
    },
  }
}

async function load(dir: string, path: string): Promise<Asset | null> {
  const bytes = await readFileBounded(join(dir, path), FILE_BYTES_MAX)
  if (bytes === null) return null
  const type = TYPES[path.slice(path.lastIndexOf('.') + 1).toLowerCase()] ?? 'application/octet-stream'
  const gzipped = /^text|json|svg/.test(type) ? await compress(bytes) : null
  return {
    type,
    bytes,
    gzipped: gzipped !== null && gzipped.length < bytes.length ? gzipped : null,
    etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
    immutable: path.startsWith('assets/'),
  }
}
