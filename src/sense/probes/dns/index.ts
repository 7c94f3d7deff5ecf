import { splitHostPort } from '../../../contract/index.ts'
import { formatAddress, type Phase } from '../../../platform/index.ts'
import type { Probe } from '../../context.ts'
import { codeOf, explain, seconds } from '../../failure.ts'
import { answered, failed, shortName } from '../../outcome.ts'

/** The resolver's codes in words. */
const WORDS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'name does not exist (NXDOMAIN)',
  ESERVFAIL: 'resolver failed (SERVFAIL)',
  EREFUSED: 'resolver refused (REFUSED)',
  ENOTIMP: 'resolver does not know such a question (NOTIMP)',
  EFORMERR: 'resolver did not understand the question (FORMERR)',
  EBADRESP: 'answer is not DNS',
  ECONNREFUSED: 'no resolver there: connection refused',
}

/** One question to one resolver, then whether the answer holds what is expected. */
export const probeDns: Probe<'dns'> = async (target, context) => {
  const startedMs = context.clock.monoMs()
  let phase: Phase = 'lookup'
  try {
    const server = target.server === undefined ? null : await resolverAddress(target.server)
    phase = 'answer'
    const records = await context.outbound.dns({
      query: target.query,
      type: target.type,
      server,
      timeoutMs: context.timeoutMs,
      signal: context.signal,
    })
    const rttMs = context.clock.monoMs() - startedMs
    if (records.length === 0) return failed(`no ${target.type} record`)
    const found = new Set(records.map(plainRecord))
    const missing = (target.expect ?? []).find((value) => !found.has(plainRecord(value)))
    return missing === undefined ? answered(rttMs) : failed(`answer lacks ${shortName(missing)}`)
  } catch (error) {
    const code = codeOf(error)
    if (phase === 'answer' && (context.signal.aborted || code === 'ETIMEOUT')) {
      return failed(`no answer from the resolver in ${seconds(context.timeoutMs)}`)
    }
    if (phase === 'lookup') return explain(error, phase, context)
    if (code === 'ENODATA') return failed(`no ${target.type} record`)
    const words = WORDS[code]
    return words === undefined ? explain(error, phase, context) : failed(words)
  }

  async function resolverAddress(text: string): Promise<string> {
    const { host, port } = splitHostPort(text)
    return formatAddress({ host: await context.outbound.lookup(host, context.signal), port })
  }
}

/** Names are equal whatever their case, with and without the root's dot. */
function plainRecord(record: string): string {
  return record.toLowerCase().replace(/\.$/, '')
}
