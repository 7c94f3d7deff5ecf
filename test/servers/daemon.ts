import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Real servers of one test file, each in the foreground, ended with it. */
export function daemons() {
  const children: ChildProcess[] = []
  const folders: string[] = []
  return {
    async folder(): Promise<string> {
      const folder = await mkdtemp(join(tmpdir(), 'midwatch-servers-'))
      folders.push(folder)
      return folder
    },
    /** Starts a program and waits until it listens on this TCP port of loopback. */
    async start(file: string, args: readonly string[], port: number): Promise<void> {
      let words = ''
      const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] })
      children.push(child)
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (words = (words + String(bytes)).slice(-2_000)))
      for (let tries = 0; !(await listens(port)); tries++) {
        if (child.exitCode !== null || tries === 200) throw new Error(`${file} does not listen on ${port}: ${words}`)
        await new Promise((resolve) => setTimeout(resolve, 25))
      }
    },
    async close(): Promise<void> {
      await Promise.all(
        children.splice(0).map(async (child) => {
          if (child.exitCode !== null || child.signalCode !== null) return
          const gone = new Promise((resolve) => child.once('exit', resolve))
          child.kill('SIGTERM')
          await gone
        }),
      )
      await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })))
    },
  }
}

/** Ports that were free a moment ago: these programs cannot say which port they took. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
