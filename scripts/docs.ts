// Every relative link in the Markdown leads to a file that exists, and every anchor to a heading in it.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { projectFiles, root } from './lib/files.ts'

const pages = projectFiles().filter((path) => path.endsWith('.md'))

/** Without code, in which brackets are no links. */
const prose = (page: string): string =>
  readFileSync(join(root, page), 'utf8')
    .replace(/^(```|~~~)[\s\S]*?^\1/gm, '')
    .replace(/`[^`\n]*`/g, (code) => code.replace(/[[\]]/g, ''))

/** Anchors as GitHub makes them: lower case, no punctuation, dashes for spaces, a number for repetitions. */
function anchors(page: string): Set<string> {
  const found = new Set<string>()
  for (const [, title = ''] of prose(page).matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const slug = title
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-')
    let name = slug
    for (let copy = 1; found.has(name); copy += 1) name = `${slug}-${copy}`
    found.add(name)
  }
  for (const [, id = ''] of prose(page).matchAll(/<a\s+(?:id|name)="([^"]+)"/g)) found.add(id)
  return found
}

function problem(page: string, link: string): string | null {
  const [path = '', anchor] = decodeURI(link).split('#')
  const target = path === '' ? page : normalize(join(dirname(page), path))
  if (target.startsWith('..')) return 'leads out of the repository'
  if (!existsSync(join(root, target))) return 'leads to nothing'
  if (anchor && target.endsWith('.md') && !anchors(target).has(anchor)) return `has no heading for #${anchor}`
  return null
}

let links = 0
let broken = 0
for (const page of pages) {
  const text = prose(page)
  const found = [
    ...text.matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g),
    ...text.matchAll(/\b(?:src|href)="([^"]+)"/g),
    ...text.matchAll(/^\[[^\]]+\]:\s+(\S+)/gm),
  ]
  for (const [, link = ''] of found) {
    if (/^[a-z][a-z+.-]*:/i.test(link)) continue
    links += 1
    const why = problem(page, link)
    if (why === null) continue
    broken += 1
    console.log(`${page}: ${link} ${why}`)
  }
}
console.log(`${pages.length} pages, ${links} links, ${broken} broken`)
process.exitCode = pages.length === 0 || broken > 0 ? 1 : 0
