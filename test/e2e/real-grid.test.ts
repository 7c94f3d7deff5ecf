import { type Server, createServer } from 'node:http'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { launchBrowser } from '../support/browser.ts'
import { type ConsolePage, goTo, graveFindings, hasFocus, onMap, openConsole } from '../support/console-page.ts'
import { type RealGrid, startGrid } from '../support/nodes.ts'
import { until } from '../support/until.ts'

const VIEWS = ['map', 'matrix', 'table', 'changes'] as const

/** From a fault to its sight: the grid's own 3 s, and a browser on a busy machine. */
const SEEN_MS = 15_000

let shop: Server
let shopStatus = 200
let grid: RealGrid
let browser: Browser

beforeAll(async () => {
  shop = createServer((_, response) => response.writeHead(shopStatus).end('shop'))
  await new Promise<void>((resolve) => shop.listen(0, '127.0.0.1', resolve))
  const address = shop.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const targets = [{ kind: 'http', name: 'shop', url: `http://127.0.0.1:${port}/`, every: '500ms', timeout: '400ms' }]
  ;[grid, browser] = await Promise.all([
    startGrid([
      { id: 'a', site: 'east', targets },
      { id: 'b', site: 'east', targets },
      { id: 'c', site: 'west' },
    ]),
    launchBrowser(),
  ])
})
afterAll(async () => {
  await browser?.close()
  await grid?.close()
  shop?.close()
})

const node = (id: string) => grid.nodes.find((candidate) => candidate.id === id) as RealGrid['nodes'][number]

async function open(options: Parameters<typeof openConsole>[2] = {}): Promise<ConsolePage> {
  return openConsole(browser, await node('a').consoleLink(), options)
}
async function verdictSays(page: Page, words: RegExp): Promise<void> {
  await page.getByRole('heading', { level: 1, name: words }).waitFor({ timeout: SEEN_MS })
}

