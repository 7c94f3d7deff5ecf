import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'

/**
 * Every input is bytes, so that one that was found can be kept: each run first replays test/fuzz/corpus/<kind>/, one file an input, as it came
 * off the wire. Then come inputs of a fixed seed, and some of a fresh one. To keep an input, write its bytes to a file there, named by what
 * it shows (`truncated-envelope.bin`); a failure prints its bytes as hex. MIDWATCH_FUZZ_SEED repeats a fresh seed, MIDWATCH_FUZZ_RUNS asks for more.
 */
const CORPUS = join(import.meta.dirname, '../corpus')
const FIXED_SEED = 20_260_101
const freshSeed = (): number => Number(process.env['MIDWATCH_FUZZ_SEED'] ?? Date.now() % 2 ** 31)

export async function fuzz(
  kind: string,
  inputs: fc.Arbitrary<Uint8Array>,
  runs: number,
  holds: (input: Uint8Array) => void | Promise<void>,
): Promise<void> {
  for (const [name, input] of corpusOf(kind)) {
    try {
      await holds(input)
    } catch (error) {
      throw new Error(`the kept input corpus/${kind}/${name} fails`, { cause: error })
    }
  }
  const numRuns = Number(process.env['MIDWATCH_FUZZ_RUNS'] ?? runs)
  const check = async (input: Uint8Array): Promise<void> => {
    try {
      await holds(input)
    } catch (error) {
      throw new Error(`fails for ${Buffer.from(input).toString('hex')}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      })
    }
  }
  for (const seed of [FIXED_SEED, freshSeed()]) {
    try {
      await fc.assert(fc.asyncProperty(inputs, check), { seed, numRuns })
    } catch (error) {
      throw new Error(`MIDWATCH_FUZZ_SEED=${seed} repeats it: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  }
}

export function corpusOf(kind: string): [name: string, input: Uint8Array][] {
  const folder = join(CORPUS, kind)
  return readdirSync(folder)
    .sort()
    .map((name) => [name, new Uint8Array(readFileSync(join(folder, name)))])
}

/** Bytes of heap that are in use after a collection. */
export async function heapBytes(): Promise<number> {
  const { setFlagsFromString } = await import('node:v8')
  const { runInNewContext } = await import('node:vm')
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  // Twice, with a turn of the loop between: what waits to be finalised goes at the second.
  collect()
  await new Promise((resolve) => setImmediate(resolve))
  collect()
  return process.memoryUsage().heapUsed
}
