import { expect, test } from 'vitest'
import { runProcess } from './process.ts'

const node = (script: string, more: Partial<Parameters<typeof runProcess>[0]> = {}) =>
  runProcess({ file: process.execPath, args: ['-e', script], timeoutMs: 10_000, maxOutputBytes: 1_000, ...more })

test('output, exit code and lines come back', async () => {
  const lines: string[] = []
  const result = await node('console.log("one\\ntwo"); console.error("three"); process.exitCode = 3', {
    onLine: (line) => lines.push(line),
  })
  expect(result).toEqual({ code: 3, stdout: 'one\ntwo\n', stderr: 'three\n', timedOut: false, truncated: false })
  expect(lines.toSorted()).toEqual(['one', 'three', 'two'])
})

test('arguments are never seen by a shell, and the environment holds no secret', async () => {
  process.env['MIDWATCH_TEST_SECRET'] = 'secret'
  try {
    const result = await node('console.log(process.argv[1], process.env.MIDWATCH_TEST_SECRET, Object.keys(process.env).sort().join())', {
      args: ['-e', 'console.log(process.argv[1], process.env.MIDWATCH_TEST_SECRET)', '$(id); echo "x'],
    })
    expect(result.stdout).toBe('$(id); echo "x undefined\n')
  } finally {
    delete process.env['MIDWATCH_TEST_SECRET']
  }
})

test('a program that is missing rejects with ENOENT', async () => {
  await expect(runProcess({ file: 'midwatch-no-such-program', args: [], timeoutMs: 1_000, maxOutputBytes: 10 })).rejects.toMatchObject({
    code: 'ENOENT',
  })
})

test('output beyond the bound is thrown away, and the program still ends', async () => {
  const result = await node('process.stdout.write("x".repeat(5_000_000))')
  expect(result.stdout).toHaveLength(1_000)
  expect(result).toMatchObject({ code: 0, truncated: true })
})

test('a program that runs too long, or is no longer wanted, is killed', async () => {
  expect(await node('process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)', { timeoutMs: 300 })).toMatchObject({
    code: null,
    timedOut: true,
  })
  const abort = new AbortController()
  const run = node('console.log("up"); setInterval(() => {}, 1000)', { signal: abort.signal, onLine: () => abort.abort() })
  expect(await run).toMatchObject({ code: null, timedOut: false, stdout: 'up\n' })
  expect(await node('setInterval(() => {}, 1000)', { signal: abort.signal })).toMatchObject({ code: null })
})

test('a grandchild that holds the output open does not hold back the end', async () => {
  const script = `
    const child = require('node:child_process').spawn(process.execPath, ['-e', 'setTimeout(() => {}, 8000)'], { stdio: 'inherit' })
    console.log(child.pid)
    child.unref()`
  const started = performance.now()
  const result = await node(script)
  process.kill(Number(result.stdout))
  expect(performance.now() - started).toBeLessThan(6_000)
})
