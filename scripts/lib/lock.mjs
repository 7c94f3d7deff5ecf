// One set-up at a time in a checkout: the second one waits, and takes over if the first one died.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { say } from './step.mjs'

const POLL_MS = 200

/**
 * @param {string} path
 * @param {() => Promise<void>} work
 */
export async function withLock(path, work) {
  let told = false
  while (!take(path)) {
    const holder = Number(readIf(path))
    if (holder > 0 && !alive(holder)) rmSync(path, { force: true })
    else {
      if (!told) say(`Waiting for another set-up (process ${holder || '?'}) to finish`)
      told = true
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }
  const release = () => rmSync(path, { force: true })
  process.on('exit', release)
  try {
    await work()
  } finally {
    process.off('exit', release)
    release()
  }
}

/** @param {string} path */
function take(path) {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EEXIST') return false
    throw error
  }
}

/** @param {string} path */
function readIf(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** @param {number} pid */
function alive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM'
  }
}
