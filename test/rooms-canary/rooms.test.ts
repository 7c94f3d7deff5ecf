import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Rooms, cruiseRooms } from '../../scripts/lib/cruise.ts'
import { ROOMS, forbidden } from '../../scripts/rooms-table.ts'

const root = dirname(dirname(import.meta.dirname))
const fixtures = join(import.meta.dirname, 'fixtures')
const files = globSync('{src,console}/**/*.{ts,svelte}', { cwd: fixtures }).toSorted()
const marked = files.map((file) => ({ file, rule: /must be rejected: ([\w-]+)/.exec(readFileSync(join(fixtures, file), 'utf8'))?.[1] ?? null }))

describe('the check of the rooms', () => {
  let found: Rooms
  beforeAll(async () => {
    found = await cruiseRooms(fixtures)
  })

  test('sees every fixture', () => {
    expect(found.unseen).toEqual([])
    expect(found.seen).toBe(files.length)
    expect(found.seen).toBeGreaterThan(30)
    expect(found.imports).toBeGreaterThan(30)
  })

  test.each(marked)('$file breaks $rule', ({ file, rule }) => {
    const rules = found.violations.filter((violation) => violation.from === file).map((violation) => violation.rule)
    expect([...new Set(rules)]).toEqual(rule === null ? [] : [rule])
  })

  test('every kind of rule has a fixture that breaks it', () => {
    const kind = (rule: string): string => (Object.hasOwn(ROOMS, rule.split('-')[0] ?? '') ? rule.slice(rule.indexOf('-')) : rule)
    const broken = new Set(marked.map(({ rule }) => kind(rule ?? '')))
    for (const { name = '' } of forbidden) expect(broken, name).toContain(kind(name))
  })
})

describe('the check of clocks and dice', () => {
  // oxlint reads its overrides from where its configuration lies, so the fixture gets a folder of its own to be src/ in.
  const folder = mkdtempSync(join(tmpdir(), 'midwatch-canary-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  test('rejects each way to read the time or roll a die outside platform', () => {
    mkdirSync(join(folder, 'src', 'grid'), { recursive: true })
    mkdirSync(join(folder, 'src', 'platform'))
    const { $schema: _, ...config } = JSON.parse(readFileSync(join(root, '.oxlintrc.json'), 'utf8')) as Record<string, unknown>
    writeFileSync(join(folder, '.oxlintrc.json'), JSON.stringify(config))
    const forbiddenLines = ['Date.now()', 'Math.random()', 'performance.now()', 'setTimeout(String, 1)', 'setInterval(String, 1)', 'process.hrtime()']
    const code = forbiddenLines.map((line, at) => `export const v${at} = ${line}\n`).join('')
    writeFileSync(join(folder, 'src/grid/bad.ts'), `import { setTimeout as wait } from 'node:timers/promises'\n${code}export const w = wait\n`)
    writeFileSync(join(folder, 'src/platform/good.ts'), code)

    const { stdout } = spawnSync(join(root, 'node_modules/.bin/oxlint'), ['-f', 'unix'], { cwd: folder, encoding: 'utf8' })
    const lines = [...stdout.matchAll(/^src\/(\w+)\/\w+\.ts:(\d+):.*no-restricted/gm)].map(([, room, line]) => `${room} ${line}`)
    expect([...new Set(lines)].toSorted()).toEqual(['grid 1', ...forbiddenLines.map((_line, at) => `grid ${at + 2}`)])
  })
})
