import type { Phase } from '../../../platform/index.ts'
import { plainTargetHost } from '../../address.ts'
import type { Probe } from '../../context.ts'
import { explain } from '../../failure.ts'
import { answered } from '../../outcome.ts'

/** Connects anew each time, from a fresh source port, so that in time every path among several is tried. */
export const probeTcp: Probe<'tcp'> = async (target, context) => {
  let phase: Phase = 'connect'
  const startedMs = context.clock.monoMs()
  try {
    await context.outbound.tcp({
      host: plainTargetHost(target.host),
      port: target.port,
      signal: context.signal,
      onPhase: (reached) => (phase = reached),
    })
    return answered(context.clock.monoMs() - startedMs)
  } catch (error) {
    return explain(error, phase, context)
  }
}
