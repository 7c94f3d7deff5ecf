import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RingState } from '../grid/index.ts'
import { systemRandomness } from '../platform/index.ts'
import { openDataDir, withoutDisk } from './data-dir.ts'

let dir: string
beforeEach(async () => void (dir = await mkdtemp(join(tmpdir(), 'midwatch-data-'))))
afterEach(() => rm(dir, { recursive: true, force: true }))

const open = () => openDataDir(dir, systemRandomness)
const code = (code: string) => expect.objectContaining({ code })

describe('a data folder', () => {
  it('remembers who the node is, its keys, its peers and how far it counted', async () => {
    const first = await open()
    const seed = await first.identitySeed()
    const token = await first.token()
    expect(await first.gridKey()).toBeNull()
    await first.setGridKey(new Uint8Array(32).fill(9))
    first.setIncarnation(41)
    await first.setPeers(['10.0.0.1:8777'])
    await first.close()
    const second = await open()
    expect(await second.identitySeed()).toEqual(seed)
    expect(await second.token()).toBe(token)
    expect(await second.gridKey()).toEqual(new Uint8Array(32).fill(9))
    expect(await second.lastIncarnation()).toBe(41)
    expect(await second.peers()).toEqual(['10.0.0.1:8777'])
    await second.setGridKey(null)
    expect(await second.gridKey()).toBeNull()
    await second.close()
  })

  it('remembers the keys of a grid as they changed, and the file of the key alone follows', async () => {
    const bytes = (fill: number, length = 32): Uint8Array => new Uint8Array(length).fill(fill)
    const ring: RingState = {
      key: bytes(2),
      takenMs: 1_767_225_600_000,
      previous: [bytes(1)],
      changes: [{ bytes: bytes(7, 900), signature: bytes(8, 64) }],
      secrets: [['0123456789abcdef', bytes(3)]],
      replaced: ['0123456789abcdef'],
      outcast: { by: 'n1', atMs: 5 },
    }
    const first = await open()
    expect(await first.ring()).toBeNull()
    await first.setRing(ring)
    await first.close()
    const second = await open()
    expect(await second.ring()).toEqual(ring)
    expect(await second.gridKey()).toEqual(bytes(2))
    expect((await stat(join(dir, 'grid-ring.json'))).mode & 0o077).toBe(0)
    await second.setRing(null)
    expect(await second.ring()).toBeNull()
    expect(await second.gridKey()).toEqual(bytes(2))
    await second.close()
  })

  it('with damaged keys is an error that says so: the grid would not know the node by an older one', async () => {
    await writeFile(join(dir, 'grid-ring.json'), '{"key":"half of a ke')
    const memory = await open()
    await expect(memory.ring()).rejects.toEqual(code('MW_DATA_DIR'))
    await memory.close()
  })

  it('shows its secrets to its owner alone', async () => {
    const memory = await open()
    await memory.identitySeed()
    await memory.token()
    await memory.setGridKey(new Uint8Array(32))
    for (const name of ['identity-key', 'token', 'grid-key', 'node.lock']) expect((await stat(join(dir, name))).mode & 0o077, name).toBe(0)
    await memory.close()
  })

  it('that is made anew is closed to others', async () => {
    const memory = await openDataDir(join(dir, 'deep', 'er'), systemRandomness)
    expect((await stat(join(dir, 'deep', 'er'))).mode & 0o077).toBe(0)
    await memory.close()
  })

  it('with a damaged identity is an error that says so, not a new identity', async () => {
    await writeFile(join(dir, 'identity-key'), 'half of a ke')
    const memory = await open()
    await expect(memory.identitySeed()).rejects.toEqual(code('MW_DATA_DIR'))
    await memory.close()
  })

  it('with damaged peers or a damaged count starts without them', async () => {
    await writeFile(join(dir, 'peers.json'), '[{"no": 1}')
    await writeFile(join(dir, 'incarnation'), 'many')
    const memory = await open()
    expect(await memory.peers()).toEqual([])
    expect(await memory.lastIncarnation()).toBe(0)
    await memory.close()
  })

  it('that another process uses is MW_DATA_BUSY, until that process is gone', async () => {
    const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000); console.log("there")'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    try {
      await once(other.stdout, 'data')
      const line = await readFile(`/proc/${other.pid}/stat`, 'utf8')
      const started = line.slice(line.lastIndexOf(')') + 2).split(' ')[19]
      await writeFile(join(dir, 'node.lock'), JSON.stringify({ pid: other.pid, started }))
      await expect(open()).rejects.toEqual(code('MW_DATA_BUSY'))
    } finally {
      other.kill('SIGKILL')
      await once(other, 'exit')
    }
    await (await open()).close()
  })

  it.each([
    ['whose process id came round again', JSON.stringify({ pid: process.ppid, started: '1' })],
    ['that is cut short', '{"pid": 1'],
    ['that is empty', ''],
  ])('with a lock %s is taken over', async (_, text) => {
    await writeFile(join(dir, 'node.lock'), text)
    const memory = await open()
    expect(JSON.parse(await readFile(join(dir, 'node.lock'), 'utf8'))).toMatchObject({ pid: process.pid })
    await memory.close()
    await expect(stat(join(dir, 'node.lock'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('that cannot be made is MW_DATA_DIR', async () => {
    const file = join(dir, 'file')
    await writeFile(file, '')
    await chmod(file, 0o400)
    await expect(openDataDir(join(file, 'data'), systemRandomness)).rejects.toEqual(code('MW_DATA_DIR'))
  })
})

describe('without a disk', () => {
  it('a node is a new one at each start, later than every start before', async () => {
    const [first, second] = [withoutDisk(systemRandomness, null), withoutDisk(systemRandomness, 'given')]
    expect(await first.identitySeed()).not.toEqual(await second.identitySeed())
    expect(await first.identitySeed()).toEqual(await first.identitySeed())
    expect(await first.lastIncarnation()).toBeGreaterThan(1_700_000_000)
    expect(await second.token()).toBe('given')
    expect((await first.token()).length).toBeGreaterThanOrEqual(32)
  })
})
