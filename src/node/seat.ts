import { asMidwatchError, MidwatchError, type Identity, type Settings } from '../contract/index.ts'
import {
  createInvitations,
  Grid,
  KeyRing,
  ringStateOf,
  type GridEvent,
  type Invitations,
  type LinkClaim,
  type NodeKeys,
  type RingState,
} from '../grid/index.ts'
import { formatAddress, type Clock, type Network, type Randomness } from '../platform/index.ts'
import { resolveAll, type Advertised } from './addresses.ts'
import { CallsOut } from './calls-out.ts'
import type { Chronicle } from './chronicle.ts'
import type { Memory } from './data-dir.ts'
import type { Logger } from './log.ts'
import { PROGRAM_VERSION } from './version.ts'

export type SeatOptions = {
  readonly clock: Clock
  readonly random: Randomness
  readonly settings: Settings
  readonly keys: NodeKeys
  readonly network: Network
  readonly memory: Memory
  readonly advertised: Advertised
  readonly chronicle: Chronicle
  readonly log: Logger
  onProbe(from: Identity, payload: Uint8Array): void
  onFigures(identity: Identity): void
  /** Nodes came, went, or changed what they say. `whole`: more than links' states. */
  onRows(whole: boolean): void
  /** What is known of a node became different. */
  onFacts(identity: Identity): void
  /** What it is shown as; null before it was. */
  labelOf(identity: Identity): string | null
  /** A node runs anew: its earlier outage is over as soon as it answers. */
  onRestart(identity: Identity): void
}

const GOODBYE_MS = 300
/** How long a start waits for a first exchange: long with somebody to join, short when it may well be alone. */
const MEET_JOIN_MS = 800
const MEET_KNOWN_MS = 400
/** So long the others have to hear of this node before it probes them: whom they do not know they do not answer. */
const INTRODUCTION_MS = 100

/** This node's seat in a grid: which one it is in, how it comes in and how it leaves; and what it hears there, written down. */
export class Seat {
  readonly #options: SeatOptions
  readonly #heard = new Map<Identity, { links: readonly LinkClaim[]; incarnation: number; card: string }>()
  #seeds: readonly string[]
  #grid!: Grid
  #invitations!: Invitations
  #savedPeers = ''
  #savedHash = ''
  #callsOut: CallsOut | null = null

  constructor(options: SeatOptions, seeds: readonly string[]) {
    this.#options = options
    this.#seeds = [...new Set(seeds)]
  }

  get grid(): Grid {
    return this.#grid
  }

  /** Public name of the grid. */
  get name(): string {
    return this.#grid.ring.grid
  }

  get invitations(): Invitations {
    return this.#invitations
  }

  /** Takes a seat in the grid of these keys; `enter` makes it speak. The incarnation is on the disk before anyone hears it. */
  async take(state: RingState): Promise<void> {
    const { memory, clock, random, chronicle, advertised, settings, keys } = this.#options
    const ring = new KeyRing(state, keys, clock)
    const incarnation = (await memory.lastIncarnation()) + 1
    memory.setIncarnation(incarnation)
    const grid: Grid = new Grid({
      clock,
      random,
      network: this.#options.network,
      keys,
      ring,
      saveRing: (after) => this.#saveRing(after),
      card: { id: settings.id, site: settings.site, program: PROGRAM_VERSION, address: advertised.told() },
      incarnation,
      reserveIncarnation: (higher) => this.#reserve(higher),
      seeds: () => resolveAll(this.#seeds),
      onEvent: (event) => this.#onEvent(grid, event),
      onProbe: this.#options.onProbe,
      onSeenAs: (seen) => {
        if (advertised.seenAs(seen)) grid.setAddress(advertised.told())
      },
    })
    this.#grid = grid
    this.#invitations = createInvitations({
      clock,
      random,
      gridKey: () => ring.current.key,
      isRemoved: (identity) => ring.isRemoved(identity),
      peers: () => [formatAddress(advertised.current()), ...this.#addresses()],
      onUsed: (invitation, by) => chronicle.appendForGood({ type: 'invitation.used', invitation, by }),
      onRefused: (reason) => chronicle.append({ type: 'invitation.refused', reason }),
    })
  }

