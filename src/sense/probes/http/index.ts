import { LIMITS } from '../../../contract/index.ts'
import type { HttpAnswer, Phase } from '../../../platform/index.ts'
import { expiresSoon } from '../../certificate.ts'
import type { Probe, ProbeContext, TargetOf } from '../../context.ts'
import { codeOf, explain } from '../../failure.ts'
import { answered, cannot, failed } from '../../outcome.ts'
import { nextRequest, ownOrLocal, type Step } from './redirect.ts'

type HttpTarget = TargetOf<'http'>

/** One request, its redirects, then the checks that the target asks for. The time-out is for all of it. */
export const probeHttp: Probe<'http'> = async (target, context) => {
  let phase: Phase = 'connect'
  const startedMs = context.clock.monoMs()
  let step: Step = {
    url: new URL(target.url),
    method: target.method,
    headers: { 'user-agent': 'midwatch', accept: '*/*', ...lowerCased(target.headers) },
    ownersHost: true,
  }
  try {
    for (let followed = 0; ; followed++) {
      const answer = await request(step)
      const soon = expiring(answer, target, context)
      if (soon !== null) return failed(soon)
      // With redirectTo the redirect itself is what is checked.
      if (target.redirects > 0 && target.redirectTo === undefined && isRedirect(answer)) {
        if (followed === target.redirects)
          return failed(`more than ${target.redirects} ${target.redirects === 1 ? 'redirect' : 'redirects'}`)
        const next = nextRequest(step, answer)
        if (typeof next === 'string') return failed(next)
        step = next
        continue
      }
      const trouble = check(answer, step.url, target)
      return trouble === null ? answered(context.clock.monoMs() - startedMs) : failed(trouble)
    }
  } catch (error) {
    // Node refuses to send what no header may hold: a fault of the settings.
    if (codeOf(error).startsWith('ERR_INVALID_') || codeOf(error) === 'ERR_HTTP_INVALID_HEADER_VALUE') {
      return cannot('a header in the settings cannot be sent')
    }
    return explain(error, phase, context)
  }

  function request(to: Step): Promise<HttpAnswer> {
    const wantsBody = target.bodyContains !== undefined && to.method !== 'HEAD'
    return context.outbound.http({
      url: to.url,
      method: to.method,
      headers: to.headers,
      insecure: target.insecure,
      maxBodyBytes: wantsBody ? LIMITS.httpTargetBodyBytes : 0,
      // The owner chose the first host; the peer chose this one, and must not turn the probe against this host or its cloud's metadata.
      ...(to.ownersHost ? {} : { refuses: ownOrLocal }),
      signal: context.signal,
      onPhase: (reached) => (phase = reached),
    })
  }
}

/** What is not as wanted; null when all is. */
function check(answer: HttpAnswer, url: URL, target: HttpTarget): string | null {
  const wanted = String(target.status)
  const [low, high] = wanted.split('-').map(Number) as [number, number | undefined]
  if (answer.status < low || answer.status > (high ?? low)) return `status ${answer.status}, wanted ${wanted}`
  if (target.redirectTo !== undefined) {
    const location = answer.headers['location']
    if (location === undefined) return 'answer redirects nowhere'
    if (location !== target.redirectTo && resolved(location, url) !== resolved(target.redirectTo, url))
      return 'redirects to another address than wanted'
  }
  for (const [name, value] of Object.entries(target.headerEquals ?? {})) {
    const found = answer.headers[name.toLowerCase()]
    if (found === undefined) return `header ${name.toLowerCase()} is missing`
    if (found !== value) return `header ${name.toLowerCase()} is not as wanted`
  }
  if (target.bodyContains !== undefined && !answer.body.includes(target.bodyContains)) {
    return answer.truncated
      ? `wanted text is not in the first ${LIMITS.httpTargetBodyBytes / 1_024} KiB of the body`
      : 'body lacks the wanted text'
  }
  return null
}

function isRedirect(answer: HttpAnswer): boolean {
  return [301, 302, 303, 307, 308].includes(answer.status) && answer.headers['location'] !== undefined
}

function expiring(answer: HttpAnswer, target: HttpTarget, context: ProbeContext): string | null {
  if (answer.certificate === null || target.insecure) return null
  return expiresSoon(answer.certificate, context.clock.wallMs(), target.certificateDays)
}

function resolved(location: string, base: URL): string | null {
  return URL.canParse(location, base.href) ? new URL(location, base).href : null
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}
