import { copyFileSync, cpSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './folders.ts'
import { run } from './run.ts'

const TAKEN = ['bin', 'dist', 'LICENSE', 'package.json', 'package-lock.json']

/** What the Dockerfile builds from when nothing may be fetched: the built program and its production packages, ready made. */
export async function buildContext(folder: string): Promise<string> {
  const context = join(folder, 'context')
  mkdirSync(join(context, 'scripts'), { recursive: true })
  for (const name of TAKEN) cpSync(join(root, name), join(context, name), { recursive: true })
  copyFileSync(join(root, 'Dockerfile'), join(context, 'Dockerfile'))
  copyFileSync(join(root, 'scripts/healthy.mjs'), join(context, 'scripts/healthy.mjs'))
  await run(['npm', 'ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: context })
  return context
}

/** Where the Dockerfile's BUILDER comes from: the base, with this project's own runtime in it. */
export function builderContext(folder: string, base: string): string {
  const context = join(folder, 'builder')
  mkdirSync(context)
  copyFileSync(realpathSync(process.execPath), join(context, 'node'))
  writeFileSync(join(context, 'Dockerfile'), `FROM ${base}\nCOPY node /usr/local/bin/node\n`)
  return context
}
