import { X509Certificate } from 'node:crypto'
import type { Phase } from '../../../platform/index.ts'
import { plainTargetHost } from '../../address.ts'
import { certificateIsFor, chainWords, expiresSoon, outsideDates } from '../../certificate.ts'
import type { Probe } from '../../context.ts'
import { codeOf, explain } from '../../failure.ts'
import { answered, cannot, failed } from '../../outcome.ts'

const CA_FILE_BYTES = 1_048_576

/** A handshake, then the certificate: its dates, its chain, its name, in this order, as an expired one also fails as a chain. */
export const probeTls: Probe<'tls'> = async (target, context) => {
  let ca: string | null = null
  if (target.caFile !== undefined) {
    try {
      ca = (await context.outbound.readFile(target.caFile, CA_FILE_BYTES))?.toString('utf8') ?? null
    } catch (error) {
      return cannot(`caFile cannot be read: ${codeOf(error)}`)
    }
    if (ca === null) return cannot('caFile is not there')
    if (!isCertificate(ca)) return cannot('caFile holds no certificate that can be used')
  }
  const host = plainTargetHost(target.host)
  const serverName = plainTargetHost(target.serverName ?? target.host)
  let phase: Phase = 'connect'
  const startedMs = context.clock.monoMs()
  try {
    const { certificate, chainError, nameFits } = await context.outbound.tls({
      host,
      port: target.port,
      serverName,
      ca,
      signal: context.signal,
      onPhase: (reached) => (phase = reached),
    })
    const rttMs = context.clock.monoMs() - startedMs
    if (certificate === null) return failed('server shows no certificate')
    const nowMs = context.clock.wallMs()
    const dates = outsideDates(certificate, nowMs)
    if (dates !== null) return failed(dates)
    if (chainError !== null) return failed(chainWords(chainError) ?? `certificate is not trusted: ${chainError}`)
    if (!nameFits) return failed(certificateIsFor(certificate.names, serverName))
    const soon = expiresSoon(certificate, nowMs, target.certificateDays)
    return soon === null ? answered(rttMs) : failed(soon)
  } catch (error) {
    return explain(error, phase, context)
  }
}

/** Node passes over what it cannot read, and would then call every authority unknown. */
function isCertificate(pem: string): boolean {
  try {
    void new X509Certificate(pem)
    return true
  } catch {
    return false
  }
}
