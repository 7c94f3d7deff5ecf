import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { expect, it, vi } from 'vitest'
import { openLab } from './support/namespaces.ts'

const SUPPORT = new URL('./support/namespaces.ts', import.meta.url).href

it('a host reaches another until a cable is pulled or its input is dropped, and again afterwards', async () => {
  const lab = await openLab()
  try {
    const [a, b] = [await lab.addHost('a'), await lab.addHost('b')]
    const reaches = (): Promise<boolean> =>
      a.run('fping', '-q', '-c1', '-t300', b.address).then(
        () => true,
        () => false,
      )
    await vi.waitUntil(reaches)
    await b.pullCable()
    expect(await reaches()).toBe(false)
    await b.plugCable()
    await vi.waitUntil(reaches, { timeout: 5_000 })
    await b.drop('input')
    expect(await reaches()).toBe(false)
    await b.dropNothing()
    await vi.waitUntil(reaches, { timeout: 5_000 })
  } finally {
    await lab.close()
  }
})

it('a lab whose owner is killed is cleaned up all the same, processes and folder included', async () => {
  const program = `
    const { openLab } = await import(${JSON.stringify(SUPPORT)})
    const lab = await openLab()
    const host = await lab.addHost('a')
    const sleeper = host.start(['sleep', '1000'])
    console.log(JSON.stringify({ folder: lab.folder, sleeper: sleeper.pid }))
    setInterval(() => {}, 1000)`
  const owner = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(owner.stdout, 'data')) as [Buffer]
  const { folder, sleeper } = JSON.parse(String(line)) as { folder: string; sleeper: number }
  const namespaces = (): string[] => readdirSync('/run/netns').filter((name) => name.startsWith(`mw-${owner.pid}-`))
  expect(namespaces()).toHaveLength(2)
  expect(execFileSync('ip', ['netns', 'pids', namespaces().find((name) => name.endsWith('-a')) ?? ''], { encoding: 'utf8' }).trim()).toBe(
    String(sleeper),
  )
  owner.kill('SIGKILL')
  await vi.waitUntil(() => namespaces().length === 0 && !existsSync(folder) && !existsSync(`/proc/${sleeper}/exe`), { timeout: 10_000 })
})
