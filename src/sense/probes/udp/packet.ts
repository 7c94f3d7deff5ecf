/**
 * Probe packets between nodes, after STAMP (RFC 8762) with a stateful reflector: the answer carries when the request came, when the answer left,
 * and how many requests of this flow came in all, so that loss can be told per direction. Both also say how long ago the sender
 * heard from the receiver, which is how a node learns that it speaks but is not heard, or the other way round.
 *
 *   request: 1, flow (u8), sequence (u32), send time (f64, µs), heard ago (u32, ms)
 *   reply:   2, flow (u8), sequence (u32), send time (f64, µs), receive time (f64, µs), reply time (f64, µs), requests received (u32), heard ago (u32, ms)
 *
 * Times are of the clock of who wrote them; only differences of one clock are ever used.
 */
export type Request = {
  readonly type: 'request'
  readonly flow: number
  readonly sequence: number
  readonly sentUs: number
  readonly heardAgoMs: number | null
}
export type Reply = {
  readonly type: 'reply'
  readonly flow: number
  readonly sequence: number
  readonly sentUs: number
  readonly receivedUs: number
  readonly repliedUs: number
  readonly requestsReceived: number
  readonly heardAgoMs: number | null
}

const REQUEST_BYTES = 18
const REPLY_BYTES = 38
const NEVER = 0xffff_ffff

export function encodeProbe(packet: Request | Reply): Uint8Array {
  const isReply = packet.type === 'reply'
  const view = new DataView(new ArrayBuffer(isReply ? REPLY_BYTES : REQUEST_BYTES))
  view.setUint8(0, isReply ? 2 : 1)
  view.setUint8(1, packet.flow)
  view.setUint32(2, packet.sequence)
  view.setFloat64(6, packet.sentUs)
  const heardAgo = packet.heardAgoMs === null ? NEVER : Math.min(NEVER - 1, Math.max(0, Math.round(packet.heardAgoMs)))
  if (isReply) {
    view.setFloat64(14, packet.receivedUs)
    view.setFloat64(22, packet.repliedUs)
    view.setUint32(30, packet.requestsReceived)
    view.setUint32(34, heardAgo)
  } else view.setUint32(14, heardAgo)
  return new Uint8Array(view.buffer)
}

/** Null for anything that is not a probe packet. */
export function decodeProbe(bytes: Uint8Array): Request | Reply | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const isRequest = bytes.length === REQUEST_BYTES && bytes[0] === 1
  if (!isRequest && (bytes.length !== REPLY_BYTES || bytes[0] !== 2)) return null
  const flow = view.getUint8(1)
  const sequence = view.getUint32(2)
  const sentUs = view.getFloat64(6)
  const heard = view.getUint32(isRequest ? 14 : 34)
  const heardAgoMs = heard === NEVER ? null : heard
  if (isRequest) return { type: 'request', flow, sequence, sentUs, heardAgoMs }
  const receivedUs = view.getFloat64(14)
  const repliedUs = view.getFloat64(22)
  if (!Number.isFinite(receivedUs) || !Number.isFinite(repliedUs)) return null
  return { type: 'reply', flow, sequence, sentUs, receivedUs, repliedUs, requestsReceived: view.getUint32(30), heardAgoMs }
}
