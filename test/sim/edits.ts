import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'

/** One piece of a module's text and what stands there instead. */
export type Edit = { readonly file: string; readonly find: string; readonly put: string }

const root = new URL('../../src/', import.meta.url)
const keys = fileURLToPath(new URL('./seeded-keys.ts', import.meta.url))
const once = fileURLToPath(new URL('../support/checked-once.ts', import.meta.url))

/**
 * What is the same for all nodes of a world is worked out once: whether a signature is good, what a row's bytes say, and what is in a datagram
 * that nobody touched.
 */
const MEMOS: readonly Edit[] = [
  { file: 'grid/keys.ts', find: 'export function verifierOf(', put: 'function verifierOfEach(' },
  {
    file: 'grid/keys.ts',
    find: '/** A short public name for a grid',
    put: `import { checkedOnce, signedHere } from ${JSON.stringify(once)}\nexport const verifierOf = checkedOnce(verifierOfEach)\n/** A short public name for a grid`,
  },
  {
    file: 'grid/keys.ts',
    find: '(bytes) => new Uint8Array(sign(null, bytes, privateKey))',
    put: '(bytes) => signedHere(publicKey, bytes, new Uint8Array(sign(null, bytes, privateKey)))',
  },
  {
    file: 'grid/seal.ts',
    find: 'return Buffer.concat([header, cipher.update(plain), cipher.final(), cipher.getAuthTag()])',
    put: 'return sealedHere(key, plain, Buffer.concat([header, cipher.update(plain), cipher.final(), cipher.getAuthTag()]))',
  },
  {
    file: 'grid/seal.ts',
    find: "  const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(header)",
    put: "  const here = openedHere(key, datagram)\n  if (here) return here\n  const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(header)",
  },
  { file: 'grid/seal.ts', find: 'function sessionKey(', put: 'function sessionKeyEach(' },
  {
    file: 'grid/seal.ts',
    find: 'export type OpenRefusal =',
    put: `import { keyOnce, openedHere, sealedHere } from ${JSON.stringify(once)}\nconst sessionKey = keyOnce(sessionKeyEach)\nexport type OpenRefusal =`,
  },
  { file: 'grid/row.ts', find: 'export function readRow(', put: 'function readRowEach(' },
  {
    file: 'grid/row.ts',
    find: 'export function signPulse(',
    put: `import { readOnce } from ${JSON.stringify(once)}\nexport const readRow = readOnce(readRowEach)\nexport function signPulse(`,
  },
]

/** Key pairs of a change of key come from the seed. */
const SEEDED: readonly Edit[] = [
  {
    file: 'grid/x25519.ts',
    find: "return agreement(generateKeyPairSync('x25519').privateKey)",
    put: 'return agreement(nextX25519())',
  },
  {
    file: 'grid/x25519.ts',
    find: 'import { createHash,',
    put: `import { nextX25519 } from ${JSON.stringify(keys)}\nimport { createHash,`,
  },
]

/**
 * The guards that the simulator must miss when they are gone. Each is switched off in the text of the module as it is loaded, so the program
 * has no such switch.
 */
export const GUARDS: Readonly<Record<string, readonly Edit[]>> = {
  signature: [
    {
      file: 'grid/row.ts',
      find: 'verify(inContext(ROW_CONTEXT, signed.bytes), signed.signature)',
      put: '(inContext(ROW_CONTEXT, signed.bytes), verify !== null)',
    },
  ],
  'version-order': [
    { file: 'grid/table.ts', find: 'return a.incarnation - b.incarnation || a.version - b.version', put: 'return a.version - b.version' },
  ],
  bounds: [{ file: 'grid/row.ts', find: 'z.array(WireLink).max(LIMITS.linksPerRow)', put: 'z.array(WireLink)' }],
  relay: [
    {
      file: 'grid/merging.ts',
      find: 'if (this.#options.isRunning()) this.#tellRow(entry)',
      put: '',
    },
    {
      file: 'grid/listening.ts',
      find: 'sendRows(from, message.identities)',
      put: 'sendRows(from, message.identities.filter((one) => one === this.#options.self))',
    },
    { file: 'grid/grid.ts', find: '    const port = {\n', put: '    const port = {\n      self: this.#self,\n' },
    { file: 'grid/comparing.ts', find: '    this.sendRows(from, newer)\n', put: '' },
    {
      file: 'grid/exchange.ts',
      find: 'sendRows(stream, port.table, frame[1].map(identityFrom))',
      put: 'sendRows(stream, port.table, [port.self])',
    },
    { file: 'grid/exchange.ts', find: 'sendRows(stream, port.table, newer)', put: 'sendRows(stream, port.table, [port.self])' },
  ],
  'local-health': [
    {
      file: 'grid/members.ts',
      find: 'return this.heardNobodyForMs() > MEMBERSHIP.isolatedAfterMs && this.#others() >= 2',
      put: 'return false',
    },
  ],
}

/** Edits the program's modules as they are loaded from now on. Fails at once where a piece is not there, or not just once. */
export function editModules(guard: string | null): void {
  const edits = [...MEMOS, ...SEEDED, ...(guard === null ? [] : guardOf(guard))]
  const texts = new Map<string, string>()
  for (const { file, find, put } of edits) {
    const url = new URL(file, root).href
    const text = texts.get(url) ?? readFileSync(new URL(file, root), 'utf8')
    if (text.split(find).length !== 2) throw new Error(`"${find}" should stand once in ${file}: the edit must follow the code`)
    texts.set(
      url,
      text.replace(find, () => put),
    )
  }
  registerHooks({
    load(url, context, nextLoad) {
      const source = texts.get(url)
      return source === undefined ? nextLoad(url, context) : { format: 'module-typescript', source, shortCircuit: true }
    },
  })
}

function guardOf(name: string): readonly Edit[] {
  const edits = GUARDS[name]
  if (!edits) throw new Error(`no guard ${name}: there are ${Object.keys(GUARDS).join(', ')}`)
  return edits
}
