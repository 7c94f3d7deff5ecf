import type { X509Certificate } from 'node:crypto'
import { isIP, type Socket } from 'node:net'

/** How far a connection got; what a time-out says depends on it. */
export type Phase = 'lookup' | 'connect' | 'handshake' | 'answer' | 'body'

export type Certificate = {
  /** Names and addresses that it is for. As the peer wrote them: clean before showing. */
  readonly names: readonly string[]
  readonly validFromMs: number
  readonly validToMs: number
}

/** A name with several addresses: how long one is tried before the next. Node's own 250 ms cuts off honest links across an ocean. */
export const ADDRESS_ATTEMPT_MS = 1_000

/** Runs `begin` until it settles or the signal fires. What `begin` answers then cleans up, once, whichever it was. */
export function untilDone<T>(
  signal: AbortSignal,
  begin: (resolve: (value: T) => void, reject: (error: unknown) => void) => () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    let done = false
    let close: () => void = () => {}
    const finish = (settle: () => void): void => {
      if (done) return
      done = true
      signal.removeEventListener('abort', onAbort)
      close()
      settle()
    }
    const onAbort = (): void => finish(() => reject(signal.reason))
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      const cleanUp = begin(
        (value) => finish(() => resolve(value)),
        (error) => finish(() => reject(error)),
      )
      if (done) cleanUp()
      else close = cleanUp
    } catch (error) {
      finish(() => reject(error))
    }
  })
}

/** Reports lookup, connect, then `connected`. */
export function followPhases(socket: Socket, host: string, connected: Phase, onPhase: ((phase: Phase) => void) | undefined): void {
  if (!onPhase) return
  onPhase(isIP(host) ? 'connect' : 'lookup')
  socket.once('lookup', () => onPhase('connect'))
  socket.once('connect', () => onPhase(connected))
}

export function certificateOf(x509: X509Certificate): Certificate {
  const alternatives = (x509.subjectAltName ?? '')
    .split(', ')
    .map((entry) => /^(?:DNS|IP Address):(.+)$/.exec(entry)?.[1])
    .filter((name) => name !== undefined)
  const commonName = /^CN=(.+)$/m.exec(x509.subject ?? '')?.[1]
  return {
    names: alternatives.length > 0 ? alternatives : commonName ? [commonName] : [],
    validFromMs: x509.validFromDate.getTime(),
    validToMs: x509.validToDate.getTime(),
  }
}
