import type { Address } from '../../src/platform/index.ts'

/** A router forgets a way that was not used for so long. */
const FORGETS_MS = 30_000
const FIRST_PORT = 20_000

type Hidden = { readonly router: string; readonly passesUdp: boolean; readonly spokeMs: Map<string, number> }

/**
 * Routers that translate addresses, each with one host behind it: it can call out, nobody can call it, and a datagram comes in only from
 * where one went out to, as at most routers at home.
 */
export class VirtualNat {
  readonly #hidden = new Map<string, Hidden>()
  readonly #behind = new Map<string, string>()

  /** Puts a host behind a router of this address, which passes no datagrams unless told. */
  hide(host: string, router: string, passesUdp: boolean): void {
    this.#hidden.set(host, { router, passesUdp, spokeMs: new Map() })
    this.#behind.set(router, host)
  }

  /** Can a connection be opened to it? */
  canBeCalled(host: string): boolean {
    return !this.#hidden.has(host) && !this.#behind.has(host)
  }

  /** The address that others see a host by. */
  shown(host: string): string {
    return this.#hidden.get(host)?.router ?? host
  }

  /** And the host that has it. */
  hostOf(shown: string): string {
    return this.#behind.get(shown) ?? shown
  }

  /** Where a datagram seems to come from; null when it does not get out. */
  source(from: Address, lane: number, to: string, nowMs: number): Address | null {
    const hidden = this.#hidden.get(from.host)
    if (!hidden) return from
    if (!hidden.passesUdp) return null
    hidden.spokeMs.set(`${to} ${lane}`, nowMs)
    return { host: hidden.router, port: FIRST_PORT + lane }
  }

  /** Which host gets it; null when none does. `port` is what hosts listen on. */
  receiver(from: string, to: Address, port: number, nowMs: number): string | null {
    const host = this.#behind.get(to.host)
    if (host === undefined) return to.port === port && !this.#hidden.has(to.host) ? to.host : null
    const spokeMs = this.#hidden.get(host)?.spokeMs.get(`${from} ${to.port - FIRST_PORT}`)
    return spokeMs !== undefined && nowMs - spokeMs < FORGETS_MS ? host : null
  }
}
