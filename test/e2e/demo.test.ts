import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launchBrowser } from '../support/browser.ts'
import { type ConsolePage, graveFindings, openConsole } from '../support/console-page.ts'
import { type RealDemo, startDemo } from '../support/nodes.ts'

const SEEN_MS = 15_000

let demo: RealDemo
let browser: Browser
let opened: ConsolePage
let page: Page
beforeAll(async () => {
  ;[demo, browser] = await Promise.all([startDemo(), launchBrowser()])
  opened = await openConsole(browser, demo.consoleLink, { colorScheme: 'dark' })
  page = opened.page
})
afterAll(async () => {
  await browser?.close()
  await demo?.close()
})

const verdict = (words: RegExp) => page.getByRole('heading', { level: 1, name: words }).waitFor({ timeout: SEEN_MS })
const fault = (name: string) => page.getByRole('switch', { name })

describe('the demo', () => {
  test('says that it is simulated, and is well at first', async () => {
    await page.getByText('simulated').waitFor()
    await verdict(/^All well: 5 nodes/)
    expect(await graveFindings(page)).toEqual([])
  })

  test('a fault switched on shows what it promises, and goes when it is switched off', async () => {
    await fault('fra2 is unplugged').check()
    await verdict(/^fra2 is down/)
    await fault('fra2 is unplugged').uncheck()
    await verdict(/^All well/)
  })

  test('a one-way fault names the direction that is dead, in the list and on the link', async () => {
    await fault('Packets from nyc to fra are lost').check()
    await verdict(/^Packets from site nyc to site fra are lost/)
    await page
      .getByRole('complementary')
      .getByRole('link', { name: /Packets from site nyc to site fra are lost/ })
      .click()
    await page.getByRole('gridcell', { name: 'nyc1 to fra1: one-way' }).click()
    const panel = page.getByRole('complementary', { name: 'Selected' })
    await panel.getByText('One-way: nothing that nyc1 sends reaches fra1').waitFor()
    expect(await graveFindings(page)).toEqual([])
    await page.keyboard.press('Escape')
    await fault('Packets from nyc to fra are lost').uncheck()
    await verdict(/^All well/)
    expect(opened.errors).toEqual([])
  })
})
