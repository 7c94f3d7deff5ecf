import { createSocket, type Socket } from 'node:dgram'
import { afterEach, expect, test } from 'vitest'
import { makeTarget, probeContext } from '../../../../test/support/probing.ts'
import { probeDns } from './index.ts'

const sockets: Socket[] = []
afterEach(async () => {
  await Promise.all(sockets.splice(0).map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))))
})

/** A resolver that answers every question with this code and these records (their data, as bytes); null says nothing. */
async function resolver(answer: { code?: number; data?: Buffer[] } | Buffer | null): Promise<string> {
  const socket = createSocket('udp4')
  sockets.push(socket)
  socket.on('message', (question, from) => {
    if (answer === null) return
    if (Buffer.isBuffer(answer)) return socket.send(answer, from.port, from.address)
    const nameEnd = question.indexOf(0, 12) + 1
    const asked = question.subarray(12, nameEnd + 4)
    const records = (answer.data ?? []).map((data) => {
      const head = Buffer.alloc(12)
      head.writeUInt16BE(0xc00c, 0)
      question.copy(head, 2, nameEnd, nameEnd + 4)
      head.writeUInt32BE(60, 6)
      head.writeUInt16BE(data.length, 10)
      return Buffer.concat([head, data])
    })
    const head = Buffer.from([question[0] ?? 0, question[1] ?? 0, 0x81, 0x80 | (answer.code ?? 0), 0, 1, 0, records.length, 0, 0, 0, 0])
    socket.send(Buffer.concat([head, asked, ...records]), from.port, from.address)
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  return `127.0.0.1:${socket.address().port}`
}

const name = (text: string): Buffer => Buffer.concat([...text.split('.').map(word), Buffer.from([0])])
const word = (text: string): Buffer => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)])
const shorts = (...values: number[]): Buffer => Buffer.from(values.flatMap((value) => [value >> 8, value & 255]))

const probe = (server: string, settings: Record<string, unknown> = {}, timeoutMs = 5_000) =>
  probeDns(makeTarget('dns', { query: 'shop.test', server, ...settings }), probeContext(timeoutMs))

test('an answer is well, and what is expected must be in it', async () => {
  const server = await resolver({ data: [Buffer.from([10, 0, 0, 1]), Buffer.from([10, 0, 0, 2])] })
  const outcome = await probe(server)
  expect(outcome).toMatchObject({ ok: true, detail: null })
  expect(outcome.rttMs).toBeGreaterThan(0)
  expect(await probe(server, { expect: ['10.0.0.2'] })).toMatchObject({ ok: true })
  expect(await probe(server, { expect: ['10.0.0.2', '10.0.0.9'] })).toEqual({ ok: false, rttMs: null, detail: 'answer lacks 10.0.0.9' })
})

test.each([
  ['AAAA', Buffer.from([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]), '2001:db8::5'],
  ['CNAME', name('www.shop.test'), 'WWW.shop.test.'],
  ['NS', name('ns.shop.test'), 'ns.shop.test'],
  ['MX', Buffer.concat([shorts(10), name('mail.shop.test')]), '10 mail.shop.test'],
  ['SRV', Buffer.concat([shorts(1, 2, 443), name('web.shop.test')]), '1 2 443 web.shop.test'],
  ['TXT', Buffer.concat([word('v=spf1 '), word('-all')]), 'v=spf1 -all'],
] as const)('a record of type %s is compared as text', async (type, data, text) => {
  expect(await probe(await resolver({ data: [data] }), { type, expect: [text] })).toEqual({
    ok: true,
    rttMs: expect.any(Number),
    detail: null,
  })
})

test.each([
  [3, 'name does not exist (NXDOMAIN)'],
  [2, 'resolver failed (SERVFAIL)'],
  [5, 'resolver refused (REFUSED)'],
  [4, 'resolver does not know such a question (NOTIMP)'],
  [0, 'no A record'],
])('answer code %i is told in words', async (code, detail) => {
  expect(await probe(await resolver({ code }))).toEqual({ ok: false, rttMs: null, detail })
})

test('a resolver that says nothing, is not there, or talks nonsense', async () => {
  expect((await probe(await resolver(null), {}, 300)).detail).toBe('no answer from the resolver in 300 ms')
  expect((await probe(await resolver(Buffer.from('nonsense')), {}, 300)).detail).toMatch(
    /^(no answer from the resolver in 300 ms|answer is not DNS)$/,
  )
  const server = await resolver(null)
  await new Promise<void>((resolve) => sockets.pop()?.close(() => resolve()))
  expect((await probe(server)).detail).toBe('no resolver there: connection refused')
})

test('records with control characters do not reach the detail', async () => {
  const outcome = await probe(await resolver({ data: [word('\u001b[31m')] }), { type: 'TXT', expect: ['x\u0007y'] })
  expect(outcome.detail).toBe('answer lacks x y')
})
