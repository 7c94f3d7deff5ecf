import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { step } from './step.mjs'

/** Programs for root stand outside a person's PATH on Debian. */
const programFolders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin']

export const isRoot = process.getuid?.() === 0

function has(program: string): boolean {
  return programFolders.some((folder) => existsSync(join(folder, program)))
}

/** The packages of which the program is missing. */
export function missing(packages: Readonly<Record<string, string>>): string[] {
  return Object.keys(packages).filter((name) => !has(packages[name]!))
}

/**
 * Installs Debian packages: as root at once, at a terminal after one question.
 * Answers null, or why they are not there.
 */
export async function install(packages: readonly string[]): Promise<string | null> {
  if (packages.length === 0) return null
  if (!has('apt-get')) return 'this system has no apt-get'
  const asks = process.stdin.isTTY && process.stderr.isTTY
  const prefix = isRoot ? [] : ['sudo']
  if (!isRoot && !(asks && has('sudo'))) return 'installing them needs root'
  if (asks && !(await agreed(`The full test needs ${packages.join(', ')}. Install with apt-get? [y/N] `))) return 'you said no'
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  try {
    await step('Debian package lists', [...prefix, 'apt-get', 'update', '-q'], { env })
    await step(
      `Debian packages ${packages.join(' ')}`,
      [...prefix, 'apt-get', 'install', '-y', '-q', '--no-install-recommends', ...packages],
      { env },
    )
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

async function agreed(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await terminal.question(question)
  terminal.close()
  return /^y(es)?$/i.test(answer.trim())
}
