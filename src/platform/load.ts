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
