// npm run sim: plays seeded stories of trouble on virtual time, and says which promise broke and how to see it again.
import { parseArgs } from 'node:util'
import { editModules, GUARDS } from './edits.ts'
import { Pool } from './pool.ts'
import type { Choice, Failure, Outcome } from './run.ts'
import type { Shrunk } from './shrink.ts'

const HELP = `npm run sim -- [options]

  --seeds N       so many fixed seeds (default 200)
  --from N        the first of them (default 1)
  --fresh N       so many new seeds besides, which it prints
  --hours H       new seeds for so many hours of real time instead
  --seed N        this one, with its story
  --keep 3,5,9    of its actions only these
  --nodes N       of its nodes only the first N
  --without NAME  one guard switched off: ${Object.keys(GUARDS).join(', ')}
  --until-failure stop at the first seed that fails
  --workers N     processes (default 2)
  --scale         1,000 nodes instead of stories; --nodes says how many
  --json          the summary as one line of JSON
`

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    from: { type: 'string', default: '1' },
    fresh: { type: 'string', default: '0' },
    hours: { type: 'string' },
    seed: { type: 'string' },
    keep: { type: 'string' },
    nodes: { type: 'string' },
    without: { type: 'string' },
    'until-failure': { type: 'boolean', default: false },
    workers: { type: 'string', default: '2' },
    scale: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const without = values.without ?? null
const startedMs = Date.now()
const say = (line: string): void => void (values.json || process.stdout.write(`${line}\n`))

type Found = { readonly seed: number; readonly failure: Failure; readonly shrunk: Shrunk | null }

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(HELP)
    return 0
  }
  editModules(without)
  if (values.scale) {
    const { scale, tell } = await import('./scale.ts')
    const result = await scale(Number(values.nodes ?? 1_000), say)
    process.stdout.write(values.json ? `${JSON.stringify(result)}\n` : tell(result))
    return result.failures.length > 0 ? 1 : 0
  }
  const pool = new Pool(Number(values.workers), without)
  try {
    return values.seed === undefined ? await many(pool) : await one(pool, Number(values.seed))
  } finally {
    pool.close()
  }
}

async function one(pool: Pool, seed: number): Promise<number> {
  const keep = values.keep === undefined ? null : values.keep.split(',').filter(Boolean).map(Number)
  const choice = { seed, keep, nodes: values.nodes === undefined ? null : Number(values.nodes) }
  const outcome = await pool.play(choice)
  if (values.json) process.stdout.write(`${JSON.stringify(outcome)}\n`)
  await tellStory(choice)
  if (outcome.failure) say(`\n${wordsOf(outcome.failure)}`)
  else say(`\nEvery promise held. All had the same rows ${outcome.healedMs.map((ms) => ms / 1_000).join(' s, ')} s after each heal.`)
  return outcome.failure ? 1 : 0
}

