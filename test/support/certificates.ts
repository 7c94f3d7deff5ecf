import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'
import { isIPv4 } from 'node:net'

/** A certificate and its key, as PEM, and what it takes to sign others. */
export type TestCertificate = { readonly cert: string; readonly key: string; readonly name: string; readonly privateKey: KeyObject }

const DAY_MS = 86_400_000

/**
 * Makes an X.509 certificate (RFC 5280) as tests need it, without openssl: the unit tests need nothing beyond npm. Self-signed unless an issuer is
 * given. `fromDays` and `toDays` count from now.
 */
export function makeCertificate(options: {
  name: string
  /** Subject alternative names; the name unless given. */
  names?: readonly string[]
  authority?: boolean
  issuer?: TestCertificate
  fromDays?: number
  toDays?: number
}): TestCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const now = Date.now()
  const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'))
  const extensions = [
    extension('551d13', sequence(...(options.authority ? [tlv(0x01, Buffer.from([0xff]))] : []))),
    extension('551d11', sequence(...(options.names ?? [options.name]).map(alternativeName))),
  ]
  const body = sequence(
    tlv(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaWithSha256,
    commonName(options.issuer?.name ?? options.name),
    sequence(time(now + (options.fromDays ?? -1) * DAY_MS), time(now + (options.toDays ?? 90) * DAY_MS)),
    commonName(options.name),
    publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, sequence(...extensions)),
  )
  const signature = sign('sha256', body, options.issuer?.privateKey ?? privateKey)
  return {
    cert: pem(sequence(body, ecdsaWithSha256, bitString(signature))),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    name: options.name,
    privateKey,
  }
}

function tlv(tag: number, ...parts: Buffer[]): Buffer {
  const value = Buffer.concat(parts)
  const length = value.length
  const head = length < 128 ? [tag, length] : length < 256 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from(head), value])
}

function sequence(...parts: Buffer[]): Buffer {
  return tlv(0x30, ...parts)
}

function integer(value: Buffer): Buffer {
  return tlv(0x02, value)
}

function oid(hex: string): Buffer {
  return tlv(0x06, Buffer.from(hex, 'hex'))
}

function bitString(value: Buffer): Buffer {
  return tlv(0x03, Buffer.from([0]), value)
}

function commonName(name: string): Buffer {
  return sequence(tlv(0x31, sequence(oid('550403'), tlv(0x0c, Buffer.from(name)))))
}

function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/\D/g, '')
  return tlv(0x18, Buffer.from(`${digits.slice(0, 14)}Z`))
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), tlv(0x04, value))
}

function alternativeName(name: string): Buffer {
  return isIPv4(name) ? tlv(0x87, Buffer.from(name.split('.').map(Number))) : tlv(0x82, Buffer.from(name))
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}
