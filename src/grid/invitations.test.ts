import { encode } from 'cborg'
import { describe, expect, it } from 'vitest'
import { LIMITS, type Identity } from '../contract/index.ts'
import { createManualClock } from '../../test/support/manual-clock.ts'
import { keysNumber, localStreams } from '../../test/support/grid-makers.ts'
import { dieOf, randomnessOf } from '../../test/support/virtual-network.ts'
import { acceptInvitation, createInvitations, readToken } from './invitations.ts'
import { answerSealed } from './stream.ts'

const gridKey = new Uint8Array(32).fill(6)
const newcomer = keysNumber(5).identity

function inviter(onUsed: (invitation: string, by: Identity) => Promise<void> = async () => {}) {
  const clock = createManualClock()
  const refused: string[] = []
  const removed = new Set<string>()
  const invitations = createInvitations({
    clock,
    random: randomnessOf(dieOf(1)),
    gridKey: () => gridKey,
    isRemoved: (identity) => removed.has(identity),
    peers: () => ['10.0.0.2:8777', '10.0.0.3:8777'],
    onUsed,
    onRefused: (reason) => refused.push(reason),
  })
  async function serve(stream: ReturnType<typeof localStreams>['answerer']): Promise<void> {
    const answered = await answerSealed(stream, (_, hint) => invitations.keyOf(hint), clock)
    if (answered) await invitations.answer(answered.hint, answered.sealed).catch(() => stream.destroy())
  }
  const join = (token: string) =>
    acceptInvitation(
      token,
      newcomer,
      async (hostPort) => {
        if (hostPort.startsWith('unreachable')) throw new Error('no route')
        const { caller, answerer } = localStreams()
        if (hostPort.startsWith('stranger')) queueMicrotask(() => answerer.destroy())
        else void serve(answerer)
        return caller
      },
      clock,
    )
  return { clock, invitations, refused, removed, join }
}

const code = (code: string) => expect.objectContaining({ code })