describe('the console of a grid that is well', () => {
  let opened: ConsolePage
  let page: Page
  beforeEach(async () => {
    opened = await open()
    page = opened.page
    await verdictSays(page, /^All well: 3 nodes, 1 target/)
  })
  afterEach(async () => {
    const { errors } = opened
    await opened.close()
    expect(errors).toEqual([])
  })

  test('opens on one picture: the verdict, the map, and nothing wrong', async () => {
    await page.getByTestId('map').waitFor()
    for (const id of ['n:a', 'n:b', 'n:c', 't:shop', 'a node:b', 'b node:a', 'a target:shop']) {
      await until(`${id} is on the map`, async () => (await onMap(page, id)) !== null)
    }
    await page.getByText('Nothing is wrong').waitFor()
    expect(await page.getByText('simulated').count()).toBe(0)
  })

  test('a click on a link opens its panel: state, since when, why, and charts', async () => {
    await until('the link is drawn', async () => (await onMap(page, 'a node:c')) !== null)
    const at = (await onMap(page, 'a node:c')) as { x: number; y: number }
    // The two directions are bowed apart, so the middle of the box of one lies on it or beside it.
    await page.mouse.click(at.x, at.y)
    const panel = page.getByRole('complementary', { name: 'Selected' })
    await panel.getByRole('heading', { level: 2 }).waitFor()
    expect(page.url()).toMatch(/from=[ac]&to=[ac]/)
    await panel.getByText('Up: answers as it should').waitFor()
    await panel.getByText(/^since \d\d:\d\d:\d\d \(/).waitFor()
    await panel.getByText(/half of the answers came within/).waitFor()
    expect(await panel.locator('canvas').count()).toBe(2)
    await panel.getByRole('button', { name: '1d' }).click()
    await panel.getByRole('heading', { name: 'The other way' }).waitFor()
    await panel.getByRole('link', { name: /^All that is known of/ }).click()
    await panel.getByText('Identity').waitFor()
  })

  test('the table sorts, filters, and leads to the link', async () => {
    await page.getByRole('link', { name: 'Table' }).click()
    const rows = page.locator('tbody tr')
    await until('every link has a row', async () => (await rows.count()) === 8)
    await page.getByRole('button', { name: 'From' }).click()
    expect(await page.locator('th[aria-sort="ascending"]').innerText()).toContain('From')
    await page.getByLabel('Filter').fill('shop http')
    await until('the filter narrows', async () => (await rows.count()) === 2)
    await rows.first().getByRole('link', { name: /Open$/ }).click()
    await page
      .getByRole('complementary', { name: 'Selected' })
      .getByText(/^Link: what a sees of shop/)
      .waitFor()
  })

  test('everything can be reached by keyboard alone', async () => {
    await page.keyboard.press('x')
    const matrix = page.getByRole('grid', { name: /^Who sees whom/ })
    await matrix.waitFor()
    await page.keyboard.press('Tab')
    const skip = page.getByRole('button', { name: /^Skip to/ })
    expect(await hasFocus(page, skip)).toBe(true)
    await page.keyboard.press('Enter')
    for (let presses = 0; presses < 10; presses++) {
      if (await hasFocus(page, matrix)) break
      await page.keyboard.press('Tab')
    }
    await page.keyboard.press('Control+Home')
    await page.keyboard.press('ArrowRight')
    const active = await matrix.getAttribute('aria-activedescendant')
    expect(await page.locator(`[id="${active}"]`).getAttribute('aria-label')).toBe('a to b: up')
    await page.keyboard.press('Enter')
    const heading = page.getByRole('heading', { level: 2, name: 'a to b' })
    await heading.waitFor()
    await until('the focus is in the panel', () => hasFocus(page, heading))
    await page.keyboard.press('Escape')
    await heading.waitFor({ state: 'detached' })
    await until('the focus is back', () => hasFocus(page, matrix))
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Help' }).getByText('Next thing that is wrong').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog', { name: 'Help' }).waitFor({ state: 'hidden' })
    await page.keyboard.press('/')
    await until('the filter has the focus', () => hasFocus(page, page.getByLabel('Filter')))
  })

  test('an invitation is one click away, and can be copied', async () => {
    await page.getByRole('button', { name: 'Invite a host' }).click()
    const dialog = page.getByRole('dialog', { name: 'Invite a host' })
    await dialog.getByText(/midwatch join /).waitFor()
    await dialog.getByRole('button', { name: 'Copy' }).click()
    await dialog.getByText(/^(Copied|Selected)/).waitFor()
  })

  test('the colours follow the system until a person chooses', async () => {
    const background = () => page.evaluate<string>('getComputedStyle(document.body).backgroundColor')
    await page.emulateMedia({ colorScheme: 'dark' })
    const dark = await background()
    await page.emulateMedia({ colorScheme: 'light' })
    const light = await background()
    expect(light).not.toBe(dark)
    const toggle = page.getByRole('button', { name: /^Colours/ })
    await toggle.click()
    await toggle.click()
    expect(await background()).toBe(dark)
    await page.reload()
    await verdictSays(page, /^All well/)
    expect(await background()).toBe(dark)
  })
})

