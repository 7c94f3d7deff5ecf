import type { Identity } from '../../src/contract/index.ts'
import { hostOf } from '../support/virtual-grid.ts'
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
import { beginLying } from './liars.ts'
import { scheduleOf, type Action, type Schedule } from './schedule.ts'
import { JOINERS_FROM, LIARS_FROM, Stage } from './stage.ts'
import { beginFlood, Recorder } from './strangers.ts'

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
  readonly #recorder: Recorder
  readonly #relay: Relay
  readonly meter: Meter
  readonly healedMs: number[] = []
  failure: Failure | null = null
  #liars = 0
  #strangers = 0
  #joiners = 0
  readonly #removable: Identity[] = []
  /** What ends by itself when its time is over, or at the heal. */
  #ending: { readonly atMs: number; readonly isLie: boolean; end(): void }[] = []
  /** When a liar last was there. */
  #lieMs = -Infinity

  constructor(stage: Stage, schedule: Schedule) {
    this.#stage = stage
    this.#schedule = schedule
    this.#recorder = new Recorder(stage)
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
        const ending = this.#ending.toSorted((a, b) => a.atMs - b.atMs)[0]
        const nextMs = Math.min(action?.atMs ?? Infinity, ending?.atMs ?? Infinity)
        if (nextMs > act.healMs) break
        await this.#until(nextMs)
        if (ending && ending.atMs <= nextMs) {
          this.#ending = this.#ending.filter((one) => one !== ending)
          ending.end()
        } else if (action) {
          actions.shift()
          this.#begin(action)
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
        this.#must('bounded', this.meter.tooMuch(world.nowMs - this.#lieMs <= 2 * PROMISES.windowMs))
      if (world.nowMs % PROMISES.relayedMs === 0) this.#must('relayed', this.#relay.late())
      if (this.#ending.some((one) => one.isLie)) this.#lieMs = world.nowMs
      this.#must('bounded', tooManyRows(this.#stage, this.#liars))
      this.#must('bounded', tooLongRow(this.#stage))
      if (this.failure) throw new Broken()
    }
  }

  async #heal(endMs: number): Promise<void> {
    const stage = this.#stage
    for (const { end } of this.#ending.splice(0)) end()
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

  #begin(action: Action): void {
    const stage = this.#stage
    const fromMs = stage.world.nowMs
    const untilMs = fromMs + action.forMs
    const later = (end: () => void): void => void this.#ending.push({ atMs: untilMs, isLie: action.type === 'lie', end })
    const fault = (from: readonly number[], to: readonly number[], path: object, isStall = false): void =>
      void stage.faults.push({ from: new Set(from), to: new Set(to), fromMs, untilMs, path, isStall })
    switch (action.type) {
      case 'cut':
        fault(action.from, action.to, { isCut: true })
        if (!action.isOneWay) fault(action.to, action.from, { isCut: true })
        return
      case 'rough':
        return fault(action.from, action.to, action)
      case 'clock':
        return stage.world.shiftWall(hostOf(action.node), action.byMs)
      case 'join':
        return this.#join(action, later)
      case 'lie':
        return this.#lie(action, later)
      case 'rekey':
        return this.#rekey(action)
    }
    const seat = stage.seat(action.node)
    if (!seat?.node.isRunning) return
    const everyone = Array.from({ length: 1_000 }, (_, number) => number)
    switch (action.type) {
      case 'stall':
        fault([action.node], [], {}, true)
        return stage.world.stall(seat.node.host.host, action.forMs)
      case 'restart':
        fault([action.node], everyone, {})
        stage.kill(seat)
        return later(() => stage.revive(seat, action.memory, action.ageMs))
      case 'copy': {
        fault([action.node], everyone, {})
        const copy = stage.copy(seat)
        return later(() => copy.node.kill())
      }
      case 'targets':
        seat.node.setTargets(action.count, action.state)
        return later(() => stage.seat(action.node)?.node.isRunning && seat.node.setTargets(0, 'up'))
      case 'flood':
        return later(beginFlood(stage, this.#recorder, this.#strangers++, action.kind, action.perSecond, seat))
    }
  }

  #lie(action: Extract<Action, { type: 'lie' }>, later: (end: () => void) => void): void {
    const liar = beginLying(this.#stage, LIARS_FROM + this.#liars++, action.kind, action.size)
    this.#removable.push(liar.identity)
    later(() => liar.stop())
  }

  #rekey(action: Extract<Action, { type: 'rekey' }>): void {
    const { grid, isRunning } = this.#stage.seat(action.node)?.node ?? {}
    const identity = action.removes ? this.#removable.at(-1) : undefined
    if (!grid || !isRunning) return
    const isKnown = identity !== undefined && grid.table.get(identity) !== undefined
    if (isKnown) this.#stage.removed.add(identity)
    grid.changeKey(isKnown ? [{ identity, id: 'removed' }] : []).catch((error: unknown) => this.fail('no-crash', String(error)))
  }

  #join(action: Extract<Action, { type: 'join' }>, later: (end: () => void) => void): void {
    const stage = this.#stage
    const numbers = Array.from({ length: action.count }, () => JOINERS_FROM + this.#joiners++)
    for (const number of numbers) stage.enter(number)
    later(() => {
      for (const number of numbers) {
        const seat = stage.seat(number)
        if (!seat) continue
        if (!action.leave) stage.kill(seat)
        else if (seat.node.isRunning) {
          seat.node.grid.leave()
          seat.node.isRunning = false
          seat.node.host.clock.after(500, () => seat.node.kill())
        }
      }
    })
  }
}
