import { readFile } from 'node:fs/promises'
import { setPriority } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** How late this process gets to run. `longestMs` is the longest wait since the last call, and starts anew. */
export type LoadMeter = { longestMs(): number; stop(): void }

export function createLoadMeter(): LoadMeter {
  // Each look wakes the process up; what matters are waits of some hundred milliseconds.
  const RESOLUTION_MS = 100
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  histogram.enable()
  return {
    longestMs() {
      const longest = Math.max(0, histogram.max / 1e6 - RESOLUTION_MS)
      histogram.reset()
      return longest
    },
    stop: () => void histogram.disable(),
  }
}

/** Asks to be run before ordinary processes: a watch that waits for the processor accuses others. Without the right nothing changes. */
export function askForPriority(): void {
  try {
    setPriority(-5)
  } catch {
    // Only root may; as anyone else the node runs as it is.
  }
}

/**
 * Datagrams that the kernel dropped because this process did not fetch them in time, since its UDP sockets on `port` were opened. Null where the
 * system does not say (it is Linux that does: the last column of /proc/net/udp).
 */
export async function droppedDatagrams(port: number): Promise<number | null> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  let dropped: number | null = null
  for (const table of ['/proc/self/net/udp', '/proc/self/net/udp6']) {
    const text = await readFile(table, 'utf8').catch(() => '')
    for (const line of text.split('\n')) {
      const fields = line.trim().split(/\s+/)
      if (fields[1]?.endsWith(suffix)) dropped = (dropped ?? 0) + Number(fields[12] ?? 0)
    }
  }
  return dropped
}
