import { MidwatchError, type Identity } from '../../src/contract/index.ts'
import type { Path } from '../support/virtual-network.ts'
import { beginLying } from './liars.ts'
import type { Action } from './schedule.ts'
import { JOINERS_FROM, LIARS_FROM, type Seat, type Stage } from './stage.ts'
import { beginFlood, Recorder } from './strangers.ts'

type Kind<T extends Action['type']> = Extract<Action, { type: T }>
type Ending = { readonly atMs: number; readonly isLie: boolean; end(): void }

const EVERYONE: readonly number[] = Array.from({ length: 1_000 }, (_, number) => number)

/** Does what the actions say, and ends each when its time is over. */
export class Cast {
  readonly #stage: Stage
  readonly #recorder: Recorder
  readonly #onError: (error: unknown) => void
  #endings: Ending[] = []
  #liars = 0
  #strangers = 0
  #joiners = 0
  /** Who may be taken out of the grid: liars, the latest last. */
  readonly #removable: Identity[] = []

  constructor(stage: Stage, onError: (error: unknown) => void) {
    this.#stage = stage
    this.#onError = onError
    this.#recorder = new Recorder(stage)
  }

  /** Liars so far. */
  get liars(): number {
    return this.#liars
  }

  get hasLiar(): boolean {
    return this.#endings.some((ending) => ending.isLie)
  }

  /** When the next action ends. */
  get nextEndMs(): number {
    return Math.min(...this.#endings.map((ending) => ending.atMs))
  }

  /** Ends the actions whose time is over; with `Infinity` all. */
  end(untilMs: number): void {
    const due = this.#endings.filter((ending) => ending.atMs <= untilMs).toSorted((a, b) => a.atMs - b.atMs)
    this.#endings = this.#endings.filter((ending) => ending.atMs > untilMs)
    for (const ending of due) ending.end()
  }

  begin(action: Action): void {
    const stage = this.#stage
    const seat = 'node' in action ? stage.seat(action.node) : undefined
    // What happens to a node that is dead anyway makes no difference.
    if ('node' in action && !seat?.node.isRunning) return
    switch (action.type) {
      case 'cut':
        this.#fault(action, action.from, action.to, { isCut: true })
        if (!action.isOneWay) this.#fault(action, action.to, action.from, { isCut: true })
        return
      case 'rough':
        return this.#fault(action, action.from, action.to, action)
      case 'join':
        return this.#join(action)
      case 'lie':
        return this.#lie(action)
      case 'clock':
        return seat && stage.world.shiftWall(seat.node.host.host, action.byMs)
      case 'stall':
        this.#fault(action, [action.node], [], {}, true)
        return seat && stage.world.stall(seat.node.host.host, action.forMs)
      case 'restart':
        return seat && this.#restart(seat, action)
      case 'copy':
        return seat && this.#copy(seat, action)
      case 'rekey':
        return seat && this.#rekey(seat, action)
      case 'targets':
        seat?.node.setTargets(action.count, action.state)
        return this.#later(action, () => seat?.node.isRunning && seat.node.setTargets(0, 'up'))
      case 'flood':
        return seat && this.#later(action, beginFlood(stage, this.#recorder, this.#strangers++, action.kind, action.perSecond, seat))
    }
  }

  #later(action: Action, end: () => void): void {
    this.#endings.push({ atMs: this.#stage.world.nowMs + action.forMs, isLie: action.type === 'lie', end })
  }

  #fault(action: Action, from: readonly number[], to: readonly number[], path: Partial<Path>, isStall = false): void {
    const fromMs = this.#stage.world.nowMs
    this.#stage.faults.push({ from: new Set(from), to: new Set(to), fromMs, untilMs: fromMs + action.forMs, path, isStall })
  }

  #restart(seat: Seat, action: Kind<'restart'>): void {
    this.#fault(action, [action.node], EVERYONE, {})
    this.#stage.kill(seat)
    this.#later(action, () => this.#stage.revive(seat, action.memory, action.ageMs))
  }

  #copy(seat: Seat, action: Kind<'copy'>): void {
    this.#fault(action, [action.node], EVERYONE, {})
    const copy = this.#stage.copy(seat)
    this.#later(action, () => copy.node.kill())
  }

  #lie(action: Kind<'lie'>): void {
    const liar = beginLying(this.#stage, LIARS_FROM + this.#liars++, action.kind, action.size)
    this.#removable.push(liar.identity)
    this.#later(action, () => liar.stop())
  }

  #rekey(seat: Seat, action: Kind<'rekey'>): void {
    const { grid } = seat.node
    const identity = action.removes ? this.#removable.at(-1) : undefined
    const isKnown = identity !== undefined && grid.table.get(identity) !== undefined
    this.#stage.rekeyedMs = this.#stage.world.nowMs
    if (isKnown) this.#stage.removed.add(identity)
    // Who came a moment ago and is not known yet to the one who changes the key is a stranger to the new one, and has to be invited again.
    for (const other of this.#stage.running()) if (!grid.table.get(other.node.identity)) this.#stage.kill(other)
    grid.changeKey(isKnown ? [{ identity, id: 'removed' }] : []).catch((error: unknown) => {
      // Changes that follow on each other too fast are refused: that is no fault.
      if (!(error instanceof MidwatchError)) this.#onError(error)
      if (isKnown) this.#stage.removed.delete(identity)
    })
  }

  #join(action: Kind<'join'>): void {
    const stage = this.#stage
    const numbers = Array.from({ length: action.count }, () => JOINERS_FROM + this.#joiners++)
    for (const number of numbers) stage.enter(number, action.nat)
    this.#later(action, () => {
      for (const seat of numbers.flatMap((number) => stage.seat(number) ?? [])) {
        if (!action.leave || !seat.node.isRunning) stage.kill(seat)
        else stage.leave(seat)
      }
    })
  }
}
