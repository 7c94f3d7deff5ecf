import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startProcess, type LabProcess, type StartOptions } from './processes.ts'

/**
 * A network of hosts on this machine: one network namespace each, cabled to a bridge that lives in a namespace of its own, so
 * that the machine's own devices, routes and firewall stay out of it. Needs root, iproute2 and nftables.
 */
export type Lab = {
  /** Scratch folder, removed with the lab. */
  readonly folder: string
  addHost(name: string): Promise<Host>
  /** Adds a router with a private network behind it. Its hosts open connections outwards, under the router's address; nothing gets in by itself. */
  addRouter(name: string, options: { passesUdp: boolean }): Promise<Router>
  /** Parts these hosts from the rest: both sides reach their own and nobody else. */
  split(hosts: readonly Host[]): Promise<void>
  heal(): Promise<void>
  /** What each host has sent over its cable so far, by name. */
  sent(): Promise<Map<string, Sent>>
  /** Ends every process in the lab, then deletes its namespaces and its folder. Happens too when the owner is killed. */
  close(): Promise<void>
}

export type Sent = { readonly bytes: number; readonly packets: number }

export type Host = {
  readonly name: string
  readonly address: string
  /** Runs a program in the host's namespace to its end; gives its standard output. */
  run(...argv: [string, ...string[]]): Promise<string>
  start(argv: readonly [string, ...string[]], options?: StartOptions): LabProcess
  /** A TCP connection made in the host's namespace and used from here. Tries until something listens. */
  connect(port: number, address?: string, timeoutMs?: number): Promise<Socket>
  pullCable(): Promise<void>
  plugCable(): Promise<void>
  /** Drops everything that comes in or goes out, but for loopback. */
  drop(way: 'input' | 'output'): Promise<void>
  dropNothing(): Promise<void>
}

export type Router = Host & {
  /** Adds a host to the private network. */
  addHost(name: string): Promise<Host>
}

const run = promisify(execFile)
/** The second is for hosts that are parted from the rest. */
const BRIDGES = ['bridge', 'apart'] as const
const OPEN_SOCKET = fileURLToPath(new URL('./open-socket.ts', import.meta.url))

/** Waits on standard input, which ends when the owner does, however it ends. Deaf to signals meant for the owner's terminal. */
const JANITOR = `
trap '' INT TERM HUP
read -r _
for path in /run/netns/"$1"-*; do
  [ -e "$path" ] || continue
  namespace="\${path##*/}"
  for round in 1 2 3 4 5; do
    pids=$(ip netns pids "$namespace")
    [ -n "$pids" ] || break
    kill -9 $pids
    sleep 0.1
  done
  ip netns delete "$namespace"
done
rm -rf "$2"
`

/** Why no lab can be made here, in one line; null when it can. */
export function labMissing(): string | null {
  if (process.platform !== 'linux') return 'network namespaces need Linux'
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  for (const [program, debianPackage] of [
    ['ip', 'iproute2'],
    ['nft', 'nftables'],
  ] as const) {
    if (!onPath(program)) return `${program} is missing (Debian package ${debianPackage})`
  }
  return null
}

export function onPath(program: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin']
  return folders.some((folder) => folder !== '' && existsSync(join(folder, program)))
}