describe('an invitation', () => {
  it('gives the grid key and where the grid is, and says by which address the newcomer is seen', async () => {
    const used: unknown[] = []
    const { invitations, join } = inviter(async (...what) => void used.push(what))
    const { token, invitation } = invitations.make(['10.0.0.2:8777'])
    const invited = await join(token)
    expect([...invited.gridKey]).toEqual([...gridKey])
    expect(invited).toMatchObject({ peers: ['10.0.0.2:8777', '10.0.0.3:8777'], seenAs: '10.0.0.1' })
    expect(used).toEqual([[invitation, newcomer]])
  })

  it('is good once', async () => {
    const { invitations, join, refused } = inviter()
    const { token } = invitations.make(['10.0.0.2:8777'])
    await join(token)
    await expect(join(token)).rejects.toEqual(code('MW_JOIN_REFUSED'))
    expect(refused).toEqual(['unknown, used or expired'])
  })

  it('is good for one of two that use it at the same moment', async () => {
    const { invitations, join } = inviter()
    const { token } = invitations.make(['10.0.0.2:8777'])
    const outcomes = await Promise.allSettled([join(token), join(token)])
    expect(outcomes.map((outcome) => outcome.status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  it('ends after ten minutes', async () => {
    const { invitations, join, clock } = inviter()
    const { token, expiresAtMs } = invitations.make(['10.0.0.2:8777'])
    expect(expiresAtMs - clock.wallMs()).toBe(600_000)
    await clock.advance(600_000)
    await expect(join(token)).rejects.toEqual(code('MW_JOIN_REFUSED'))
  })

  it('is void once revoked', async () => {
    const { invitations, join } = inviter()
    const { token } = invitations.make(['10.0.0.2:8777'])
    invitations.revoke()
    await expect(join(token)).rejects.toEqual(code('MW_JOIN_REFUSED'))
  })

  it('lets a removed node in only as a new one', async () => {
    const { invitations, join, refused, removed } = inviter()
    const { token } = invitations.make(['10.0.0.2:8777'])
    removed.add(newcomer)
    await expect(join(token)).rejects.toEqual(code('MW_REMOVED'))
    expect(refused).toEqual(['a removed node asked to come back under its old identity'])
    removed.clear()
    await expect(join(token)).resolves.toBeDefined()
  })

  it('whose use cannot be written down gives nothing, and is used up', async () => {
    const { invitations, join } = inviter(async () => Promise.reject(new Error('disk full')))
    const { token } = invitations.make(['10.0.0.2:8777'])
    await expect(join(token)).rejects.toEqual(code('MW_JOIN_REFUSED'))
    await expect(join(token)).rejects.toEqual(code('MW_JOIN_REFUSED'))
  })

  it('is not used up by who knows its name and not its secret', async () => {
    const { invitations, join, refused } = inviter()
    const { token } = invitations.make(['10.0.0.2:8777'])
    const wrong = readToken(token)
    wrong.secret[0]! ^= 1
    await expect(join(`mw1.${Buffer.from(encode([wrong.secret, wrong.addresses])).toString('base64url')}`)).rejects.toEqual(
      code('MW_JOIN_REFUSED'),
    )
    expect(refused).toHaveLength(1)
    await expect(join(token)).resolves.toBeDefined()
  })

  it('tries one address after the other, past what does not answer or is somebody else', async () => {
    const { invitations, join } = inviter()
    const { token } = invitations.make(['unreachable:1', 'stranger:1', '10.0.0.2:8777'])
    await expect(join(token)).resolves.toMatchObject({ peers: ['10.0.0.2:8777', '10.0.0.3:8777'] })
  })

  it('that reaches nobody says where it tried', async () => {
    const { invitations, join } = inviter()
    await expect(join(invitations.make(['unreachable:1', 'unreachable:2']).token)).rejects.toEqual(
      expect.objectContaining({ code: 'MW_JOIN_UNREACHABLE', message: 'unreachable:1: no route; unreachable:2: no route' }),
    )
  })

  it('one more than the bound is MW_LIMIT, until one expires', async () => {
    const { invitations, clock } = inviter()
    for (let at = 0; at < LIMITS.invitations; at++) invitations.make(['10.0.0.2:8777'])
    expect(() => invitations.make(['10.0.0.2:8777'])).toThrow(code('MW_LIMIT'))
    await clock.advance(LIMITS.invitationMs)
    expect(() => invitations.make(['10.0.0.2:8777'])).not.toThrow()
  })
})

describe('strangers who guess', () => {
  it('fill the journal no faster than so many lines a minute, and do not keep an invited node out', async () => {
    const { invitations, refused, join, clock } = inviter()
    const { token } = invitations.make(['10.0.0.2:8777'])
    const random = randomnessOf(dieOf(9))
    for (let at = 0; at < 1_000; at++) expect(invitations.keyOf(random.bytes(8))).toBeNull()
    expect(refused).toHaveLength(LIMITS.joinAttemptsPerMinute)
    await expect(join(token)).resolves.toBeDefined()
    await clock.advance(30_000)
    for (let at = 0; at < 1_000; at++) invitations.keyOf(random.bytes(8))
    expect(refused).toHaveLength(LIMITS.joinAttemptsPerMinute * 1.5)
  })
})

describe('a token', () => {
  it('is found at the end of the command that was pasted', () => {
    const { token } = inviter().invitations.make(['10.0.0.2:8777'])
    expect(readToken(`  midwatch join ${token}\n`).addresses).toEqual(['10.0.0.2:8777'])
  })

  it.each(['', 'mw1.', 'mw2.abc', 'hello', `mw1.${'A'.repeat(5_000)}`, 'mw1.gkGA'])('is not %j', (text) => {
    expect(() => readToken(text)).toThrow(code('MW_INVITATION'))
  })

  it('cut short is none', () => {
    const { token } = inviter().invitations.make(['10.0.0.2:8777'])
    for (let length = 4; length < token.length; length += 3) expect(() => readToken(token.slice(0, length))).toThrow(code('MW_INVITATION'))
  })
})
