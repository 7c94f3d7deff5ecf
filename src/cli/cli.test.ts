import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Doctor, Graph, History, Invitation, Keys, Nodes, Rundown, Targets, Why } from '../contract/index.ts'
import {
  FAKE_TOKEN,
  fakeGraph,
  fakeHistory,
  fakeInvitation,
  fakeRundown,
  startFakeNode,
  type FakeNode,
} from '../../test/support/fake-node.ts'
import { COMMANDS } from './program.ts'

// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0007\u001b]/

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))

type Result = { code: number | null; stdout: string; stderr: string }

/** Runs the program as a person would, with an environment of its own and an empty home. */
function midwatch(
  words: readonly string[],
  { env = {}, stdin = '' }: { env?: Record<string, string>; stdin?: string } = {},
): Promise<Result> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...words], {
      cwd: home,
      env: { PATH: process.env['PATH'] ?? '', HOME: home, TZ: 'UTC', MIDWATCH_DATA: join(home, 'none'), ...env },
      timeout: 15_000,
    })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.on('error', fail).on('close', (code) => done({ code, stdout, stderr }))
    child.stdin.on('error', () => {}).end(stdin)
  })
}

let home: string
let node: FakeNode
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'midwatch-home-'))
})
afterAll(() => rm(home, { recursive: true, force: true }))
beforeEach(async () => {
  node = await startFakeNode()
})
afterEach(() => node.close())

const json = ({ stdout }: Result): unknown => JSON.parse(stdout)

