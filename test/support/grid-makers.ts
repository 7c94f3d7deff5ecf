import { keyName, keysOf, type NodeKeys } from '../../src/grid/keys.ts'
import { signPulse, signRow, type Pulse, type Row, type Signed } from '../../src/grid/row.ts'
import type { SealKeys } from '../../src/grid/seal.ts'
import { streamPair, dieOf, randomnessOf } from './virtual-network.ts'
import type { ByteStream } from '../../src/platform/index.ts'

/** A ring that holds one key for ever. */
export function onlyKey(key: Uint8Array): SealKeys {
  const only = { name: keyName(key), key, sealsFromMs: -Infinity, untilMs: Infinity }
  return { sealing: () => only, accepted: () => [only] }
}

/** Keys that are the same in every run. */
export function keysNumber(number: number): NodeKeys {
  return keysOf(randomnessOf(dieOf(number)).bytes(32))
}

export function rowOf(keys: NodeKeys, fields: Partial<Row> = {}): Row {
  return {
    identity: keys.identity,
    publicKey: keys.publicKey,
    incarnation: 1,
    version: 1,
    id: 'web-1',
    site: 'berlin',
    address: '10.0.0.1:8777',
    program: '0.1.0',
    left: false,
    degraded: [],
    links: [],
    ...fields,
  }
}

export function signedRow(keys: NodeKeys, fields: Partial<Row> = {}): Signed {
  return signRow(rowOf(keys, fields), keys)
}

export function signedPulse(keys: NodeKeys, fields: Partial<Pulse> = {}): Signed {
  return signPulse({ identity: keys.identity, incarnation: 1, beat: 1, version: 1, figures: [], ...fields }, keys)
}

/** Both ends of a stream; what one writes the other has before the next step. `spy` sees the bytes that the caller sends. */
export function localStreams(spy: (bytes: Uint8Array) => void = () => {}): { caller: ByteStream; answerer: ByteStream } {
  const [caller, answerer] = streamPair('10.0.0.1', '10.0.0.2', (_, __, atLeastMs, deliver) => {
    queueMicrotask(deliver)
    return atLeastMs
  })
  const write = caller.stream.write
  caller.stream.write = (bytes) => {
    spy(bytes)
    write(bytes)
  }
  return { caller: caller.stream, answerer: answerer.stream }
}
