import { untilDone, type Clock, type Outbound } from '../../../platform/index.ts'
import { findTool, type Echo, type Tool } from './tool.ts'

export type Pinger = {
  /** `address` is an IP literal. */
  ping(address: string, timeoutMs: number, signal: AbortSignal): Promise<Echo>
  /** Ends the processes under way and resolves when they are gone. */
  stop(): Promise<void>
}

/** Pings that are due within this time share a process; less where the time-out is short. */
const GATHER_MS = 200
/** How long a missing tool stays missing before it is looked for again. */
const LOOK_AGAIN_MS = 300_000
/** A process is killed this long after its own time-out should have ended it. */
const GRACE_MS = 1_000

type Waiting = { readonly address: string; sent: boolean; answer: (echo: Echo) => void }

/** One pinger serves all icmp targets, so that a hundred of them that are due cost one process. */
export function createPinger(options: { clock: Clock; outbound: Outbound }): Pinger {
  const { clock, outbound } = options
  const gathering = new Map<number, Waiting[]>()
  const ending = new AbortController()
  const running = new Set<Promise<void>>()
  let tool: Promise<Tool> | null = null
  let lookAgainMs = Infinity

  function currentTool(): Promise<Tool> {
    if (tool !== null && clock.monoMs() < lookAgainMs) return tool
    lookAgainMs = Infinity
    tool = findTool(outbound, ending.signal).then((found) => {
      if (found.kind === 'none') lookAgainMs = clock.monoMs() + LOOK_AGAIN_MS
      return found
    })
    return tool
  }

  function track(work: Promise<void>): void {
    running.add(work)
    void work.finally(() => running.delete(work))
  }

  async function send(timeoutMs: number): Promise<void> {
    const batch = gathering.get(timeoutMs) ?? []
    gathering.delete(timeoutMs)
    if (ending.signal.aborted) return answerAll(batch, { kind: 'silence' })
    const found = await currentTool()
    if (found.kind === 'none') return answerAll(batch, { kind: 'cannot', detail: found.detail })
    const byAddress = Map.groupBy(batch, (waiting) => waiting.address)
    const addresses = [...byAddress.keys()]
    for (let at = 0; at < addresses.length; at += found.batch)
      track(runOne(found, addresses.slice(at, at + found.batch), timeoutMs, byAddress))
  }

  async function runOne(
    found: Tool & { kind: 'found' },
    addresses: string[],
    timeoutMs: number,
    byAddress: Map<string, Waiting[]>,
  ): Promise<void> {
    const answer = (address: string, echo: Echo): void => {
      answerAll(byAddress.get(address) ?? [], echo)
      byAddress.delete(address)
    }
    const read = (line: string): void => {
      const news = found.read(line)
      if (news !== null) answer(news.address ?? (addresses[0] as string), news.echo)
    }
    for (const address of addresses) for (const waiting of byAddress.get(address) ?? []) waiting.sent = true
    try {
      const result = await outbound.run({
        file: found.file,
        args: found.args(addresses, timeoutMs),
        timeoutMs: timeoutMs + GRACE_MS,
        maxOutputBytes: 65_536,
        signal: ending.signal,
        onLine: read,
      })
      // Above 1 the program itself failed: neither a reply nor its absence was seen.
      const broken = result.code !== null && result.code > 1 && !ending.signal.aborted
      for (const address of addresses) answer(address, broken ? { kind: 'cannot', detail: `${found.file} failed` } : { kind: 'silence' })
    } catch {
      // It is gone, or the host has no room for a process: look again at the next ping.
      lookAgainMs = -Infinity
      for (const address of addresses) answer(address, { kind: 'cannot', detail: `${found.file} cannot be started` })
    }
  }

  return {
    ping(address, timeoutMs, signal) {
      const waiting: Waiting = { address, sent: false, answer: () => {} }
      return untilDone<Echo>(signal, (resolve) => {
        waiting.answer = resolve
        const batch = gathering.get(timeoutMs)
        if (batch) batch.push(waiting)
        else {
          gathering.set(timeoutMs, [waiting])
          clock.after(gatherMs(timeoutMs), () => track(send(timeoutMs)))
        }
        return () => {}
      }).catch((): Echo => (waiting.sent ? { kind: 'silence' } : { kind: 'cannot', detail: 'no ping could be sent in time' }))
    },
    async stop() {
      ending.abort()
      await Promise.allSettled(running)
    },
  }
}

function gatherMs(timeoutMs: number): number {
  return Math.min(GATHER_MS, timeoutMs / 10)
}

function answerAll(waiting: readonly Waiting[], echo: Echo): void {
  for (const each of waiting) each.answer(echo)
}