async function many(pool: Pool): Promise<number> {
  const outcomes: Outcome[] = []
  const found: Found[] = []
  const seeds = seedsToPlay()
  const isEnough = (): boolean => values['until-failure'] && found.length > 0
  const isTold = process.stdout.isTTY && !values.json
  async function work(): Promise<void> {
    for (let next = seeds.next(); !next.done && !isEnough(); next = seeds.next()) {
      const choice: Choice = { seed: next.value, keep: null, nodes: null }
      const outcome = await pool.play(choice)
      outcomes.push(outcome)
      if (isTold) process.stdout.write(`\r${progress(outcomes)}, ${found.length} failed `)
      if (!outcome.failure || isEnough()) continue
      say(`${isTold ? '\n' : ''}seed ${choice.seed}: ${wordsOf(outcome.failure)}`)
      const place = found.push({ seed: choice.seed, failure: outcome.failure, shrunk: null }) - 1
      // Which guard is missing is known: the story is not what is asked then.
      if (without !== null || found.length > 20) continue
      const { shrink } = await import('./shrink.ts')
      const shrunk = await shrink(choice, outcome.failure, (smaller) => pool.play(smaller))
      found[place] = { seed: choice.seed, failure: outcome.failure, shrunk }
      say(`  shrunk in ${shrunk.runs} runs to: ${wordsOf(shrunk.failure)}`)
      await tellStory(shrunk.choice)
      say(`  see it again: ${commandOf(shrunk.choice)}`)
    }
  }
  await Promise.all(Array.from({ length: Number(values.workers) }, work))
  if (isTold) process.stdout.write('\n')
  if (values.json) process.stdout.write(`${JSON.stringify({ ...summaryOf(outcomes), found })}\n`)
  else {
    say(`${progress(outcomes)}; ${outcomes.reduce((sum, one) => sum + one.actions, 0)} actions`)
    const { healP50Ms, healWorstMs, worstBytesPerSecond } = summaryOf(outcomes)
    say(
      `one table after a heal: median ${healP50Ms / 1_000} s, worst ${healWorstMs / 1_000} s; most sent by a node: ${Math.round(worstBytesPerSecond / 1_000)} kB/s`,
    )
    say(found.length === 0 ? 'Every promise held.' : `${found.length} seeds failed: ${found.map((one) => one.seed).join(', ')}`)
  }
  return found.length > 0 ? 1 : 0
}

function* seedsToPlay(): Generator<number> {
  if (values.hours !== undefined) {
    const endMs = startedMs + Number(values.hours) * 3_600_000
    while (Date.now() < endMs) yield freshSeed()
    return
  }
  const from = Number(values.from)
  for (let seed = from; seed < from + Number(values.seeds ?? 200); seed++) yield seed
  const fresh = Array.from({ length: Number(values.fresh) }, freshSeed)
  if (fresh.length > 0) say(`fresh seeds: ${fresh.join(' ')}`)
  yield* fresh
}

function freshSeed(): number {
  return 1_000_000 + Math.floor(Math.random() * 1_000_000_000)
}

function summaryOf(outcomes: readonly Outcome[]) {
  const heals = outcomes.flatMap((outcome) => outcome.healedMs).sort((a, b) => a - b)
  return {
    seeds: outcomes.length,
    virtualHours: outcomes.reduce((sum, one) => sum + one.virtualMs, 0) / 3_600_000,
    actions: outcomes.reduce((sum, one) => sum + one.actions, 0),
    seconds: (Date.now() - startedMs) / 1_000,
    healP50Ms: heals[Math.floor(heals.length / 2)] ?? 0,
    healWorstMs: heals.at(-1) ?? 0,
    worstBytesPerSecond: Math.max(0, ...outcomes.map((one) => one.worstBytesPerSecond)),
  }
}

function progress(outcomes: readonly Outcome[]): string {
  const { seeds, virtualHours, seconds } = summaryOf(outcomes)
  const time = virtualHours < 48 ? `${virtualHours.toFixed(1)} virtual hours` : `${(virtualHours / 168).toFixed(2)} virtual weeks`
  return `${seeds} seeds, ${time} in ${Math.round(seconds)} s`
}

function wordsOf({ invariant, atMs, what }: Failure): string {
  return `${invariant} broke at ${(atMs / 1_000).toFixed(1)} s: ${what}`
}

async function tellStory(choice: Choice): Promise<void> {
  const { chosen } = await import('./run.ts')
  const { told } = await import('./words.ts')
  for (const line of told(chosen(choice), choice.keep)) say(`  ${line}`)
}

function commandOf({ seed, keep, nodes }: Choice): string {
  const parts = [
    `npm run sim -- --seed ${seed}`,
    keep && `--keep ${keep.join(',')}`,
    nodes !== null && `--nodes ${nodes}`,
    without && `--without ${without}`,
  ]
  return parts.filter(Boolean).join(' ')
}

process.exitCode = await main()
