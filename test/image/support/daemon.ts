import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bridgeOf } from './folders.ts'
import { run, until } from './run.ts'

/** A Docker daemon of this test's own: nothing that it makes is seen by another one, or outlives the test. */
export type Daemon = {
  docker(...args: string[]): Promise<string>
  /** The network that containers of this daemon share. */
  readonly network: string
  stop(): Promise<void>
}

/** What to try to store layers with: overlay where the folder's file system allows it, else whole copies. */
const DRIVERS = ['overlay2', 'vfs']

export async function startDaemon(folder: string): Promise<Daemon> {
  const reasons: string[] = []
  for (const driver of DRIVERS) {
    const daemon = await tryDriver(join(folder, driver), driver).catch((error: unknown) => {
      reasons.push(`${driver}: ${error instanceof Error ? error.message : String(error)}`)
      return null
    })
    if (daemon !== null) return daemon
  }
  throw new Error(`dockerd does not start here.\n${reasons.join('\n')}`)
}

async function tryDriver(folder: string, driver: string): Promise<Daemon> {
  await run(['mkdir', '-p', folder])
  const host = `unix://${folder}/docker.sock`
  const logFile = join(folder, 'dockerd.log')
  const log = openSync(logFile, 'a')
  const places = [
    '--data-root',
    join(folder, 'data'),
    '--exec-root',
    join(folder, 'exec'),
    '--pidfile',
    join(folder, 'pid'),
    '--host',
    host,
  ]
  // No rules of its own in this machine's firewall: one bridge, made below, is all that the test needs.
  const network = ['--bridge', 'none', '--iptables=false', '--ip6tables=false', '--ip-forward=false', '--userland-proxy=false']
  const dockerd = ['dockerd', ...places, '--storage-driver', driver, ...network]
  // When this process dies, however it dies, the kernel asks the daemon to stop.
  const child = spawn('setpriv', ['--pdeathsig', 'TERM', ...dockerd], { stdio: ['ignore', log, log] })
  closeSync(log)

  // BuildKit would need a plug-in that Debian's docker.io does not bring.
  const docker = (...args: string[]): Promise<string> => run(['docker', '--host', host, ...args], { env: { DOCKER_BUILDKIT: '0' } })
  const stop = async (): Promise<void> => {
    if (ended(child)) return
    const gone = new Promise((resolve) => child.once('close', resolve))
    child.kill('SIGTERM')
    await gone
  }
  try {
    await until(
      'dockerd answers',
      () => docker('version'),
      () => true,
      30_000,
      () => ended(child),
    )
  } catch {
    await stop()
    throw new Error(existsSync(logFile) ? readFileSync(logFile, 'utf8').slice(-1_500) : 'it left no log')
  }
  const name = 'midwatch-image'
  await docker('network', 'create', '--opt', `com.docker.network.bridge.name=${bridgeOf(process.pid)}`, name)
  return { docker, network: name, stop }
}

const ended = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null
