import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'

/** Runs `untilSignal` in a process of its own, sends a signal at each line that it prints, and answers what it printed and its exit code. */
function run(start: string, signal: NodeJS.Signals): Promise<{ lines: string[]; code: number | null }> {
  const script = `import { untilSignal } from ${JSON.stringify(new URL('foreground.ts', import.meta.url).href)}
    process.exitCode = await untilSignal(async () => (${start}))
    console.log('over')`
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script], {
      timeout: 15_000,
    })
    const lines: string[] = []
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const said = text.trim().split('\n')
      lines.push(...said)
      if (said.some((line) => line.startsWith('signal me'))) child.kill(signal)
    })
    child.on('error', fail).on('close', (code) => done({ lines, code }))
  })
}

const alive = 'setInterval(() => {}, 1_000)'

test.each(['SIGINT', 'SIGTERM'] as const)('%s stops cleanly, with its name as the reason', async (signal) => {
  const running = `(setTimeout(() => console.log('signal me')), { timer: ${alive}, async stop(reason) { console.log('stopping: ' + reason); clearInterval(this.timer) } })`
  expect(await run(running, signal)).toEqual({ lines: ['signal me', `stopping: ${signal}`, 'over'], code: 0 })
})

test('a second signal ends the process at once', async () => {
  const running = `(setTimeout(() => console.log('signal me')), { timer: ${alive}, stop: () => new Promise(() => console.log('signal me again')) })`
  expect(await run(running, 'SIGTERM')).toEqual({ lines: ['signal me', 'signal me again'], code: 1 })
})

test('a node that stops by itself ends the program', async () => {
  expect(await run('{ stopped: Promise.resolve(), stop: async () => console.log("stopping") }', 'SIGTERM')).toEqual({
    lines: ['over'],
    code: 0,
  })
})

test('a signal before the start is done stops as soon as it is', async () => {
  const running = `(console.log('signal me'), await new Promise((done) => setTimeout(done, 200)), { stop: async (reason) => console.log('stopping: ' + reason) })`
  expect(await run(running, 'SIGTERM')).toEqual({ lines: ['signal me', 'stopping: SIGTERM', 'over'], code: 0 })
})