describe('help', () => {
  test.each(Object.keys(COMMANDS))('%s has --json and at least one example', async (name) => {
    const { command } = await (COMMANDS[name] as (typeof COMMANDS)[string])()
    expect(command.name).toBe(name)
    expect(command.examples.length).toBeGreaterThan(0)
    for (const [line] of command.examples) expect(line).toContain(`midwatch ${name}`)
  })

  test('is printed with options and examples, and is no failure', async () => {
    const { code, stdout } = await midwatch(['why', '--help'])
    expect(code).toBe(0)
    for (const text of ['<from> <to>', '--json', '--data <folder>', '--url <url>', 'Examples:', 'midwatch why fra-1 ams-2'])
      expect(stdout).toContain(text)
  })

  test('up has a flag for every setting but targets, and none for a secret', async () => {
    const { stdout } = await midwatch(['up', '--help'])
    for (const flag of [
      '--id',
      '--site',
      '--listen',
      '--advertise',
      '--join',
      '--grid-key-file',
      '--data',
      '--ephemeral',
      '--probe-every',
    ]) {
      expect(stdout).toContain(`${flag} `)
    }
    expect(stdout).not.toMatch(/--token|--grid-key |--targets/)
  })

  test('without words lists the commands', async () => {
    const { code, stdout } = await midwatch([])
    expect(code).toBe(0)
    for (const name of Object.keys(COMMANDS)) expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'))
  })

  test('--version prints the version of the package', async () => {
    const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
    expect(await midwatch(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` })
  })
})

describe('status', () => {
  test('tells what is not well and since when, and exits with 1', async () => {
    const { code, stdout, stderr } = await midwatch(['status', '--data', node.dataDir])
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
    const lines = stdout.split('\n')
    expect(lines[0]).toBe(`✗ ${fakeRundown.headline}`)
    expect(stdout).toMatch(/→ one-way +fra-1 → ams-2 +udp +for 3 min +nothing comes back from ams-2; 100 % lost/)
    expect(stdout).toMatch(/✗ down +ams-2 → shop +http +for 3 min +1\.3 ms; status 503, wanted 200/)
    expect(stdout).not.toContain('\x1b')
  })

  test('exits with 0 when all is well', async () => {
    node.answers.set('GET /api/status', { ...fakeRundown, well: true, headline: 'All is well', links: [] })
    expect(await midwatch(['status', '--data', node.dataDir])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('✓ All is well') as string,
    })
  })

  test('--json gives the API answer whole', async () => {
    node.answers.set('GET /api/status', { ...fakeRundown, ofTheFuture: 1 })
    const result = await midwatch(['status', '--json', '--data', node.dataDir])
    expect(result.code).toBe(1)
    expect(Rundown.parse(json(result))).toEqual(fakeRundown)
    expect(json(result)).toHaveProperty('ofTheFuture')
  })

  test('--watch shows it again and again until Ctrl-C', async () => {
    const child = spawn(process.execPath, [MAIN, 'status', '--watch', '--json', '--data', node.dataDir], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const closed = once(child, 'close')
    let [text, lines] = ['', 0]
    for await (const part of child.stdout.setEncoding('utf8') as AsyncIterable<string>) {
      text += part
      lines = text.split('\n').length - 1
      if (lines === 2) child.kill('SIGINT')
    }
    expect(lines).toBe(2)
    expect(await closed).toEqual([0, null])
    for (const line of text.trim().split('\n')) expect(Rundown.parse(JSON.parse(line))).toEqual(fakeRundown)
  })

  test('text from other hosts does not steer the terminal', async () => {
    node.answers.set('GET /api/status', {
      ...fakeRundown,
      headline: 'x\x1b[2J',
      links: [{ ...fakeRundown.links[0], detail: '\x1b]0;x\x07' }],
    })
    expect((await midwatch(['status', '--data', node.dataDir])).stdout).not.toMatch(CONTROL)
  })
})

describe('answers', () => {
  test.each([
    ['graph', [], Graph, 'GET /api/graph'],
    ['why', ['fra-1', 'ams-2'], Why, 'GET /api/why?from=fra-1&to=ams-2'],
    ['graph', ['--at', '2026-01-01 03:20Z'], Graph, 'GET /api/graph?at=2026-01-01T03%3A20%3A00.000Z'],
    ['history', ['fra-1', 'ams-2'], History, 'GET /api/history?from=fra-1&to=ams-2&window=1d'],
    ['history', ['fra-1', 'ams-2', '--window', '30d'], History, 'GET /api/history?from=fra-1&to=ams-2&window=30d'],
    ['nodes', [], Nodes, 'GET /api/nodes'],
    ['targets', [], Targets, 'GET /api/targets'],
    ['invite', [], Invitation, 'POST /api/invite'],
    ['keys', [], Keys, 'GET /api/keys'],
  ])('%s --json has the shape of the API', async (name, words, schema, request) => {
    const result = await midwatch([name, ...words, '--json', '--data', node.dataDir])
    expect(result).toMatchObject({ code: 0, stderr: '' })
    expect(schema.safeParse(json(result)).success).toBe(true)
    expect(node.requests).toEqual([request])
  })

  test.each([
    ['graph', [], `hash ${fakeGraph.hash}, seen by fra-1`],
    ['why', ['fra-1', 'ams-2'], 'ams-2 hears fra-1, so the way there is fine.'],
    ['why', ['fra-1', 'ams-2'], 'last minute: 1.0 ms to 2.0 ms, 1 of 3 lost'],
    ['graph', ['--at', '2026-01-01 03:20Z'], 'As it was on Thursday 2026-01-01 03:20:00 (UTC), '],
    ['graph', ['--at', '-2h'], ', 2 h ago\n'],
    ['history', ['fra-1', 'ams-2'], 'fra-1 → ams-2: up 99.72 % of the last day, 1 outage of 4 min\n'],
    ['history', ['fra-1', 'ams-2'], '0.3 % in all, 100 % at worst'],
    ['history', ['fra-1', 'ams-2'], '1.0 ms to 3.0 ms, half within 2.0 ms'],
    ['history', ['fra-1', 'ams-2'], '2025-12-31 20:03:00  ✗ down  for 4 min\n  2025-12-31 20:07:00  ✓ up    for 3 h 56 min until now'],
    ['nodes', [], '10.0.0.1:8777'],
    ['targets', [], '1 of 2 see it up'],
    ['leave', [], 'Left the grid.'],
    ['keys', [], 'key number 2: 0123456789abcdef, changed on fra-1'],
    ['keys', [], 'old-1  abababab  on fra-1'],
  ])('%s %s says it in words', async (name, words, text) => {
    const result = await midwatch([name, ...words, '--data', node.dataDir])
    expect(result).toMatchObject({ code: 0, stdout: expect.stringContaining(text) as string })
  })

  test('keys rotate tells who lacks the key until all have it', async () => {
    const { code, stdout, stderr } = await midwatch(['keys', 'rotate', '--data', node.dataDir])
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^The grid has a new key: number 2, 0123456789abcdef. The old one is read until [\d:]{8}.\nAll nodes have it.\n$/,
    )
    expect(stderr).toBe('Not yet heard with it: ams-2.\n')
    expect(node.requests).toEqual(['POST /api/keys', 'GET /api/keys'])
    expect(node.bodies).toEqual([{ force: false }])
  })

  test('keys remove says so, and needs a name', async () => {
    const { code, stdout } = await midwatch(['keys', 'remove', 'ams-2', '--force', '--data', node.dataDir])
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('ams-2 is removed. The grid has a new key') as string })
    expect(node.bodies).toEqual([{ force: true, remove: 'ams-2' }])
    for (const words of [['remove'], ['rotate', 'ams-2'], ['burn']]) {
      const refused = await midwatch(['keys', ...words, '--data', node.dataDir])
      expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('MW_USAGE') as string })
    }
  })

  test('invite puts the command alone on standard output', async () => {
    const { code, stdout, stderr } = await midwatch(['invite', '--data', node.dataDir])
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${fakeInvitation.command}\n` })
    expect(stderr).toContain('Good once')
  })

  test('open prints the link alone, and opens nothing where there is no terminal', async () => {
    const { code, stdout, stderr } = await midwatch(['open', '--data', node.dataDir], { env: { DISPLAY: ':9' } })
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'http://127.0.0.1:1/open/code\n', stderr: '' })
  })

  test('token prints the token alone, though the node does not run', async () => {
    await rm(join(node.dataDir, 'node.json'))
    expect(await midwatch(['token', '--data', node.dataDir])).toEqual({ code: 0, stdout: `${FAKE_TOKEN}\n`, stderr: '' })
    expect(json(await midwatch(['token', '--json', '--data', node.dataDir]))).toEqual({ token: FAKE_TOKEN })
  })

  test('doctor joins its own checks with those of the node', async () => {
    const result = await midwatch(['doctor', '--json', '--data', node.dataDir])
    const { checks } = Doctor.parse(json(result))
    expect(checks.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['runtime', 'settings', 'data folder', 'disk', 'ping', 'clock', 'open files', 'store']),
    )
    expect(result.code).toBe(checks.every(({ ok }) => ok) ? 0 : 1)
  })

  test('doctor works without a node and says what to do', async () => {
    const { code, stdout } = await midwatch(['doctor', '--data', join(home, 'new')])
    expect(code).toBe(1)
    expect(stdout).toMatch(/✗ not ok +node +No node is running/)
    expect(stdout).toContain('→ Start one with `midwatch up`')
    expect(stdout).toMatch(/✓ ok +data folder .*is made at the first start/)
  })
})

