import { readFileSync, rmSync } from 'node:fs'
import { mkdir, open, readdir, rm, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { HostPort, LIMITS, MidwatchError } from '../contract/index.ts'
import type { RingState, Signed } from '../grid/index.ts'
import { readFileBounded, systemClock, writeFileAtomic, writeSmallFileNow, type Randomness } from '../platform/index.ts'

/** The small files of a data folder. The journal and the samples are store's. */
const FILES = {
  lock: 'node.lock',
  /** Seed of the identity, 64 hex digits. */
  identity: 'identity-key',
  gridKey: 'grid-key',
  /** The grid's keys as they changed: the current one too, so that one write changes all. */
  ring: 'grid-ring.json',
  /** The highest incarnation that was ever used. */
  incarnation: 'incarnation',
  /** Addresses of nodes that were known, to start from. */
  peers: 'peers.json',
  /** The rows of all nodes as last heard, signed by them: who is missing after a start where nobody answers. */
  rows: 'rows.json',
  token: 'token',
  /** Where the running node answers, for the command line. */
  node: 'node.json',
} as const

const Lock = z.object({ pid: z.number().int(), started: z.string().nullable() })
const SMALL = 65_536
/** Eight changes of a grid of 2,000 nodes are 3 MB. */
const RING_BYTES_MAX = 8_388_608
const ROWS_BYTES_MAX = 33_554_432
const Rows = z.object({ grid: z.string(), rows: z.array(z.tuple([z.base64(), z.base64()])).max(LIMITS.nodes) })

const base64Bytes = z.base64().transform((text) => new Uint8Array(Buffer.from(text, 'base64')))
const Ring = z.object({
  key: base64Bytes.refine((bytes) => bytes.length === 32),
  takenMs: z.number().nullable(),
  previous: z.array(base64Bytes.refine((bytes) => bytes.length === 32)).max(8),
  changes: z.array(z.object({ bytes: base64Bytes, signature: base64Bytes })).max(LIMITS.keyChanges),
  secrets: z.array(z.tuple([z.string(), base64Bytes])).max(LIMITS.keyChanges),
  replaced: z.array(z.string()),
  outcast: z.object({ by: z.string(), atMs: z.number() }).nullable(),
})

/** What a node remembers from one start to the next. The ephemeral one forgets it all. */
export type Memory = {
  /** The folder, or null without a disk. */
  readonly dir: string | null
  identitySeed(): Promise<Uint8Array>
  gridKey(): Promise<Uint8Array | null>
  setGridKey(key: Uint8Array | null): Promise<void>
  /** Null for a node that has met no change of key. */
  ring(): Promise<RingState | null>
  /** Goes before the grid key, which follows it; null forgets all but that key. */
  setRing(ring: RingState | null): Promise<void>
  /** A new seed in place of the old one. */
  renewIdentity(): Promise<Uint8Array>
  lastIncarnation(): Promise<number>
  /** On the disk when it returns. Errors: the system's. */
  setIncarnation(incarnation: number): void
  peers(): Promise<string[]>
  setPeers(peers: readonly string[]): Promise<void>
  /** Rows kept of that grid, by its name. */
  rows(grid: string): Promise<Signed[]>
  setRows(grid: string, rows: readonly Signed[]): Promise<void>
  /** The API's bearer token. */
  token(): Promise<string>
  setRunning(running: { url: string; id: string; startedAt: string }): Promise<void>
  close(): Promise<void>
}

/** Takes a data folder for this process alone. Errors: MW_DATA_DIR, MW_DATA_BUSY. */
export async function openDataDir(dir: string, random: Randomness): Promise<Memory> {
  const at = (name: keyof typeof FILES): string => join(dir, FILES[name])
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    await takeLock(at('lock'))
    await sweep(dir)
  } catch (error) {
    if (error instanceof MidwatchError) throw error
    throw new MidwatchError('MW_DATA_DIR', `${dir}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }

  async function readText(name: keyof typeof FILES): Promise<string | null> {
    return (await readFileBounded(at(name), SMALL))?.toString('utf8').trim() ?? null
  }
  async function readKey(name: 'identity' | 'gridKey'): Promise<Uint8Array | null> {
    const text = await readText(name)
    if (text === null) return null
    if (!/^[0-9a-f]{64}$/i.test(text))
      throw new MidwatchError('MW_DATA_DIR', `${at(name)} does not hold 64 hex digits; restore it, or remove it to make a new one`)
    return new Uint8Array(Buffer.from(text, 'hex'))
  }
  const write = (name: keyof typeof FILES, text: string): Promise<void> => writeFileAtomic(at(name), `${text}\n`)

  return {
    dir,
    async identitySeed() {
      const known = await readKey('identity')
      if (known) return known
      const seed = random.bytes(32)
      await write('identity', hex(seed))
      return seed
    },
    gridKey: () => readKey('gridKey'),
    setGridKey: (key) => (key ? write('gridKey', hex(key)) : rm(at('gridKey'), { force: true })),
    async ring() {
      const text = (await readFileBounded(at('ring'), RING_BYTES_MAX))?.toString('utf8')
      if (text === undefined) return null
      const ring = Ring.safeParse(safeJson(text)).data
      if (ring) return ring
      throw new MidwatchError('MW_DATA_DIR', `${at('ring')} is damaged; restore it, or remove it and join again with an invitation`)
    },
    async setRing(ring) {
      if (!ring) return rm(at('ring'), { force: true })
      const { key, previous, changes, secrets } = ring
      const text = JSON.stringify({
        ...ring,
        key: base64(key),
        previous: previous.map(base64),
        changes: changes.map(({ bytes, signature }) => ({ bytes: base64(bytes), signature: base64(signature) })),
        secrets: secrets.map(([name, secret]) => [name, base64(secret)]),
      })
      await write('ring', text)
      await write('gridKey', hex(ring.key))
    },
    async renewIdentity() {
      const seed = random.bytes(32)
      await write('identity', hex(seed))
      return seed
    },
    async lastIncarnation() {
      const text = await readText('incarnation')
      return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : 0
    },
    setIncarnation: (incarnation) => writeSmallFileNow(at('incarnation'), `${incarnation}\n`),
    async peers() {
      const text = await readText('peers')
      try {
        return z
          .array(HostPort)
          .max(LIMITS.nodes)
          .parse(JSON.parse(text ?? '[]'))
      } catch {
        // It only saves looking for them; `join` and invitations still work.
        return []
      }
    },
    setPeers: (peers) => write('peers', JSON.stringify(peers)),
    async rows(grid) {
      const text = (await readFileBounded(at('rows'), ROWS_BYTES_MAX))?.toString('utf8') ?? ''
      // Whatever it holds is checked like a row from the network; a damaged file only loses memory.
      const kept = Rows.safeParse(safeJson(text)).data
      return (kept?.grid === grid ? kept.rows : []).map(([bytes, signature]) => ({
        bytes: Buffer.from(bytes, 'base64'),
        signature: Buffer.from(signature, 'base64'),
      }))
    },
    setRows: (grid, rows) =>
      write('rows', JSON.stringify({ grid, rows: rows.map(({ bytes, signature }) => [base64(bytes), base64(signature)]) })),
    async token() {
      const known = await readText('token')
      if (known && known.length >= 32) return known
      const token = hex(random.bytes(24))
      await write('token', token)
      return token
    },
    setRunning: (running) => write('node', JSON.stringify({ ...running, pid: process.pid })),
    async close() {
      await rm(at('node'), { force: true })
      rmSync(at('lock'), { force: true })
    },
  }
}

/** Remembers nothing: a new identity, and an incarnation that grows with the clock. */
export function withoutDisk(random: Randomness, token: string | null): Memory {
  const nothing = async (): Promise<void> => {}
  const seed = random.bytes(32)
  const ownToken = token ?? hex(random.bytes(24))
  return {
    dir: null,
    identitySeed: async () => seed,
    gridKey: async () => null,
    setGridKey: nothing,
    ring: async () => null,
    setRing: nothing,
    renewIdentity: async () => seed,
    lastIncarnation: async () => Math.floor(systemClock.wallMs() / 1_000),
    setIncarnation: () => {},
    peers: async () => [],
    setPeers: nothing,
    rows: async () => [],
    setRows: nothing,
    token: async () => ownToken,
    setRunning: nothing,
    close: nothing,
  }
}

/** Writes that a kill cut off leave their new file behind, and it is never read. */
async function sweep(dir: string): Promise<void> {
  for (const name of await readdir(dir)) if (name.endsWith('.tmp')) await rm(join(dir, name), { force: true })
}

/** One node per folder. A lock whose process is gone (kill -9, a reboot) is taken over. */
async function takeLock(path: string): Promise<void> {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const file = await open(path, 'wx', 0o600)
      await file.writeFile(JSON.stringify({ pid: process.pid, started: startOf(process.pid) }))
      await file.close()
      return
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    }
    const text = (await readFileBounded(path, SMALL))?.toString('utf8') ?? ''
    const lock = Lock.safeParse(safeJson(text)).data
    if (lock && lock.pid !== process.pid && lock.started === startOf(lock.pid) && isAlive(lock.pid)) {
      throw new MidwatchError('MW_DATA_BUSY', `the node with process id ${lock.pid} uses it (${path})`)
    }
    await unlink(path).catch(() => {})
  }
  throw new MidwatchError('MW_DATA_BUSY', `another node takes ${path} at this moment`)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/**
 * When a process started, in the kernel's ticks: a process id alone may have come round again. Null where the system does not say, and
 * `dead` for one that was killed and that its parent has not looked after yet.
 */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? 'dead' : (fields[19] ?? null)
  } catch {
    return null
  }
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
