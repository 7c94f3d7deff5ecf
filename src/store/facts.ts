import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { KeptLink, KeptNode } from './kept.ts'

/** What became different of one node: fields of its card, links new or changed, and links that are gone. */
export type FactsChange = {
  readonly card?: Partial<Omit<KeptNode, 'links'>>
  readonly links?: readonly KeptLink[]
  readonly gone?: readonly string[]
}

const keyOf = (link: KeptLink): string => `${link.toType}:${link.to}`

/** Links by destination; of two to one destination the first counts, as for judge. */
function byDestination(links: readonly KeptLink[]): Map<string, KeptLink> {
  const known = new Map<string, KeptLink>()
  for (const link of links) if (!known.has(keyOf(link))) known.set(keyOf(link), link)
  return known
}

/** The change that makes `after` of `before`; null when nothing differs but the order of links. */
export function changeOf(before: KeptNode, after: KeptNode): FactsChange | null {
  const card = cardChange(before, after)
  const old = byDestination(before.links)
  const now = byDestination(after.links)
  const links = [...now].flatMap(([key, link]) => (isSameLink(old.get(key), link) ? [] : [link]))
  const gone = [...old.keys()].filter((key) => !now.has(key))
  if (!card && links.length + gone.length === 0) return null
  return { ...(card && { card }), ...(links.length > 0 && { links }), ...(gone.length > 0 && { gone }) }
}

/** The fields of the card that differ. */
function cardChange({ links: _old, ...before }: KeptNode, { links: _now, ...after }: KeptNode): FactsChange['card'] | null {
  const differ = (Object.keys(after) as (keyof typeof after)[]).filter((key) => String(before[key]) !== String(after[key]))
  return differ.length > 0 ? Object.fromEntries(differ.map((key) => [key, after[key]])) : null
}

function isSameLink(a: KeptLink | undefined, b: KeptLink): boolean {
  return (
    a !== undefined &&
    a.state === b.state &&
    a.sinceMs === b.sinceMs &&
    a.detail === b.detail &&
    a.dead === b.dead &&
    a.kind === b.kind &&
    a.address === b.address &&
    a.site === b.site
  )
}

export function applyChange(before: KeptNode, { card, links = [], gone = [] }: FactsChange): KeptNode {
  const known = byDestination(before.links)
  for (const key of gone) known.delete(key)
  for (const link of links) known.set(keyOf(link), link)
  return { ...before, ...card, links: [...known.values()] }
}

/**
 * Text that most records are made of, the most common last. A record of one link is too short to compress by itself. Records on disks are
 * read with these very bytes: they never change.
 */
const DICTIONARY = Buffer.from(
  '"suspect""left""forged-row""too-large""two-rows""socket-drops""busy""hears-nobody""kind":"icmp""kind":"dns""kind":"tls""kind":"tcp""kind":"http"' +
    '"partial""slow""lossy""stale","dead":"out","dead":"in""one-way","detail":"status 503, wanted 200","address":"https://","site":"' +
    '{"identity":"","id":"","site":"","address":"127.0.0.1:8777","program":"0.2.0","state":"up","sinceMs":null,"incarnation":1,"version":1,' +
    '"degraded":[],"lies":[],"links":[{"toType":"target","to":"","gone":["target:"],"gone":["node:"]}' +
    '{"card":{"version":1},"links":[{"toType":"node","to":"","kind":"udp","state":"unknown","dead":null,"sinceMs":null,"detail":null,"address":null,"site":null},' +
    '{"card":{"version":12},"links":[{"toType":"node","to":"","kind":"udp","state":"down","dead":null,"sinceMs":17' +
    '","kind":"udp","state":"up","dead":null,"sinceMs":17000,"detail":null,"address":null,"site":null}]}',
)

export const packRecord = (json: string): Uint8Array => deflateRawSync(json, { dictionary: DICTIONARY })
export const unpackRecord = (record: Uint8Array): string => inflateRawSync(record, { dictionary: DICTIONARY }).toString('utf8')
