import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { Identity, SamplePoint } from '../../src/contract/index.ts'

// What test/upgrade/record.ts keeps of a release. Bytes are base64.

export type RecordedStream = { readonly caller: readonly string[]; readonly answerer: readonly string[] }

export type RecordedGrid = {
  readonly release: string
  readonly gridKey: string
  readonly seeds: readonly { readonly identity: Identity; readonly host: string; readonly seed: string }[]
  /** When all agreed and were up; the last one is killed just after. */
  readonly settledMs: number
  /** The hash of all rows at that time, and the rows: as signed, and as that release read them. */
  readonly hash: string
  readonly rows: readonly { readonly identity: Identity; readonly bytes: string; readonly signature: string; readonly row: object }[]
  readonly datagrams: readonly {
    readonly atMs: number
    readonly from: string
    readonly to: string
    readonly lane: number
    readonly bytes: string
  }[]
  /** A full exchange, and the private keys that its two sides made for it: the caller's, then the answerer's (PKCS #8). */
  readonly exchange: RecordedStream & {
    readonly callerHolds: readonly Identity[]
    readonly answererHolds: readonly Identity[]
    readonly keys: readonly string[]
  }
}

export type RecordedFolder = { readonly release: string; readonly files: Readonly<Record<string, string>> }

/** A closed database, and what that release answered from it. */
export type RecordedDatabase = {
  readonly release: string
  readonly userVersion: number
  readonly file: string
  readonly head: { readonly seq: number; readonly hash: string }
  /** Buckets by link and width in ms. */
  readonly history: Readonly<Record<'own' | 'told', Readonly<Record<string, readonly SamplePoint[]>>>>
}

const HOUR_MS = 3_600_000
export const RECORDED_KEEP = {
  budgetBytes: 64 * 2 ** 20,
  keepSecondsMs: HOUR_MS,
  keepTensMs: 24 * HOUR_MS,
  keepMinutesMs: 30 * 24 * HOUR_MS,
}
const RECORDED_FROM_MS = Date.UTC(2026, 0, 5)
/** Forty minutes: some windows are closed, the last one is not. */
export const RECORDED_SAMPLES = {
  fromMs: RECORDED_FROM_MS,
  toMs: RECORDED_FROM_MS + 40 * 60_000,
  links: { own: 'self>target:shop', told: 'other>node:self' },
}

export const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'))

export function recordedGrid(release: string): RecordedGrid {
  return read(release, 'grid') as RecordedGrid
}

export function recordedFolder(release: string): RecordedFolder {
  return read(release, 'folder') as RecordedFolder
}

export function recordedDatabase(release: string): RecordedDatabase {
  return read(release, 'database') as RecordedDatabase
}

function read(release: string, what: string): unknown {
  return JSON.parse(gunzipSync(readFileSync(join(import.meta.dirname, release, `${what}.json.gz`))).toString('utf8'))
}
