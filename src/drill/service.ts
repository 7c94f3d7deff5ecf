import { type Clock, createHttpServer, listenTcp } from '../platform/index.ts'
import type { FailingService } from './faults.ts'

export type DemoService = FailingService & { readonly url: string; close(): Promise<void> }

const CLOSE_GRACE_MS = 200

/** A small real web service on loopback for the demo's nodes to probe: it answers 200, or 503 while it is told to fail. Errors: MW_PORT. */
export async function createDemoService(clock: Clock, name: string): Promise<DemoService> {
  let failing = false
  const http = createHttpServer({
    clock,
    tls: null,
    listener: (_, response) => {
      response.writeHead(failing ? 503 : 200, { 'content-type': 'text/plain' })
      response.end(failing ? 'out of order\n' : 'open\n')
    },
  })
  const tcp = await listenTcp('127.0.0.1', 0, (socket) => http.handleSocket(socket))
  return {
    name,
    url: `http://127.0.0.1:${tcp.port}/`,
    fail(on) {
      failing = on
    },
    async close() {
      await Promise.all([tcp.close(), http.close(CLOSE_GRACE_MS)])
    },
  }
}