describe('for everyone', () => {
  test.each(['light', 'dark'] as const)('axe finds nothing serious in any view, %s', async (colorScheme) => {
    const { page, errors, close } = await open({ colorScheme })
    await verdictSays(page, /^All well/)
    for (const view of [...VIEWS.map((name) => `#/${name}`), '#/map?from=a&to=b', '#/map?node=a', '#/table?target=shop']) {
      await goTo(page, view)
      if (view.includes('?')) await page.getByRole('complementary', { name: 'Selected' }).getByRole('heading', { level: 2 }).waitFor()
      else await page.locator(`main[aria-label="${view.slice(2)}"] > *`).waitFor()
      expect(await graveFindings(page), view).toEqual([])
    }
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Help' }).waitFor()
    expect(await graveFindings(page), 'help').toEqual([])
    await close()
    expect(errors).toEqual([])
  })

  test("a phone's width shows everything without scrolling sideways", async () => {
    const { page, errors, close } = await open({
      viewport: { width: 360, height: 740 },
      hasTouch: true,
      isMobile: true,
      colorScheme: 'dark',
    })
    await verdictSays(page, /^All well/)
    for (const view of VIEWS) {
      await goTo(page, `#/${view}`)
      await page.locator(`main[aria-label="${view}"] > *`).waitFor()
      expect(await page.evaluate<number>('document.documentElement.scrollWidth'), view).toBeLessThanOrEqual(360)
      expect(await graveFindings(page), view).toEqual([])
    }
    await goTo(page, '#/map?from=a&to=b')
    const panel = page.getByRole('complementary', { name: 'Selected' })
    await panel.getByText('Up: answers as it should').waitFor()
    expect((await panel.boundingBox())?.width).toBe(360)
    await panel.getByRole('button', { name: 'Close' }).tap()
    await panel.waitFor({ state: 'detached' })
    await close()
    expect(errors).toEqual([])
  })

  test('a browser that is not signed in is told what to do', async () => {
    const { page, close } = await openConsole(browser, node('a').url)
    await page.getByText('midwatch open').waitFor()
    expect(await page.getByRole('heading', { level: 1 }).innerText()).toContain('not signed in')
    expect(await graveFindings(page)).toEqual([])
    await close()
  })
})

