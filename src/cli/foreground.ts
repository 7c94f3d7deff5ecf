import type { ExitCode } from './command.ts'

/** What runs until it is stopped. `stopped` settles when it is over; it rejects when it failed. */
export type Running = { readonly stopped?: Promise<void>; stop(reason: string): Promise<void> }

/** Under npm one Ctrl-C arrives twice: from the terminal, and from npm. */
const SAME_SIGNAL_MS = 500

/** Starts it and waits for SIGINT or SIGTERM, then stops it cleanly. A second signal ends the process at once. */
export async function untilSignal(start: () => Promise<Running>): Promise<ExitCode> {
  let signalled = (_signal: NodeJS.Signals): void => {}
  const signal = new Promise<NodeJS.Signals>((done) => (signalled = done))
  let firstMs: number | null = null
  const onSignal = (name: NodeJS.Signals): void => {
    if (firstMs !== null && performance.now() - firstMs > SAME_SIGNAL_MS) process.exit(1)
    firstMs ??= performance.now()
    signalled(name)
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  try {
    const running = await start()
    const over = await Promise.race([signal, ...(running.stopped ? [running.stopped.then(() => null)] : [])])
    if (over !== null) await running.stop(over)
    return 0
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
    // A handle that somebody forgot must not keep a stopped node in the process table.
    setTimeout(() => process.exit(), 3_000).unref()
  }
}

/** Is standard output kept by somebody: systemd's journal, or, for a container's first process, the container's log? */
export function writesToLog(env: Readonly<Record<string, string | undefined>>): boolean {
  if (process.stdout.isTTY) return false
  return Boolean(env['JOURNAL_STREAM']) || process.pid === 1
}
