import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

/** How long the browser has to read the page that leads to the link. */
const READ_MS = 3_000

/**
 * Opens a secret link on a desktop; does nothing where there is none. The link goes through a file that only this user can
 * read, for the words of a command are in everyone's process list.
 */
export async function openInBrowser(url: string, env: Readonly<Record<string, string | undefined>>): Promise<void> {
  const desktop = (env['DISPLAY'] || env['WAYLAND_DISPLAY']) && !env['SSH_CONNECTION']
  if (!desktop) return
  const folder = mkdtempSync(join(tmpdir(), 'midwatch-'))
  try {
    const page = join(folder, 'open.html')
    const address = url.replace(/[&"<>]/g, (letter) => `&#${letter.charCodeAt(0)};`)
    writeFileSync(page, `<!doctype html><meta http-equiv="refresh" content="0;url=${address}"><title>Midwatch</title>`, { mode: 0o600 })
    await new Promise<void>((done) => {
      const opener = spawn('xdg-open', [page], { stdio: 'ignore', detached: true })
      opener.once('error', () => done()).once('spawn', () => done())
      opener.unref()
    })
    await pause(READ_MS)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
