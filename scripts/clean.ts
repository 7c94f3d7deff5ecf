// Nothing of the machine that made it stands in a file of the project: no path of its own, no registry, no key.
import { readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { projectFiles, root } from './lib/files.ts'

const BIGGEST_BYTES = 2_000_000
const LITERAL = /[.*+?^${}()|[\]\\]/g

const forbidden: Record<string, RegExp> = {
  'where a package was fetched from': /"resolved":\s*"https?:/,
  'a token of a registry': /_authToken\s*=|npm_[A-Za-z0-9]{36}/,
  'a private key': /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\n[A-Za-z0-9+/]/,
}
// This machine's own folders, unless programs are put there by convention: those may well be named.
for (const folder of [root, homedir()]) {
  if (!/^\/[^/]+\/[^/]+/.test(folder) || /^\/(?:opt|srv|usr|var)\//.test(folder)) continue
  forbidden[`the path ${folder} of this machine`] = new RegExp(`(?<![\\w./-])${folder.replace(LITERAL, '\\$&')}(?![\\w-])`)
}

const files = projectFiles()
let found = 0
for (const path of files) {
  if (statSync(join(root, path)).size > BIGGEST_BYTES) continue
  const text = readFileSync(join(root, path), 'latin1')
  for (const [what, pattern] of Object.entries(forbidden)) {
    const at = text.search(pattern)
    if (at < 0) continue
    found += 1
    console.log(`${path}:${text.slice(0, at).split('\n').length}: holds ${what}`)
  }
}
console.log(`${files.length} files, ${found} findings`)
process.exitCode = files.length === 0 || found > 0 ? 1 : 0
