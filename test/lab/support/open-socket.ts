/**
 * Run inside a network namespace: opens a TCP connection there and hands it to the process outside. A socket stays in the namespace
 * in which it was made, so one process can talk to many namespaces without a helper living in each.
 */
import { connect } from 'node:net'

const [address = '', port = '', timeoutMs = ''] = process.argv.slice(2)
const deadlineMs = performance.now() + Number(timeoutMs)

function open(): void {
  const socket = connect({ host: address, port: Number(port), noDelay: true })
  socket.once('connect', () => {
    process.send?.('open', socket, {}, () => process.disconnect())
  })
  socket.once('error', () => {
    if (performance.now() > deadlineMs) process.exit(1)
    setTimeout(open, 20)
  })
}
open()
