import { mkdir, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { table, type Figure } from './report.ts'

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
export const say = (text: string): void => void process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`)

/** How busy the machine is before a bench adds to it; says so when the figures will suffer. */
export async function busyBefore(): Promise<number> {
  const share = await busyShare(2_000)
  if (share > 0.1) say(`other programs use ${Math.round(share * 100)} % of this machine: the figures will be worse than they should`)
  return share
}

/** Share of all cores that was in use during so long. */
export async function busyShare(forMs: number): Promise<number> {
  const before = coreTimes()
  await sleep(forMs)
  const after = coreTimes()
  return 1 - (after.idle - before.idle) / Math.max(1, after.all - before.all)
}

function coreTimes(): { idle: number; all: number } {
  const times = cpus().map((core) => core.times)
  const idle = times.reduce((sum, core) => sum + core.idle, 0)
  return { idle, all: times.reduce((sum, core) => sum + core.idle + core.user + core.nice + core.sys + core.irq, 0) }
}

/** Writes the figures to bench/results/ and prints them. */
export async function tell(bench: string, options: object, busyBefore: number, figures: readonly Figure[], asJson: boolean): Promise<void> {
  const machine = { cores: cpus().length, processor: cpus()[0]?.model ?? 'unknown', runtime: process.version, busyBefore }
  const result = { bench, at: new Date().toISOString(), machine, options, figures }
  const folder = join(import.meta.dirname, 'results')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, `${bench}-${result.at.replaceAll(':', '')}.json`), JSON.stringify(result, null, 2))
  process.stdout.write(asJson ? `${JSON.stringify(result, null, 2)}\n` : `${table(figures)}\n`)
}