  /** Hears from others what the grid knows of this node before it speaks, then speaks. Who does not answer is known from before. */
  async enter(): Promise<void> {
    const { advertised, settings, memory } = this.#options
    for (const signed of await memory.rows(this.name)) this.#grid.applyRow(signed)
    const own = formatAddress(advertised.current())
    if (this.#grid.ring.outcast) return this.#grid.start()
    const seeds = (await resolveAll(this.#seeds.slice(0, 8))).filter((seed) => formatAddress(seed) !== own)
    if (seeds.length > 0) {
      const met = Promise.any(seeds.map(async (seed) => (await this.#grid.meet(seed)) || Promise.reject(new Error('no answer')))).catch(
        () => false,
      )
      await Promise.race([met, this.#pause(settings.join.length > 0 ? MEET_JOIN_MS : MEET_KNOWN_MS)])
    }
    this.#grid.start()
    if (settings.advertise === 'auto') this.#findOut()
    if (seeds.length > 0) await this.#pause(INTRODUCTION_MS)
  }

  #findOut(): void {
    const { clock, advertised, log } = this.#options
    this.#callsOut?.stop()
    this.#callsOut = new CallsOut(
      clock,
      () => this.#grid,
      () => {
        advertised.callsOut()
        this.#grid.setAddress(advertised.told())
        log.warn('no datagram of another node gets in here: this node only calls out, and nobody can probe it')
      },
    )
  }

  /** A node without a disk never comes back as itself: its end is a goodbye. */
  async close(): Promise<void> {
    this.#callsOut?.stop()
    if (this.#options.settings.ephemeral) {
      this.#grid.leave()
      await this.#pause(GOODBYE_MS)
    }
    this.#grid.stop()
  }

  /** Says goodbye, forgets the grid's key and goes on alone, in a grid of its own. */
  async leave(): Promise<void> {
    const { memory, random } = this.#options
    this.#grid.leave()
    await this.#pause(GOODBYE_MS)
    this.#grid.stop()
    const key = random.bytes(32)
    await memory.setRing(null)
    await memory.setGridKey(key)
    await memory.setPeers([])
    await memory.setRows('', [])
    this.#seeds = []
    this.#heard.clear()
    await this.take(ringStateOf(key))
    this.#grid.start()
    this.#options.onRows(true)
  }

  /** Keeps who and where the others are, for the next start. */
  async save(): Promise<void> {
    const addresses = this.#addresses()
    // That nobody is there says nothing about where they were.
    if (addresses.length > 0 && addresses.join() !== this.#savedPeers) {
      this.#savedPeers = addresses.join()
      await this.#options.memory.setPeers(addresses)
    }
    const hash = `${this.name} ${Buffer.from(this.#grid.table.hash()).toString('hex')}`
    if (hash === this.#savedHash) return
    this.#savedHash = hash
    await this.#options.memory.setRows(
      this.name,
      [...this.#grid.table.entries()].flatMap(({ row, signed }) => (row.identity === this.#grid.self ? [] : [signed])),
    )
  }

  #reserve(incarnation: number): void {
    try {
      this.#options.memory.setIncarnation(incarnation)
    } catch (error) {
      // It goes on: at worst the next start begins at one that was used, and the grid tells it so.
      this.#options.log.error({ error: asMidwatchError(error).message }, 'cannot write the incarnation')
    }
  }

  async #saveRing(state: RingState): Promise<void> {
    try {
      await this.#options.memory.setRing(state)
    } catch (error) {
      const why = asMidwatchError(error).message
      this.#options.log.error({ error: why }, "cannot write the grid's keys; this node stays with the key that it has")
      throw new MidwatchError('MW_DATA_DIR', `the grid's keys cannot be written: ${why}`, { cause: error })
    }
  }

  #addresses(): string[] {
    return [...this.#grid.table.entries()].flatMap(({ row }) =>
      row.identity === this.#grid.self || row.left || row.address === null ? [] : [row.address],
    )
  }

  #onEvent(grid: Grid, event: GridEvent): void {
    const { chronicle, log, settings } = this.#options
    const row = 'identity' in event ? grid.table.get(event.identity)?.row : undefined
    if ('identity' in event && event.type !== 'figures') this.#options.onFacts(event.identity)
    switch (event.type) {
      case 'figures':
        return this.#options.onFigures(event.identity)
      case 'row':
        return this.#onRow(grid, event.identity)
      case 'member':
        if (row)
          chronicle.append({
            type: 'member.changed',
            identity: event.identity,
            id: this.#options.labelOf(event.identity) ?? row.id,
            site: row.site,
            from: event.from,
            to: event.to,
          })
        return this.#options.onRows(true)
      case 'lied': {
        const { identity, lie } = event
        const id = this.#options.labelOf(identity) ?? row?.id ?? identity
        log.warn({ identity, id, lie }, 'a node was caught at something that no honest one does')
        const { incarnation = 0, version = 0 } = row ?? {}
        if (lie === 'two-rows') chronicle.append({ type: 'row.forked', identity, id, incarnation, version })
        else chronicle.append({ type: 'node.lied', identity, id, lie })
        return this.#options.onRows(true)
      }
      case 'key':
        log.info({ generation: event.generation, key: event.key, by: event.by }, 'the grid has a new key')
        chronicle.append({ ...event, type: 'key.changed' })
        // Who does not get the new key is off the map.
        return this.#options.onRows(true)
      case 'removed':
        // Whoever went may have taken one along.
        this.#invitations.revoke()
        log.info({ id: event.removal.id, by: event.removal.by }, 'a node was removed from the grid')
        return chronicle.append({ type: 'node.removed', identity: event.removal.identity, id: event.removal.id, by: event.removal.by })
      case 'outcast':
        this.#invitations.revoke()
        log.error({ by: event.by }, 'this node was removed from the grid; `midwatch leave` lets it go on alone')
        chronicle.append({ type: 'grid.removed', by: event.by })
        return this.#options.onRows(true)
      case 'degraded':
        return chronicle.append({ type: 'observer.degraded', id: settings.id, reasons: [...event.reasons] })
    }
  }

  #onRow(grid: Grid, identity: Identity): void {
    const row = grid.table.get(identity)?.row
    const before = this.#heard.get(identity)
    if (!row) {
      this.#heard.delete(identity)
      return this.#options.onRows(true)
    }
    const card = JSON.stringify([row.id, row.site, row.address, row.left, row.degraded, row.incarnation])
    this.#heard.set(identity, { links: row.links, incarnation: row.incarnation, card })
    const labelOf = (identity: Identity): string =>
      this.#options.labelOf(identity) ?? grid.table.get(identity)?.row.id ?? identity.slice(0, 8)
    const nameOf = (link: LinkClaim): string => (link.toType === 'node' ? labelOf(link.to as Identity) : link.to)
    this.#options.chronicle.appendTurns(before?.links ?? [], row.links, labelOf(identity), nameOf)
    if (before && before.incarnation !== row.incarnation && identity !== grid.self) this.#options.onRestart(identity)
    this.#options.onRows(before?.card !== card || before.links.length !== row.links.length)
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.#options.clock.after(delayMs, resolve))
  }
}
