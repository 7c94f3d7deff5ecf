import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { encode } from 'cborg'
import { z } from 'zod'

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))
const Started = z.object({
  id: z.string(),
  site: z.string(),
  listen: z.string(),
  dataDir: z.string().nullable(),
  consoleLink: z.string().nullable(),
})

let home: string
const running = new Set<ChildProcess>()
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'midwatch-up-'))
})
afterEach(async () => {
  for (const child of running) child.kill('SIGKILL')
  await rm(home, { recursive: true, force: true })
})

/** Starts the program with an environment of its own; it ends with the test. */
function start(words: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...words], {
    cwd: home,
    env: { PATH: process.env['PATH'] ?? '', HOME: home, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  const closed = once(child, 'close').then(([code]) => {
    running.delete(child)
    return code as number | null
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const firstLine = once(child.stdout.setEncoding('utf8'), 'data').then(([text]) => String(text))
  return { child, closed, firstLine, stderr: () => stderr }
}

const output = async (words: readonly string[], env: Record<string, string> = {}): Promise<{ text: string; code: number | null }> => {
  const { firstLine, closed } = start(words, env)
  return { text: await firstLine, code: await closed }
}

test('up tells where the node is, status finds it by its folder, and SIGTERM ends it well', { timeout: 60_000 }, async () => {
  const data = join(home, 'data')
  const up = start(['up', '--json', '--id', 'a', '--site', 's', '--listen', '127.0.0.1:0', '--data', data])
  const told = Started.parse(JSON.parse(await up.firstLine))
  expect(told).toMatchObject({ id: 'a', site: 's', dataDir: data })
  for (const name of ['node.json', 'token']) expect((await stat(join(data, name))).mode & 0o777).toBe(0o600)

  const status = await output(['status', '--data', data])
  expect(status).toMatchObject({ code: 0, text: expect.stringContaining('seen by a') as string })
  const token = (await output(['token', '--data', data])).text.trim()
  expect(up.stderr()).not.toContain(token)

  up.child.kill('SIGTERM')
  expect(await up.closed).toBe(0)
})

test('a node without a disk is asked by its address, with a token from the environment', { timeout: 60_000 }, async () => {
  const env = {
    MIDWATCH_TOKEN: 'a-token-for-this-test-that-is-long-enough',
    MIDWATCH_EPHEMERAL: 'true',
    MIDWATCH_ID: 'b',
    MIDWATCH_LISTEN: '127.0.0.1:0',
  }
  const up = start(['up', '--json'], env)
  const { dataDir, consoleLink } = Started.parse(JSON.parse(await up.firstLine))
  expect(dataDir).toBeNull()
  const { origin } = new URL(consoleLink ?? '')
  expect(await output(['status', '--url', origin], env)).toMatchObject({ code: 0, text: expect.stringContaining('seen by b') as string })
  up.child.kill('SIGINT')
  expect(await up.closed).toBe(0)
})

test.runIf(process.platform === 'linux')('while it joins, the invitation is not in the process list', { timeout: 60_000 }, async () => {
  const server = createServer(() => {}).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const invitation = `mw1.${Buffer.from(encode([new Uint8Array(20), [address]])).toString('base64url')}`
    const { child, closed, stderr } = start(['join', invitation, '--ephemeral', '--listen', '127.0.0.1:0'])
    await Promise.race([once(server, 'connection'), closed.then(() => Promise.reject(new Error(stderr())))])
    const words = await readFile(`/proc/${child.pid}/cmdline`, 'utf8')
    expect(words).toContain('midwatch join')
    expect(words).not.toContain('mw1')
  } finally {
    for (const child of running) child.kill('SIGKILL')
    server.close()
  }
})
