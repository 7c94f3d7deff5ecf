import { execFile } from 'node:child_process'
import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { asMidwatchError, splitHostPort, type Check, type Settings } from '../contract/index.ts'
import { loadSettings } from '../node/settings/index.ts'
import { dataDirOf } from './client.ts'
import type { Call } from './command.ts'

const run = promisify(execFile)
const ok = (name: string, found: string, next: string | null = null): Check => ({ name, ok: true, found, next })
const bad = (name: string, found: string, next: string): Check => ({ name, ok: false, found, next })

/** What a node needs of this machine. `runs`: a node answers here, so its port is rightly taken. */
export async function localChecks(call: Call, runs: boolean): Promise<Check[]> {
  const settings = await loadedSettings(call)
  const dataDir = await dataDirOf(call).catch(() => null)
  return [
    runtime(),
    ...(settings instanceof Error
      ? [bad('settings', settings.message.replaceAll('\n', '; '), asMidwatchError(settings).next)]
      : [ok('settings', 'every value will do')]),
    ...(dataDir === null ? [] : [folder(dataDir), disk(dataDir)]),
    ...(settings instanceof Error || runs ? [] : [await port(settings.listen)]),
    await pinger(call),
    await clock(),
    openFiles(call),
  ]
}

async function loadedSettings(call: Call): Promise<Settings | Error> {
  try {
    return (await loadSettings({ ...call.machine, flags: { data: call.options['data'] } })).settings
  } catch (error) {
    return asMidwatchError(error)
  }
}

function runtime(): Check {
  const major = Number(process.versions.node.split('.')[0])
  return major >= 24
    ? ok('runtime', `Node ${process.versions.node}`)
    : bad('runtime', `Node ${process.versions.node}, wanted 24 or later`, 'In a checkout run `npm start`; elsewhere install Node 24.')
}

function folder(dataDir: string): Check {
  const nearest = nearestFolder(dataDir)
  try {
    accessSync(nearest, constants.W_OK | constants.X_OK)
  } catch {
    return bad('data folder', `${nearest} cannot be written by this user`, 'Choose another with --data, or give this user write access.')
  }
  if (nearest !== dataDir) return ok('data folder', `${dataDir} is made at the first start`)
  const mode = statSync(dataDir).mode & 0o777
  return (mode & 0o077) === 0
    ? ok('data folder', `${dataDir}, mode ${mode.toString(8)}`)
    : bad('data folder', `${dataDir} has mode ${mode.toString(8)}: others can look into it`, `chmod 700 ${dataDir}`)
}

function disk(dataDir: string): Check {
  const { bavail, bsize } = statfsSync(nearestFolder(dataDir))
  const freeMb = Math.floor((bavail * bsize) / 1_048_576)
  return freeMb >= 1_024 ? ok('disk', `${freeMb} MB free`) : bad('disk', `${freeMb} MB free`, 'Make room, or set a smaller --storage-mb.')
}

function nearestFolder(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearestFolder(dirname(path))
}

async function port(listen: string): Promise<Check> {
  const { host, port: number } = splitHostPort(listen)
  return new Promise((done) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'EADDRINUSE'
          ? 'is taken'
          : error.code === 'EADDRNOTAVAIL'
            ? 'is not an address of this machine'
            : `cannot be opened (${error.code})`
      done(bad('port', `${listen} ${why}`, 'Stop what uses it (`ss -lptu` names it), or choose another with --listen.'))
    })
    server.listen(number, host, () => server.close(() => done(ok('port', `${listen} is free`))))
  })
}

/** Only targets of kind icmp need it, so its lack is a remark. */
async function pinger(call: Call): Promise<Check> {
  const lacks = (found: string): Check =>
    ok('ping', found, 'Only targets of kind icmp need it: install fping, or iputils-ping with its rights.')
  for (const [program, args] of [
    ['fping', ['-c1', '-t500', '127.0.0.1']],
    ['ping', ['-c1', '-W1', '127.0.0.1']],
  ] as const) {
    try {
      await run(program, args, { timeout: 3_000, env: { PATH: `${call.machine.env['PATH'] ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C' } })
      return ok('ping', `${program} works`)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return lacks(`${program} is here, but this user may not send with it`)
    }
  }
  return lacks('neither fping nor ping is installed')
}

/** Ages are measured by monotonic clocks; a wrong wall clock only misdates what people read. */
async function clock(): Promise<Check> {
  const year = new Date().getUTCFullYear()
  if (year < 2025) return bad('clock', `it says ${year}`, 'Set the clock; install chrony or systemd-timesyncd.')
  const synced = await run('timedatectl', ['show', '--property=NTPSynchronized', '--value'], { timeout: 3_000 }).then(
    ({ stdout }) => stdout.trim(),
    () => '',
  )
  if (synced === 'no')
    return ok('clock', 'not kept by a time service', 'Install chrony or systemd-timesyncd, or times on different nodes will not compare.')
  return ok('clock', synced === 'yes' ? 'kept by a time service' : `${new Date().toISOString()} (no time service asked)`)
}

function openFiles(call: Call): Check {
  const line = call.machine
    .readFile('/proc/self/limits', 65_536)
    ?.split('\n')
    .find((text) => text.startsWith('Max open files'))
  const soft = Number(/(\d+)/.exec(line ?? '')?.[1] ?? Number.NaN)
  if (Number.isNaN(soft)) return ok('open files', line === undefined ? 'this system does not say' : 'no limit')
  return soft >= 1_024
    ? ok('open files', `${soft} at once`)
    : bad('open files', `${soft} at once, wanted 1024`, 'Raise it: ulimit -n 1024, or LimitNOFILE= in the unit.')
}
