import { pino, type Logger } from 'pino'
import type { Settings } from '../contract/index.ts'

export type { Logger } from 'pino'

const LEVELS: Record<number, string> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error' }

/** The node's own log, on standard error: JSON lines for machines, plain lines for a terminal. */
export function createLog(level: Settings['logLevel'], form: 'json' | 'pretty'): Logger {
  const base = { level, base: {}, timestamp: pino.stdTimeFunctions.isoTime }
  if (form === 'json') return pino(base, pino.destination({ dest: 2, sync: true }))
  return pino(base, {
    write(line: string) {
      const { level, time, msg, ...rest } = JSON.parse(line) as { level: number; time: string; msg?: string }
      const more = Object.keys(rest).length > 0 ? ` ${JSON.stringify(rest)}` : ''
      process.stderr.write(`${time.slice(11, 19)} ${LEVELS[level] ?? level} ${msg ?? ''}${more}\n`)
    },
  })
}
