import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Settings, type Doctor, type Timeline } from '../../src/contract/index.ts'
import { gridName, keysOf } from '../../src/grid/index.ts'
import { readRow } from '../../src/grid/row.ts'
import { openDataDir } from '../../src/node/data-dir.ts'
import { startNode } from '../../src/node/index.ts'
import { systemRandomness } from '../../src/platform/index.ts'
import { ask } from '../support/serve-fixture.ts'
import { bytesOf, recordedFolder } from './recording.ts'

let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'midwatch-upgrade-'))
})

afterEach(() => rm(dir, { recursive: true, force: true }))

describe.each(['0.1.0'])('a data folder of %s', (release) => {
  const { files } = recordedFolder(release)
  beforeEach(async () => {
    for (const [name, bytes] of Object.entries(files)) await writeFile(join(dir, name), bytesOf(bytes), { mode: 0o600 })
  })
  const textOf = (name: string): string => Buffer.from(bytesOf(files[name]!)).toString('utf8').trim()

  it('is taken over: identity, grid key, incarnation, token, and who was there', async () => {
    const memory = await openDataDir(dir, systemRandomness)
    try {
      expect(Buffer.from(await memory.identitySeed()).toString('hex')).toBe(textOf('identity-key'))
      const gridKey = await memory.gridKey()
      expect(gridKey && Buffer.from(gridKey).toString('hex')).toBe(textOf('grid-key'))
      expect(await memory.lastIncarnation()).toBe(1)
      expect(await memory.token()).toBe(textOf('token'))
      expect(await memory.peers()).toHaveLength(1)
      const rows = (await memory.rows(gridName(gridKey!))).map(({ bytes }) => readRow(new Uint8Array(bytes)))
      expect(rows).toMatchObject([{ id: 'other', site: 'away', program: release, incarnation: 1 }])
    } finally {
      await memory.close()
    }
  })

  it('whose database is damaged is set aside, and the node runs', async () => {
    await writeFile(join(dir, 'midwatch.db'), 'no database at all'.repeat(1_000))
    const node = await startNode({
      settings: Settings.parse({ id: 'kept', data: dir, listen: '127.0.0.1:0', logLevel: 'silent' }),
      gridKeyHex: null,
      log: 'json',
    })
    const { status } = await ask({ port: Number(node.listen.split(':').at(-1)) }, '/healthz')
    await node.stop('SIGTERM')
    expect(status).toBe(200)
    expect((await readdir(dir)).filter((name) => name.includes('damaged'))).toHaveLength(1)
  })

  it('goes on in a node of this release, whose journal hangs together', async () => {
    const { identity } = keysOf(new Uint8Array(Buffer.from(textOf('identity-key'), 'hex')))
    const node = await startNode({
      settings: Settings.parse({ id: 'kept', data: dir, listen: '127.0.0.1:0', logLevel: 'silent' }),
      gridKeyHex: null,
      log: 'json',
    })
    try {
      const port = Number(node.listen.split(':').at(-1))
      const headers = { Authorization: `Bearer ${textOf('token')}` }
      const { entries } = (await ask({ port }, '/api/timeline?limit=50', { headers })).json() as Timeline
      expect(entries.find((entry) => entry.seq === 9)?.event).toEqual({ type: 'node.stopped', reason: 'SIGTERM' })
      expect(entries.map((entry) => entry.event)).toContainEqual(expect.objectContaining({ type: 'node.started', incarnation: 2 }))
      expect(entries.map((entry) => entry.event.type)).toContain('link.changed')
      const { checks } = (await ask({ port }, '/api/doctor', { headers })).json() as Doctor
      expect(checks.find((check) => check.name.includes('journal'))).toMatchObject({ ok: true })
      const { nodes } = (await ask({ port }, '/api/nodes', { headers })).json() as {
        nodes: { id: string; identity: string; program: string }[]
      }
      expect(nodes).toMatchObject([
        { id: 'kept', identity },
        { id: 'other', program: release },
      ])
    } finally {
      await node.stop('SIGTERM')
    }
    expect(await readFile(join(dir, 'identity-key'), 'utf8')).toBe(`${textOf('identity-key')}\n`)
    expect((await readdir(dir)).filter((name) => name.includes('damaged'))).toEqual([])
  })
})
