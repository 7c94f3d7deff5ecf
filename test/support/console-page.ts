import { AxeBuilder } from '@axe-core/playwright'
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import { watchForErrors } from './browser.ts'

export type ConsolePage = { readonly page: Page; readonly errors: string[]; close(): Promise<void> }

/** Opens the console in a browser profile of its own; `link` may be the one that signs in. */
export async function openConsole(
  browser: Browser,
  link: string,
  options: BrowserContextOptions & { hash?: string } = {},
): Promise<ConsolePage> {
  const { hash, ...contextOptions } = options
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...contextOptions })
  const page = await context.newPage()
  const errors = watchForErrors(page)
  await page.goto(link)
  if (hash) await goTo(page, hash)
  return { page, errors, close: () => context.close() }
}

/** Changes the address, as following a link would. Scripts for the page are text here: the suites' types know no DOM. */
export async function goTo(page: Page, hash: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(hash)}`)
}

export async function hasFocus(page: Page, element: Locator): Promise<boolean> {
  return (await element.and(page.locator(':focus')).count()) === 1
}

/** Middle of a node ("n:a"), target ("t:shop") or link ("a node:b") of the map, in px of the page. */
export async function onMap(page: Page, id: string): Promise<{ x: number; y: number } | null> {
  return page.getByTestId('map').evaluate((box, wanted) => {
    const point = (box as unknown as { where: (id: string) => { x: number; y: number } | null }).where(wanted)
    if (!point) return null
    const corner = box.getBoundingClientRect()
    return { x: corner.x + point.x, y: corner.y + point.y }
  }, id)
}

/** What axe finds that is serious or worse, as one line each. */
export async function graveFindings(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze()
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, help, nodes }) => `${id}: ${help} (${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')})`)
}

/** What the page's main thread has worked so far, in ms of processor time: a busy machine makes a page late, but not this larger. */
export async function workMeter(page: Page): Promise<() => Promise<number>> {
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  return async () => {
    const { metrics } = await session.send('Performance.getMetrics')
    return (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0) * 1_000
  }
}
