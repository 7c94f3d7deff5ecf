import {
  deafAccuser,
  differing,
  falseDeath,
  forgedRow,
  Meter,
  PROMISES,
  Relay,
  slandered,
  tooLongRow,
  tooManyRows,
  unnamedLiar,
  wentBack,
  wrongAboutLife,
  wrongKey,
  type Invariant,
} from './invariants.ts'
import { Cast } from './cast.ts'
import { seedKeys } from './seeded-keys.ts'
import { scheduleOf, type Schedule } from './schedule.ts'
import { Stage } from './stage.ts'

/** What to run: a seed, and of its actions and nodes all, or some. */
export type Choice = { readonly seed: number; readonly keep: readonly number[] | null; readonly nodes: number | null }

export type Failure = { readonly invariant: Invariant; readonly atMs: number; readonly what: string }
export type Outcome = {
  readonly seed: number
  readonly failure: Failure | null
  readonly virtualMs: number
  readonly actions: number
  /** Of each heal: how long until all had the same rows. */
  readonly healedMs: readonly number[]
  readonly worstBytesPerSecond: number
}

/** The part of a seed's schedule that was chosen. */
export function chosen({ seed, keep, nodes }: Choice): Schedule {
  const whole = scheduleOf(seed)
  const count = Math.min(nodes ?? whole.nodes, whole.nodes)
  return { ...whole, nodes: count, actions: whole.actions.filter((_, at) => keep === null || keep.includes(at)) }
}

class Broken extends Error {}

/** Plays one schedule to its end, or until an invariant does not hold. */
export async function run(choice: Choice): Promise<Outcome> {
  const schedule = chosen(choice)
  seedKeys(choice.seed)
  const stage = new Stage(choice.seed, schedule.nodes)
  const play = new Play(stage, schedule)
  const onError = (error: unknown): void => play.fail('no-crash', String(error))
  process.on('uncaughtException', onError)
  process.on('unhandledRejection', onError)
  try {
    await play.perform()
  } catch (error) {
    if (!(error instanceof Broken)) play.fail('no-crash', error instanceof Error ? (error.stack ?? error.message) : String(error))
  } finally {
    process.off('uncaughtException', onError)
    process.off('unhandledRejection', onError)
    for (const seat of stage.running()) seat.node.kill()
  }
  return {
    seed: choice.seed,
    failure: play.failure,
    virtualMs: stage.world.nowMs,
    actions: schedule.actions.length,
    healedMs: play.healedMs,
    worstBytesPerSecond: play.meter.worst,
  }
}

class Play {
  readonly #stage: Stage
  readonly #schedule: Schedule
  readonly #cast: Cast
  readonly #relay: Relay
  readonly meter: Meter
  readonly healedMs: number[] = []
  failure: Failure | null = null
  /** When a liar last was there. */
  #lieMs = -Infinity

  constructor(stage: Stage, schedule: Schedule) {
    this.#stage = stage
    this.#schedule = schedule
    this.#cast = new Cast(stage, (error) => this.fail('no-crash', String(error)))
    this.#relay = new Relay(stage)
    this.meter = new Meter(stage)
    stage.watcher = {
      accused: (seat) => this.#must('local-health', deafAccuser(stage, seat)),
      event: (seat, event) => {
        if (event.type === 'row') {
          this.#must('own-words', forgedRow(stage, seat, event.identity))
          this.#must('forward', wentBack(stage, seat, event.identity))
        } else if (event.type === 'member' && event.to === 'down') this.#must('no-false-death', falseDeath(stage, seat, event.identity))
      },
    }
  }

  fail(invariant: Invariant, what: string): void {
    this.failure ??= { invariant, atMs: this.#stage.world.nowMs, what }
  }

  /** Inside an event nothing may be thrown through the program: the failure is seen at the next step. */
  #must(invariant: Invariant, wrong: string | null): void {
    if (wrong !== null) this.fail(invariant, wrong)
  }

  async perform(): Promise<void> {
    const stage = this.#stage
    for (let node = 0; node < this.#schedule.nodes; node++) stage.enter(node)
    const actions = [...this.#schedule.actions]
    for (const act of this.#schedule.acts) {
      for (;;) {
        const action = actions[0]
        const nextMs = Math.min(action?.atMs ?? Infinity, this.#cast.nextEndMs)
        if (nextMs > act.healMs) break
        await this.#until(nextMs)
        this.#cast.end(nextMs)
        if (action && action.atMs <= nextMs) {
          actions.shift()
          this.#cast.begin(action)
        }
      }
      await this.#until(act.healMs)
      await this.#heal(act.endMs)
    }
  }

  /** Lets time pass, and looks at what must hold all the time. */
  async #until(atMs: number): Promise<void> {
    const { world } = this.#stage
    while (world.nowMs < atMs) {
      const stepMs = 1_000 - (world.nowMs % 1_000)
      await world.run(Math.min(stepMs, atMs - world.nowMs))
      if (world.nowMs % PROMISES.windowMs === 0)
        this.#must('bounded', this.meter.tooMuch(world.nowMs - this.#lieMs <= 2 * PROMISES.windowMs || this.#hasGrown()))
      if (world.nowMs % PROMISES.relayedMs === 0) this.#must('relayed', this.#relay.late())
      if (this.#cast.hasLiar) this.#lieMs = world.nowMs
      this.#must('bounded', tooManyRows(this.#stage, this.#cast.liars))
      this.#must('bounded', tooLongRow(this.#stage))
      if (this.failure) throw new Broken()
    }
  }

  /** A liar's row that is as long as a row may be stays for as long as anybody knows the liar: whoever comes in gets it. */
  #hasGrown(): boolean {
    return this.#stage.deeds.some((deed) => deed.lie === 'too-large')
  }

  async #heal(endMs: number): Promise<void> {
    const stage = this.#stage
    this.#cast.end(Infinity)
    const { world } = stage
    const healMs = world.nowMs
    let healedMs: number | null = null
    let sameMs = healMs
    // Links go on recovering, so rows go on changing: what counts is that everyone has them soon.
    while (world.nowMs < endMs || sameMs < world.nowMs) {
      await this.#until(world.nowMs + 250)
      const wrong = differing(stage)
      if (wrong === null) {
        healedMs ??= world.nowMs - healMs
        sameMs = world.nowMs
      } else if (world.nowMs - sameMs > PROMISES.spreadMs && world.nowMs - healMs > PROMISES.healedMs) this.#must('one-hash', wrong)
      if (this.failure) throw new Broken()
    }
    this.healedMs.push(healedMs ?? Infinity)
    this.#must('one-key', wrongKey(stage))
    this.#must('deaths-known', wrongAboutLife(stage))
    this.#must('named', unnamedLiar(stage))
    this.#must('nobody-honest-named', slandered(stage))
    for (const seat of stage.running()) {
      for (const { row } of seat.node.grid.table.entries()) this.#must('own-words', forgedRow(stage, seat, row.identity))
    }
    if (this.failure) throw new Broken()
  }
}
