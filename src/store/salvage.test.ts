import { copyFile, mkdtemp, open, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openDatabase } from './database.ts'
import { canonicalJson, entryHash } from './journal.ts'
import { salvageJournal } from './salvage.ts'

const ENTRIES = 20_000
const PAGE_BYTES = 4_096
const KEEP = { budgetBytes: 2 ** 26, keepSecondsMs: 3_600_000, keepTensMs: 3_600_000, keepMinutesMs: 3_600_000 }

let dir: string
let whole: string
let path: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'midwatch-salvage-'))
  whole = join(dir, 'whole.db')
  const database = openDatabase(whole, KEEP, (message) => expect.unreachable(message))
  const events = Array.from({ length: ENTRIES }, (_, n) => ({
    atMs: n,
    json: canonicalJson({ type: 'node.stopped', reason: `r${n + 1}` }),
  }))
  database.write(events, [], 0)
  database.answer({ type: 'close' })
})
afterAll(() => rm(dir, { recursive: true, force: true }))

beforeEach(async () => {
  path = join(dir, 'midwatch.db')
  await copyFile(whole, path)
})
afterEach(() => rm(path, { force: true }))

type Line = { seq: number; at: string; event: { reason: string }; hash: string }

function salvaged(): Line[] {
  const parts = [...salvageJournal(path)]
  const lines = parts.flatMap(({ lines: text }) => text.trimEnd().split('\n')).map((line) => JSON.parse(line) as Line)
  expect(parts.reduce((sum, part) => sum + part.entries, 0)).toBe(lines.length)
  return lines
}

async function overwrite(fromPage: number, pages: number): Promise<void> {
  const file = await open(path, 'r+')
  await file.write(Buffer.alloc(pages * PAGE_BYTES, 0x5a), 0, pages * PAGE_BYTES, fromPage * PAGE_BYTES)
  await file.close()
}

describe('what is saved of a journal', () => {
  test('of a database that a newer program made is all of it, in order, and its hashes still hold', async () => {
    const db = new DatabaseSync(path)
    db.exec('PRAGMA user_version = 99')
    db.close()
    const lines = salvaged()
    expect(lines.map((line) => line.seq)).toEqual(Array.from({ length: ENTRIES }, (_, n) => n + 1))
    const [first, second] = lines as [Line, Line]
    expect(second.hash).toBe(entryHash(first.hash, { ...second, event: canonicalJson(second.event) }))
  })

  test('of a file that was cut short is what its tree still leads to', async () => {
    const { size } = await stat(whole)
    await truncate(path, Math.floor(size * 0.9))
    const { length } = salvaged()
    expect(length).toBeGreaterThan(ENTRIES / 2)
    expect(length).toBeLessThan(ENTRIES)
  })

  test.each([0.01, 0.2, 0.5])('of a file that was cut at %f of its length, the root of its tree lost, is no exception', async (share) => {
    const { size } = await stat(whole)
    await truncate(path, Math.floor(size * share))
    expect(salvaged().length).toBeLessThan(ENTRIES)
  })

  test('of a file with pages overwritten in the middle is what lies around them', async () => {
    const { size } = await stat(whole)
    const middle = Math.floor(size / PAGE_BYTES / 2)
    await overwrite(middle, 10)
    const seqs = salvaged().map((line) => line.seq)
    expect(seqs).toEqual(seqs.toSorted((a, b) => a - b))
    expect(seqs.at(-1)).toBe(ENTRIES)
    // Ten pages of entries or of an index beside them; at most some hundreds of entries are gone.
    expect(seqs.length).toBeGreaterThan(ENTRIES - 500)
  })

  test('keeps an entry whose event is no JSON any more, as text', () => {
    const db = new DatabaseSync(path)
    db.exec(`UPDATE journal SET event = 'half {' WHERE seq = 2`)
    db.close()
    expect(salvaged()[1]).toMatchObject({ seq: 2, event: 'half {' })
  })

  test.each([
    ['an empty file', ''],
    ['a file of zeros', '\0'.repeat(10_000)],
    ['a file that is no database', 'no database at all'.repeat(1_000)],
  ])('of %s is nothing', async (_what, content) => {
    await writeFile(path, content)
    expect(salvaged()).toEqual([])
  })

  test('of a file that is not there is nothing', async () => {
    await rm(path)
    expect(salvaged()).toEqual([])
  })
})
