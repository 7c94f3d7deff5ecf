import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { expect, it, vi } from 'vitest'
import { openLab, type Host } from './support/namespaces.ts'

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

it('two halves reach their own and not each other until they are healed, and what a host sends is counted', async () => {
  const lab = await openLab()
  try {
    const [a, b, c, d] = [await lab.addHost('a'), await lab.addHost('b'), await lab.addHost('c'), await lab.addHost('d')]
    const reaches = (from: Host, to: Host): Promise<boolean> =>
      from.run('fping', '-q', '-c1', '-t300', to.address).then(
        () => true,
        () => false,
      )
    await vi.waitUntil(() => reaches(a, d))
    const before = (await lab.sent()).get('a')
    await lab.split([c, d])
    await vi.waitUntil(async () => (await reaches(a, b)) && (await reaches(c, d)), { timeout: 5_000 })
    expect([await reaches(a, c), await reaches(d, b)]).toEqual([false, false])
    await lab.heal()
    await vi.waitUntil(async () => (await reaches(a, c)) && (await reaches(d, b)), { timeout: 5_000 })
    const after = (await lab.sent()).get('a')
    expect((after?.packets ?? 0) - (before?.packets ?? 0)).toBeGreaterThanOrEqual(2)
    expect((after?.bytes ?? 0) - (before?.bytes ?? 0)).toBeGreaterThan(100)
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
