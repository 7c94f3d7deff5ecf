// npm run bench -- NAME: measures, prints a table, and writes its figures as JSON. Not part of `npm test`.
import { benchGrid } from './grid.ts'
import { benchHundred } from './hundred.ts'
import { benchPartition } from './partition.ts'

const BENCHES: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  grid: benchGrid,
  hundred: benchHundred,
  partition: benchPartition,
}

const [name = '', ...args] = process.argv.slice(2)
const bench = BENCHES[name]
if (bench === undefined) {
  process.stderr.write(`npm run bench -- NAME, where NAME is one of: ${Object.keys(BENCHES).join(', ')}\n`)
  process.exitCode = 2
} else {
  await bench(args)
}
