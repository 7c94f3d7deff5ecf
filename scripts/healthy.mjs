// The image's health check: does the node of this container answer? Without curl, which the image does not carry.
import { readFileSync } from 'node:fs'
import { get as getHttp } from 'node:http'
import { get as getHttps } from 'node:https'
import { join } from 'node:path'

const TIMEOUT_MS = 4_000

/** A running node writes down where it answers; one without a disk answers where it was told to listen. */
function url() {
  try {
    return JSON.parse(readFileSync(join(process.env['MIDWATCH_DATA'] ?? '', 'node.json'), 'utf8')).url
  } catch {
    const port = (process.env['MIDWATCH_LISTEN'] ?? '0.0.0.0:8777').split(':').at(-1)
    return `${process.env['MIDWATCH_TLS_CERT'] ? 'https' : 'http'}://127.0.0.1:${port}`
  }
}

/** @param {boolean} healthy */
const end = (healthy) => process.exit(healthy ? 0 : 1)
const address = new URL('/healthz', url())
const get = address.protocol === 'https:' ? getHttps : getHttp
// It asks itself over loopback: whether the certificate names 127.0.0.1 says nothing about health.
get(address, { timeout: TIMEOUT_MS, rejectUnauthorized: false }, (answer) => end(answer.statusCode === 200))
  .on('timeout', () => end(false))
  .on('error', () => end(false))