describe('when something breaks', () => {
  let opened: ConsolePage
  let page: Page
  beforeEach(async () => {
    opened = await open()
    page = opened.page
    await verdictSays(page, /^All well/)
  })
  afterEach(async () => {
    await opened.close()
    shopStatus = 200
    for (const each of grid.nodes) await each.startAgain()
  })

  test('a target that fails is in the verdict, with the reason', async () => {
    shopStatus = 503
    try {
      await verdictSays(page, /^shop is down for everyone/)
      await page
        .getByLabel('Verdict')
        .getByText(/Status 503/i)
        .waitFor()
      await page.getByRole('link', { name: /shop is down for everyone/ }).click()
      await page.getByRole('heading', { level: 2, name: 'shop' }).waitFor()
    } finally {
      shopStatus = 200
    }
    await verdictSays(page, /^All well/)
    expect(opened.errors).toEqual([])
  })

  test('a node that dies is seen within seconds on every view, and its return too', async () => {
    const watching = await open({ hash: '#/table' })
    await until('the map is drawn', async () => (await onMap(page, 'n:c')) !== null)
    const before = await onMap(page, 'n:c')

    await node('c').kill()
    const diedMs = performance.now()
    await verdictSays(page, /^c is down/)
    expect(performance.now() - diedMs).toBeLessThan(SEEN_MS)
    await page.getByRole('complementary').getByText('2 links to it are dead').waitFor()
    await until('the table shows it', async () => (await watching.page.locator('tbody tr', { hasText: 'down' }).count()) === 2, SEEN_MS)
    expect(await onMap(page, 'n:c'), 'nothing on the map moved').toEqual(before)

    await page.keyboard.press('n')
    const panel = page.getByRole('complementary', { name: 'Selected' })
    await panel.getByRole('heading', { level: 2, name: 'c' }).waitFor()
    expect(await graveFindings(page)).toEqual([])
    await goTo(page, '#/matrix')
    await page.getByRole('gridcell', { name: 'a to c: down' }).waitFor()
    await goTo(page, '#/changes')
    await page
      .locator('main')
      .getByText(/\bc\b.*down/)
      .first()
      .waitFor()

    await node('c').startAgain()
    await verdictSays(page, /^All well/)
    expect([...opened.errors, ...watching.errors]).toEqual([])
    await watching.close()
  })

  test('the moments before and during a death can be looked at later', async () => {
    const beforeIt = new Date().toISOString()
    const banner = page.getByRole('region', { name: 'The past' })
    await node('c').kill()
    await verdictSays(page, /^c is down/)
    const duringIt = new Date().toISOString()
    await node('c').startAgain()
    await verdictSays(page, /^All well/)

    await goTo(page, `#/matrix?at=${beforeIt}`)
    await banner.getByText('Then nothing was wrong.').waitFor()
    await page.getByRole('gridcell', { name: 'a to c: up' }).waitFor()
    await goTo(page, `#/matrix?at=${duringIt}`)
    await banner.getByText(/^Then c was down/).waitFor()
    await page.getByRole('gridcell', { name: 'a to c: down' }).waitFor()
    expect(await graveFindings(page)).toEqual([])

    await page.getByRole('button', { name: 'Back to now' }).click()
    await page.getByRole('gridcell', { name: 'a to c: up' }).waitFor()
    await goTo(page, '#/changes')
    const line = page.locator('main li', { hasText: 'c is down.' }).first()
    await line.getByRole('link', { name: /show the map at this moment$/ }).click()
    await banner.getByText(/^Then c was down/).waitFor()
    await page.keyboard.press(',')
    await page.keyboard.press('Escape')
    await verdictSays(page, /^All well/)
    await goTo(page, '#/map?from=a&to=c')
    await page.getByRole('heading', { name: 'States, newest first' }).waitFor()
    expect(opened.errors).toEqual([])
  })

  test('a node that joins appears without moving what stands', async () => {
    await until('the map is drawn', async () => (await onMap(page, 'n:c')) !== null)
    const before = await Promise.all(['n:a', 'n:b', 'n:c', 't:shop'].map((id) => onMap(page, id)))
    await grid.add({ id: 'd', site: 'east' })
    await until('it is on the map', async () => (await onMap(page, 'n:d')) !== null, SEEN_MS)
    const after = await Promise.all(['n:a', 'n:b', 'n:c', 't:shop'].map((id) => onMap(page, id)))
    // Should it stand outside, the view may take a step back; relative to each other nothing has moved.
    const between = (points: ({ x: number; y: number } | null)[]) =>
      points.slice(1).map((p) => ((p?.x ?? 0) - (points[0]?.x ?? 0)) / ((points[2]?.x ?? 0) - (points[0]?.x ?? 0)))
    between(after).forEach((ratio, i) => expect(ratio).toBeCloseTo(between(before)[i] as number, 1))
    await verdictSays(page, /^All well: 4 nodes/)
    expect(opened.errors).toEqual([])
  })

  test('when the node behind the page dies, the page says that it is not live, and comes back by itself', async () => {
    await node('a').kill()
    await page.getByText(/^Not live since \d\d:\d\d:\d\d/).waitFor({ timeout: SEEN_MS })
    expect(await graveFindings(page)).toEqual([])
    expect(Number(await page.evaluate<string>(`getComputedStyle(document.querySelector('.content')).opacity`))).toBeLessThan(1)
    await node('a').startAgain()
    await page.getByText('Not live since').waitFor({ state: 'detached', timeout: SEEN_MS })
    await verdictSays(page, /^All well/)
  })
})

// Last, since the nodes' key file no longer opens the grid afterwards.
describe('the keys of a grid', () => {
  test('are changed from the page, and a node is removed from it', async () => {
    const { page, errors, close } = await open()
    await verdictSays(page, /^All well/)
    await page.getByRole('button', { name: 'Keys' }).click()
    const dialog = page.getByRole('dialog', { name: 'Keys' })
    await dialog.getByText(/, number 1$/).waitFor()
    await dialog.getByRole('button', { name: 'Change the key' }).click()
    await dialog.getByText(/, number 2$/).waitFor()
    await dialog.getByText('every node has it').waitFor({ timeout: SEEN_MS })
    await page.keyboard.press('Escape')

    await goTo(page, '#/map?node=b')
    await page.getByRole('button', { name: 'Remove from the grid…' }).click()
    await page.getByRole('button', { name: 'Remove b', exact: true }).click()
    await page.getByRole('dialog', { name: 'b is removed' }).waitFor()
    await page.keyboard.press('Escape')
    await until('it is off the map', async () => (await onMap(page, 'n:b')) === null, SEEN_MS)
    await verdictSays(page, /^All well/)
    await close()
    expect(errors).toEqual([])
  })
})
