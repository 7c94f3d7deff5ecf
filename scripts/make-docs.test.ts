import { describe, expect, test } from 'vitest'
import { ERRORS } from '../src/contract/index.ts'
import { FIELDS } from '../src/node/settings/index.ts'
import { PAGES, readPage, renderPage } from './make-docs.ts'

describe('pages made from code', () => {
  for (const name of Object.keys(PAGES)) {
    test(`docs/${name} is as the code says; \`node scripts/make-docs.ts\` writes it`, async () => {
      expect(readPage(name)).toBe(await renderPage(name))
    })
  }

  test('every setting and every error has its line', () => {
    for (const { env } of FIELDS) expect(readPage('configuration.md')).toContain(`\`${env}\``)
    for (const code of Object.keys(ERRORS)) expect(readPage('errors.md')).toContain(`\`${code}\``)
  })
})
