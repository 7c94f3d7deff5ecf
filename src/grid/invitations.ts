import { createHash, hkdfSync } from 'node:crypto'
import { encode } from 'cborg'
import { z } from 'zod'
import { HostPort, Identity, LIMITS, MidwatchError } from '../contract/index.ts'
import { plainHost, type ByteStream, type Clock, type Randomness } from '../platform/index.ts'
import { createAllowance } from './allowance.ts'
import { readCbor } from './cbor.ts'
import { callSealed, type SealedStream } from './stream.ts'

/**
 * An invitation lets one node in, once, within ten minutes. Its token holds a secret and the addresses of the node that made it; over a stream
 * sealed with that secret the newcomer gets the grid key. Only a hash of the secret is ever kept.
 */
const PREFIX = 'mw1.'
const SECRET_BYTES = 20

const Token = z.tuple([z.instanceof(Uint8Array).refine((value) => value.length === SECRET_BYTES), z.array(HostPort).min(1).max(8)])
const Request = z.tuple([z.literal('join'), Identity])
/** Instead of a grant: this identity was removed. It has to come in as a new node. */
const Removed = z.tuple([z.literal('removed')])
const Grant = z.tuple([
  z.literal('grant'),
  z.instanceof(Uint8Array).refine((value) => value.length === 32),
  z.array(HostPort).max(64),
  z.string().max(64),
])

export type Invited = { readonly gridKey: Uint8Array; readonly peers: readonly string[]; readonly seenAs: string }

/** Which invitation it is, without saying its secret. Journal and wire name it so. */
function nameOf(secret: Uint8Array): string {
  return createHash('sha256').update('midwatch invitation').update(secret).digest('hex').slice(0, 16)
}

function streamKey(secret: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(0), 'midwatch invitation 1', 32))
}

export type Invitations = {
  /** Makes one. MW_LIMIT when too many are open. */
  make(addresses: readonly string[]): { token: string; invitation: string; expiresAtMs: number }
  /** The stream key of the invitation that the hint names, or null. */
  keyOf(hint: Uint8Array): Uint8Array | null
  /** Answers a caller who proved the secret by its first frame. The invitation is used up before the key goes out. */
  answer(hint: Uint8Array, stream: SealedStream): Promise<void>
  /** None that was made is good any more. */
  revoke(): void
}

export type InvitationsOptions = {
  readonly clock: Clock
  readonly random: Randomness
  /** The grid's key of that moment. */
  gridKey(): Uint8Array
  isRemoved(identity: Identity): boolean
  /** Where the newcomer may find the grid: this node first. */
  peers(): string[]
  /** Writes down that it was used, before the key is handed out, so that a crash cannot make it good twice. */
  onUsed(invitation: string, by: Identity): Promise<void>
  /** Told at most LIMITS.joinAttemptsPerMinute times a minute: whoever can reach the port could fill the journal otherwise. */
  onRefused(reason: string): void
}

export function createInvitations(options: InvitationsOptions): Invitations {
  const { clock } = options
  const open = new Map<string, { key: Uint8Array; untilMs: number }>()
  const maySpeak = createAllowance(clock, LIMITS.joinAttemptsPerMinute, 60_000)

  function refused(reason: string): void {
    if (maySpeak()) options.onRefused(reason)
  }

  function expire(): void {
    for (const [name, invitation] of open) if (invitation.untilMs <= clock.monoMs()) open.delete(name)
  }

  return {
    make(addresses) {
      expire()
      if (open.size >= LIMITS.invitations) throw new MidwatchError('MW_LIMIT', `${LIMITS.invitations} invitations are open already`)
      const secret = options.random.bytes(SECRET_BYTES)
      const invitation = nameOf(secret)
      open.set(invitation, { key: streamKey(secret), untilMs: clock.monoMs() + LIMITS.invitationMs })
      const token = PREFIX + Buffer.from(encode([secret, addresses])).toString('base64url')
      return { token, invitation, expiresAtMs: clock.wallMs() + LIMITS.invitationMs }
    },
    keyOf(hint) {
      expire()
      // A hint that is known came out of a token, so strangers who flood the port cannot keep an invited node out.
      const key = open.get(Buffer.from(hint).toString('hex'))?.key
      if (!key) refused('unknown, used or expired')
      return key ?? null
    },
    async answer(hint, stream) {
      const invitation = Buffer.from(hint).toString('hex')
      const bytes = await stream.receive()
      const request = bytes && readCbor(Request, bytes)
      if (request && options.isRemoved(request[1])) {
        refused('a removed node asked to come back under its old identity')
        stream.send(encode(['removed']))
        return stream.end()
      }
      // Deleted between the first frame and the reply, with no wait between: two callers cannot both find it.
      if (!request || !open.delete(invitation)) {
        refused(request ? 'used by another at the same time' : 'caller did not know the secret')
        stream.destroy()
        return
      }
      await options.onUsed(invitation, request[1])
      stream.send(encode(['grant', options.gridKey(), options.peers().slice(0, 64), stream.remoteHost]))
      stream.end()
    },
    revoke: () => open.clear(),
  }
}

/** Reads a token. MW_INVITATION when it is not one. */
export function readToken(text: string): { secret: Uint8Array; addresses: string[] } {
  const token = text.trim().split(/\s+/).at(-1) ?? ''
  const bytes =
    token.startsWith(PREFIX) && token.length < 4_096 ? new Uint8Array(Buffer.from(token.slice(PREFIX.length), 'base64url')) : null
  const parsed = bytes && readCbor(Token, bytes)
  if (!parsed) throw new MidwatchError('MW_INVITATION', 'the text does not begin with mw1. or is cut short')
  return { secret: parsed[0], addresses: parsed[1] }
}

/** Joins by a token: calls each of its addresses in turn. Errors: MW_INVITATION, MW_JOIN_UNREACHABLE, MW_JOIN_REFUSED, MW_REMOVED. */
export async function acceptInvitation(
  text: string,
  identity: Identity,
  dial: (hostPort: string) => Promise<ByteStream>,
  clock: Clock,
): Promise<Invited> {
  const { secret, addresses } = readToken(text)
  const failures: string[] = []
  let refusedBy: string | null = null
  for (const address of addresses) {
    let stream: ByteStream
    try {
      stream = await dial(address)
    } catch (error) {
      failures.push(`${address}: ${error instanceof Error ? error.message : String(error)}`)
      continue
    }
    const askedMs = clock.monoMs()
    const sealed = await callSealed(stream, 1, Buffer.from(nameOf(secret), 'hex'), streamKey(secret), clock)
    sealed?.send(encode(['join', identity]))
    const bytes = (await sealed?.receive()) ?? null
    sealed?.end()
    if (bytes && readCbor(Removed, bytes)) throw new MidwatchError('MW_REMOVED', 'the grid removed the node with this identity')
    const grant = bytes && readCbor(Grant, bytes)
    if (grant) return { gridKey: grant[1], peers: [address, ...grant[2].filter((peer) => peer !== address)], seenAs: plainHost(grant[3]) }
    // Who refuses hangs up at once; who is busy, or is no Midwatch, lets us wait. Either may be another host with that address: go on.
    if (clock.monoMs() - askedMs < LIMITS.streamIdleMs) refusedBy ??= address
    else failures.push(`${address}: connected, but no answer within ${LIMITS.streamIdleMs / 1_000} s`)
  }
  if (refusedBy !== null) throw new MidwatchError('MW_JOIN_REFUSED', `${refusedBy} did not accept the invitation`)
  throw new MidwatchError('MW_JOIN_UNREACHABLE', failures.join('; '))
}
