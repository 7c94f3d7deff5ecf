import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDatabase } from '../../src/store/database.ts'
import { canonicalJson } from '../../src/store/journal.ts'
import type { Answers } from '../../src/store/messages.ts'
import { MIGRATIONS } from '../../src/store/schema.ts'
import { bytesOf, RECORDED_KEEP, RECORDED_SAMPLES, recordedDatabase } from './recording.ts'

/** Every release, with the number of steps that its database has been through and what these steps were. */
const RELEASES = [{ release: '0.1.0', steps: 1, sha256: 'fe327ad144823950f0b96c668b9925564dd12bd61c09c210effb1e840aa0067c' }]

let dir: string
let path: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'midwatch-upgrade-'))
  path = join(dir, 'midwatch.db')
})

afterEach(() => rm(dir, { recursive: true, force: true }))

describe.each(RELEASES)('a database of $release', ({ release, steps, sha256 }) => {
  const recorded = recordedDatabase(release)

  it('was made by steps that nobody has changed since', () => {
    expect(recorded.userVersion).toBe(steps)
    expect(createHash('sha256').update(MIGRATIONS.slice(0, steps).join('\0')).digest('hex')).toBe(sha256)
  })

  it('is opened by this release, says the same, and goes on', async () => {
    await writeFile(path, bytesOf(recorded.file))
    const trouble: string[] = []
    const database = openDatabase(path, RECORDED_KEEP, (message) => trouble.push(message))
    try {
      const { fromMs, toMs, links } = RECORDED_SAMPLES
      for (const whose of ['own', 'told'] as const) {
        for (const [stepMs, points] of Object.entries(recorded.history[whose]))
          expect(database.answer({ type: 'history', link: links[whose], fromMs, toMs, stepMs: Number(stepMs) })).toEqual(points)
      }
      expect(database.lastSeq()).toBe(recorded.head.seq)
      const event = { atMs: toMs, json: canonicalJson({ type: 'node.stopped', reason: 'by a later release' }) }
      expect(database.write([event], [{ link: links.own, told: false, atMs: toMs, sent: 1, lost: 0, rttMs: 1 }], toMs)).toBe(0)
      database.upkeep(toMs)
      const check = database.answer({ type: 'check', from: null }) as Answers['check']
      expect(check).toMatchObject({ last: { seq: recorded.head.seq + 1 }, done: true, broken: null })
    } finally {
      database.answer({ type: 'close' })
    }
    expect(trouble).toEqual([])
    expect(schemaOf(path)).toEqual(schemaOf(await freshDatabase()))
  })
})

describe('the steps of the schema', () => {
  it.each(MIGRATIONS.map((_, step) => step))('lead from version %i to the present one', async (step) => {
    const db = new DatabaseSync(path)
    for (const sql of MIGRATIONS.slice(0, step)) db.exec(sql)
    db.exec(`PRAGMA user_version = ${step}`)
    db.close()
    openDatabase(path, RECORDED_KEEP, (message) => expect.unreachable(message)).answer({ type: 'close' })
    expect(schemaOf(path)).toEqual(schemaOf(await freshDatabase()))
  })
})

async function freshDatabase(): Promise<string> {
  const fresh = join(dir, 'fresh.db')
  openDatabase(fresh, RECORDED_KEEP, () => {}).answer({ type: 'close' })
  return fresh
}

/** Version, tables and indexes. */
function schemaOf(file: string): unknown[] {
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    return [db.prepare('PRAGMA user_version').get(), ...db.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY name').all()]
  } finally {
    db.close()
  }
}
