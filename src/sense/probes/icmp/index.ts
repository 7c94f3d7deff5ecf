import { plainTargetHost } from '../../address.ts'
import type { Probe } from '../../context.ts'
import { explain, seconds } from '../../failure.ts'
import { answered, cannot, failed } from '../../outcome.ts'

/** One echo request by the system's fping or ping; both may send what a plain user may not. */
export const probeIcmp: Probe<'icmp'> = async (target, context) => {
  let address: string
  try {
    // Resolved here: a slow name must not hold back the others of a batch, and only an address ever becomes an argument.
    address = await context.outbound.lookup(plainTargetHost(target.host), context.signal)
  } catch (error) {
    return explain(error, 'lookup', context)
  }
  const echo = await context.pinger.ping(address, context.timeoutMs, context.signal)
  switch (echo.kind) {
    case 'reply':
      return answered(echo.rttMs)
    case 'silence':
      return failed(`no reply to ping in ${seconds(context.timeoutMs)}`)
    case 'unreachable':
      return failed(echo.detail)
    case 'cannot':
      return cannot(echo.detail)
  }
}