describe('finding the node', () => {
  test('by --url the token comes from the environment, and one of a folder is not sent along', async () => {
    expect(await midwatch(['graph', '--url', node.url])).toMatchObject({ code: 1, stderr: expect.stringContaining('MW_TOKEN') as string })
    const env = { MIDWATCH_DATA: node.dataDir }
    expect(await midwatch(['graph', '--url', node.url], { env })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('MW_TOKEN') as string,
    })
    expect(await midwatch(['graph', '--url', `${node.url}/`], { env: { MIDWATCH_TOKEN: FAKE_TOKEN } })).toMatchObject({ code: 0 })
    expect(await midwatch(['graph', '--url', node.url, '--data', node.dataDir])).toMatchObject({ code: 0 })
  })

  test('by MIDWATCH_DATA, and by the data folder that midwatch.yaml names', async () => {
    expect(await midwatch(['graph'], { env: { MIDWATCH_DATA: node.dataDir } })).toMatchObject({ code: 0 })
    const file = join(node.dataDir, 'elsewhere.yaml')
    await writeFile(file, `data: ${node.dataDir}\n`)
    expect(await midwatch(['graph'], { env: { MIDWATCH_DATA: '', MIDWATCH_CONFIG: file } })).toMatchObject({ code: 0 })
  })

  test.each([
    ['nothing runs', (fake: FakeNode) => rm(join(fake.dataDir, 'node.json')), /^MW_NO_NODE: No node is running on .*\n→ Start one/],
    ['the node is gone', (fake: FakeNode) => fake.close(), /^MW_DATA_DIR|^MW_NO_NODE/],
    [
      'the port is closed',
      (fake: FakeNode) => writeFile(join(fake.dataDir, 'node.json'), nodeFile('http://127.0.0.1:1')),
      /^MW_NO_NODE: Nothing answers at .* \(node x, process 1, of .*the port is closed/,
    ],
    [
      'node.json is broken',
      (fake: FakeNode) => writeFile(join(fake.dataDir, 'node.json'), '{'),
      /^MW_NO_NODE: .* is not what a node writes/,
    ],
    ['the connection breaks', (fake: FakeNode) => void fake.answers.set('GET /api/graph', null), /^MW_NO_NODE: Nothing answers at /],
    [
      'something else answers',
      (fake: FakeNode) => void fake.answers.set('GET /api/graph', 'hello'),
      /^MW_NO_NODE: What answers at .* is not a Midwatch node/,
    ],
    [
      'the answer has another shape',
      (fake: FakeNode) => void fake.answers.set('GET /api/graph', { ...fakeGraph, hash: 7 }),
      /not a Midwatch node of this version: hash/,
    ],
    ['the token is wrong', (fake: FakeNode) => writeFile(join(fake.dataDir, 'token'), 'wrong'), /^MW_TOKEN: /],
  ])('when %s the error says so', async (_, spoil, message) => {
    await spoil(node)
    const { code, stdout, stderr } = await midwatch(['graph', '--data', node.dataDir])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(message)
  })

  const nodeFile = (url: string): string => JSON.stringify({ url, pid: 1, id: 'x', startedAt: '2026-01-01T00:00:00.000Z' })
})