export async function openLab(): Promise<Lab> {
  const missing = labMissing()
  if (missing !== null) throw new Error(missing)
  await sweepStale()
  const prefix = `mw-${process.pid}-${randomBytes(3).toString('hex')}`
  const folder = await mkdtemp(join(tmpdir(), `${prefix}-`))
  const janitor = spawn('sh', ['-c', JANITOR, 'janitor', prefix, folder], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  const cleaned = new Promise<void>((resolve) => janitor.once('exit', () => resolve()))
  janitor.unref()
  if (janitor.stdin instanceof Socket) janitor.stdin.unref()

  const hosts: HostInLab[] = []
  const bridge = `${prefix}-bridge`
  const addHost = async (name: string): Promise<HostInLab> => {
    const number = hosts.length + 1
    const plug = { namespace: bridge, bridge: 'bridge', port: `port${number}` }
    const host = new HostInLab(name, `${prefix}-${name}`, plug, `10.77.0.${number}`)
    hosts.push(host)
    await host.cable()
    return host
  }
  const close = async (): Promise<void> => {
    janitor.ref()
    janitor.stdin.end()
    await cleaned
  }
  try {
    await run('ip', ['netns', 'add', bridge])
    for (const name of BRIDGES) {
      await run('ip', ['-n', bridge, 'link', 'add', name, 'type', 'bridge', 'stp_state', '0', 'mcast_snooping', '0'])
      await run('ip', ['-n', bridge, 'link', 'set', name, 'up'])
    }
  } catch (error) {
    await close()
    throw error
  }
  return {
    folder,
    addHost,
    addRouter: async (name, { passesUdp }) => {
      const router = await addHost(name)
      await router.translate(passesUdp)
      let count = 0
      const addInside = async (guest: string): Promise<Host> => {
        const number = ++count + 1
        const plug = { namespace: `${prefix}-${name}`, bridge: 'inside', port: `port${number}` }
        const host = new HostInLab(guest, `${prefix}-${guest}`, plug, `192.168.77.${number}`)
        await host.cable()
        await host.run('ip', 'route', 'add', 'default', 'via', INSIDE_ADDRESS)
        return host
      }
      return Object.assign(router, { addHost: addInside })
    },
    split: async (parted) => move(bridge, hosts, (host) => (parted.includes(host) ? 'apart' : 'bridge')),
    heal: async () => move(bridge, hosts, () => 'bridge'),
    sent: async () => {
      const { stdout } = await run('ip', ['-n', bridge, '-s', '-j', 'link', 'show', 'type', 'veth'])
      const ports = JSON.parse(stdout) as { ifname: string; stats64: { rx: Sent } }[]
      // What comes in at the bridge's end of a cable is what the host at the other end sent.
      return new Map(
        hosts.map((host) => [host.name, ports.find(({ ifname }) => ifname === host.port)?.stats64.rx ?? { bytes: 0, packets: 0 }]),
      )
    },
    close,
  }
}

/** Puts each host's cable into one of the bridges, all within a few milliseconds. */
async function move(
  namespace: string,
  hosts: readonly HostInLab[],
  bridgeOf: (host: HostInLab) => (typeof BRIDGES)[number],
): Promise<void> {
  const batch = spawn('ip', ['-n', namespace, '-batch', '-'], { stdio: ['pipe', 'ignore', 'inherit'] })
  const ended = new Promise<number | null>((resolve) => batch.once('exit', resolve))
  batch.stdin.end(hosts.map((host) => `link set ${host.port} master ${bridgeOf(host)}\n`).join(''))
  if ((await ended) !== 0) throw new Error('the cables could not be moved')
}

/** Of a router, in its private network. */
const INSIDE_ADDRESS = '192.168.77.1'

/** Where the other end of a host's cable is. */
type Plug = { readonly namespace: string; readonly bridge: string; readonly port: string }

class HostInLab implements Host {
  readonly name: string
  readonly address: string
  readonly #namespace: string
  readonly #plug: Plug

  constructor(name: string, namespace: string, plug: Plug, address: string) {
    this.name = name
    this.address = address
    this.#namespace = namespace
    this.#plug = plug
  }

  /** The bridge's end of its cable. */
  get port(): string {
    return this.#plug.port
  }

  async cable(): Promise<void> {
    const inside = ['-n', this.#namespace]
    await run('ip', ['netns', 'add', this.#namespace])
    await run('ip', [
      'link',
      'add',
      this.port,
      'netns',
      this.#plug.namespace,
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      this.#namespace,
    ])
    await run('ip', [...inside, 'address', 'add', `${this.address}/24`, 'dev', 'eth0'])
    await run('ip', [...inside, 'link', 'set', 'lo', 'up'])
    await run('ip', [...inside, 'link', 'set', 'eth0', 'up'])
    await run('ip', ['-n', this.#plug.namespace, 'link', 'set', this.port, 'master', this.#plug.bridge])
    await this.plugCable()
  }

  /**
   * Makes it a router that translates addresses. Every connection gets a port of its own, as at a provider's: with ports kept, a peer's packets
   * would come in by the hole that ours made.
   */
  async translate(passesUdp: boolean): Promise<void> {
    const namespace = ['-n', this.#namespace]
    await run('ip', [...namespace, 'link', 'add', 'inside', 'type', 'bridge', 'stp_state', '0', 'mcast_snooping', '0'])
    await run('ip', [...namespace, 'address', 'add', `${INSIDE_ADDRESS}/24`, 'dev', 'inside'])
    await run('ip', [...namespace, 'link', 'set', 'inside', 'up'])
    await this.run('sysctl', '-qw', 'net.ipv4.ip_forward=1')
    const rules = [
      'add table ip router',
      'add chain ip router out { type nat hook postrouting priority 100; }',
      'add rule ip router out oifname "eth0" masquerade fully-random',
      'add chain ip router through { type filter hook forward priority 0; policy accept; }',
      ...(passesUdp ? [] : ['add rule ip router through meta l4proto udp drop']),
      'add rule ip router through iifname "eth0" ct state new drop',
    ]
    await this.run('nft', rules.join('; '))
  }

  async run(...argv: [string, ...string[]]): Promise<string> {
    const { stdout } = await run('ip', ['netns', 'exec', this.#namespace, ...argv], { maxBuffer: 64 << 20 })
    return stdout
  }

  start(argv: readonly [string, ...string[]], options: StartOptions = {}): LabProcess {
    return startProcess(['ip', 'netns', 'exec', this.#namespace, ...argv], options)
  }

  connect(port: number, address = '127.0.0.1', timeoutMs = 10_000): Promise<Socket> {
    const argv = ['netns', 'exec', this.#namespace, process.execPath, OPEN_SOCKET, address, String(port), String(timeoutMs)]
    const opener = spawn('ip', argv, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    return new Promise((resolve, reject) => {
      opener.once('message', (_message, handle) => {
        if (handle instanceof Socket) resolve(handle)
      })
      opener.once('error', reject)
      // Not `exit`, which may come before what the opener sent was read.
      opener.once('disconnect', () => reject(new Error(`nothing listens on ${address}:${port} of ${this.name} after ${timeoutMs} ms`)))
    })
  }

  async pullCable(): Promise<void> {
    await run('ip', ['-n', this.#plug.namespace, 'link', 'set', this.port, 'down'])
  }

  async plugCable(): Promise<void> {
    await run('ip', ['-n', this.#plug.namespace, 'link', 'set', this.port, 'up'])
  }

  async drop(way: 'input' | 'output'): Promise<void> {
    const device = way === 'input' ? 'iifname' : 'oifname'
    const chain = `type filter hook ${way} priority 0; policy accept;`
    await this.run('nft', `add table inet lab; add chain inet lab ${way} { ${chain} }; add rule inet lab ${way} ${device} != "lo" drop`)
  }

  async dropNothing(): Promise<void> {
    await this.run('nft', 'flush', 'ruleset')
  }
}

/** Namespaces whose owner died together with its janitor. */
async function sweepStale(): Promise<void> {
  if (!existsSync('/run/netns')) return
  for (const namespace of readdirSync('/run/netns')) {
    const owner = /^mw-(\d+)-/.exec(namespace)?.[1]
    if (owner === undefined || existsSync(`/proc/${owner}`)) continue
    const { stdout } = await run('ip', ['netns', 'pids', namespace]).catch(() => ({ stdout: '' }))
    for (const pid of stdout.split('\n').filter(Boolean)) tryKill(Number(pid))
    await run('ip', ['netns', 'delete', namespace]).catch(() => undefined)
  }
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Ended by itself meanwhile.
  }
}
