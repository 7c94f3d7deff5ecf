import { chosen, type Choice, type Failure, type Outcome } from './run.ts'

/** Stops after so long, with what is smallest so far. */
const PATIENCE_MS = 60_000

export type Shrunk = { readonly choice: Choice; readonly failure: Failure; readonly runs: number }

/**
 * Leaves out actions, then nodes, as long as the same invariant breaks: delta debugging (Zeller's ddmin), from large pieces to single
 * actions.
 */
export async function shrink(choice: Choice, failure: Failure, play: (choice: Choice) => Promise<Outcome>): Promise<Shrunk> {
  const giveUpMs = Date.now() + PATIENCE_MS
  let best = { ...choice, keep: choice.keep ?? chosen(choice).actions.map((_, at) => at) }
  let bestFailure = failure
  let runs = 0
  const stillFails = async (smaller: typeof best): Promise<boolean> => {
    if (Date.now() > giveUpMs) return false
    runs++
    const outcome = await play(smaller)
    if (outcome.failure?.invariant !== failure.invariant) return false
    best = smaller
    bestFailure = outcome.failure
    return true
  }
  for (let pieces = 2; best.keep.length > 0;) {
    const { keep } = best
    const size = Math.ceil(keep.length / pieces)
    let isSmaller = false
    for (let at = 0; at < keep.length && !isSmaller; at += size) {
      isSmaller = await stillFails({ ...best, keep: [...keep.slice(0, at), ...keep.slice(at + size)] })
    }
    if (isSmaller) pieces = Math.max(2, pieces - 1)
    else if (size === 1) break
    else pieces = Math.min(keep.length, pieces * 2)
    if (Date.now() > giveUpMs) break
  }
  for (let nodes = chosen(best).nodes - 1; nodes >= 2; nodes--) if (!(await stillFails({ ...best, nodes }))) break
  return { choice: best, failure: bestFailure, runs }
}
