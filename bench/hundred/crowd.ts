import { randomBytes, randomInt } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Rundown, Timeline, TimelineEntry } from '../../src/contract/index.ts'
import { MIDWATCH } from '../../test/lab/support/midwatch.ts'
import { startProcess, type LabProcess } from '../../test/lab/support/processes.ts'
import { sleep } from '../machine.ts'

/** One node of the crowd: the program in a process of its own, on loopback. */
export type CrowdNode = {
  readonly id: string
  readonly process: LabProcess
  get(path: string): Promise<string>
}

const START_MS = 240_000
const ASK_MS = 30_000

/** Many nodes on one machine. */
export class Crowd {
  readonly nodes: CrowdNode[] = []
  readonly #folder: string
  /** A loopback address for each node: a free port of one address is soon taken by somebody's outgoing connection. */
  readonly #network = `127.${64 + randomInt(64)}`
  readonly #probeEvery: string
  #seed: string | null = null

  private constructor(folder: string, probeEvery: string) {
    this.#folder = folder
    this.#probeEvery = probeEvery
  }

  static async open(probeEvery: string): Promise<Crowd> {
    const folder = await mkdtemp(join(tmpdir(), 'midwatch-hundred-'))
    await writeFile(join(folder, 'grid-key'), `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 })
    const crowd = new Crowd(folder, probeEvery)
    // A hundred processes must not outlive their bench.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.once(signal, () => void crowd.close().then(() => process.exit(1)))
    return crowd
  }

  /** Starts one more, and waits until it says that it is ready. */
  async add(): Promise<void> {
    const number = this.nodes.length + 1
    const id = `n${number}`
    const dataDir = join(this.#folder, id)
    const listen = `${this.#network}.${number >> 8}.${number & 255}:8777`
    const settings = ['--listen', listen, '--probe-every', this.#probeEvery, '--log-level', 'error', '--storage-mb', '64']
    const place = [
      '--id',
      id,
      '--site',
      `s${((number - 1) % 10) + 1}`,
      '--data',
      dataDir,
      '--grid-key-file',
      join(this.#folder, 'grid-key'),
    ]
    const join1 = this.#seed === null ? [] : ['--join', this.#seed]
    const started = startProcess([MIDWATCH, 'up', '--json', ...place, ...settings, ...join1], {})
    const get = async (path: string): Promise<string> => {
      const token = await readFile(join(dataDir, 'token'), 'utf8').catch(() => '')
      const headers = { Authorization: `Bearer ${token.trim()}` }
      const answer = await fetch(`http://${listen}${path}`, { headers, signal: AbortSignal.timeout(ASK_MS) })
      const text = await answer.text()
      if (answer.status !== 200) throw new Error(`${id} answered ${answer.status} to ${path}: ${text.slice(0, 200)}`)
      return text
    }
    this.nodes.push({ id, process: started, get })
    const isReady = (): Promise<boolean> =>
      get('/readyz').then(
        () => true,
        () => false,
      )
    for (const endMs = performance.now() + START_MS; !(await isReady()); await sleep(200)) {
      if (!started.running || performance.now() > endMs) throw new Error(`${id} did not become ready:\n${started.lastLines()}`)
    }
    this.#seed ??= listen
  }

  /** Ends all of them, and removes what they left. */
  async close(): Promise<void> {
    await Promise.all(this.nodes.map(({ process }) => process.kill()))
    await rm(this.#folder, { recursive: true, force: true })
  }
}

export const statusOf = async (node: CrowdNode): Promise<Rundown> => JSON.parse(await node.get('/api/status')) as Rundown

/** What a node sent and received since it started. */
export async function trafficOf(node: CrowdNode): Promise<{ bytes: number; datagrams: number; probes: number }> {
  const text = await node.get('/metrics')
  const value = (name: string): number => Number(new RegExp(`^midwatch_${name}_total (\\S+)$`, 'm').exec(text)?.[1] ?? 0)
  return { bytes: value('datagram_bytes_sent'), datagrams: value('datagrams_sent'), probes: value('node_probes_sent') }
}

/** The newest entries of a node's journal after `sinceSeq`, oldest first, a thousand at most. */
export async function newestSince(node: CrowdNode, sinceSeq: number): Promise<TimelineEntry[]> {
  const { entries } = JSON.parse(await node.get('/api/timeline?limit=1000')) as Timeline
  return entries.filter((entry) => entry.seq > sinceSeq).toReversed()
}

export async function lastSeqOf(node: CrowdNode): Promise<number> {
  const { entries } = JSON.parse(await node.get('/api/timeline?limit=1')) as Timeline
  return entries[0]?.seq ?? 0
}

/** One after the other: a hundred answers at once would be a load of their own. */
export async function eachInTurn<T>(nodes: readonly CrowdNode[], ask: (node: CrowdNode) => Promise<T>): Promise<T[]> {
  const answers: T[] = []
  for (const node of nodes) answers.push(await ask(node))
  return answers
}
