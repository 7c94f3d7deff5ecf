import type { HttpBindings } from '@hono/node-server'
import type { MiddlewareHandler } from 'hono'
import { LIMITS, MidwatchError } from '../contract/index.ts'

export class BodyTooLarge extends MidwatchError {
  constructor() {
    super('MW_LIMIT', `The body is larger than ${LIMITS.apiBodyBytes} bytes.`)
  }
}

/**
 * Reads the body whole before a route looks at it, with a bound. (Hono's own limit cannot take a body of unknown length out of this
 * server's requests.) Errors: MW_LIMIT; MW_BAD_REQUEST where the client hung up in the middle.
 */
export const boundedBody: MiddlewareHandler<{ Bindings: HttpBindings }> = async (c, next) => {
  const { headers } = c.env.incoming
  const sizeBytes = Number(headers['content-length'] ?? 0)
  if (sizeBytes > LIMITS.apiBodyBytes) throw new BodyTooLarge()
  const hasBody = sizeBytes > 0 || headers['transfer-encoding'] !== undefined
  const body = hasBody && c.req.raw.body ? await readBounded(c.req.raw.body.getReader()) : null
  c.req.raw = new Request(c.req.url, { method: c.req.method, headers: c.req.raw.headers, body })
  await next()
}

async function readBounded(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Buffer<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for (;;) {
    const { done, value } = await reader.read().catch((error: unknown) => {
      throw new MidwatchError('MW_BAD_REQUEST', 'body: it broke off', { cause: error })
    })
    if (done) return Buffer.concat(chunks)
    sizeBytes += value.length
    if (sizeBytes > LIMITS.apiBodyBytes) throw new BodyTooLarge()
    chunks.push(value)
  }
}