describe('errors', () => {
  test('a name that does not exist is told as the node tells it', async () => {
    const { code, stderr } = await midwatch(['why', 'nobody', 'x', '--data', node.dataDir])
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'MW_UNKNOWN_NAME: There is no node "nobody".\n→ Run `midwatch nodes` or `midwatch targets` for the names.\n',
    })
  })

  test('a link of which nothing is kept is told', async () => {
    node.answers.set('GET /api/history', { ...fakeHistory, points: [], turns: [] })
    const { code, stderr } = await midwatch(['history', 'fra-1', 'ams-2', '--data', node.dataDir])
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr:
        'MW_NO_PAST: Nothing is kept of fra-1 → ams-2 in the last day.\n→ Choose a later time; the message says how far back it goes.\n',
    })
  })

  test('with --json the error is JSON on standard output too', async () => {
    const result = await midwatch(['why', 'nobody', 'x', '--json', '--data', node.dataDir])
    expect(json(result)).toEqual({
      error: { code: 'MW_UNKNOWN_NAME', message: 'There is no node "nobody".', next: expect.any(String) as string },
    })
  })

  test.each([
    ['an unknown command', ['stauts'], /^MW_USAGE: unknown command 'stauts' \(did you mean status\?\)/i],
    ['an unknown option', ['status', '--jsno'], /^MW_USAGE: unknown option '--jsno' \(did you mean --json\?\)/i],
    ['a missing word', ['why', 'a'], /^MW_USAGE: missing required argument 'to'/],
    ['a time that is none', ['graph', '--at', 'noon'], /^MW_USAGE: --at "noon" is no time: write "2026-11-23 03:20"/],
    ['a window that is none', ['history', 'a', 'b', '--window', '2d'], /^MW_USAGE: --window: write one of 15m, 1h, 1d, 30d/],
    ['a word too many', ['status', 'now'], /^MW_USAGE: too many arguments/],
    ['an address that is none', ['status', '--url', 'localhost:8777'], /^MW_USAGE: --url: /],
    ['a setting that will not do', ['up', '--listen', '8777'], /^MW_CONFIG: listen \(flag --listen\): "8777" will not do; write host:port/],
    ['no invitation', ['join'], /^MW_USAGE: No invitation/],
    ['text that is no invitation', ['join', 'hello'], /^MW_INVITATION: /],
  ])('%s exits with 2', async (_, words, message) => {
    const { code, stderr } = await midwatch(words)
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
  })

  test('an invitation on standard input is bounded', async () => {
    expect(await midwatch(['join'], { stdin: 'x'.repeat(100_000) })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('MW_INVITATION') as string,
    })
  })
})
