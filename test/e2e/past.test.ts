import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { launchBrowser } from '../support/browser.ts'
import { type ConsolePage, goTo, graveFindings, hasFocus, onMap, openConsole } from '../support/console-page.ts'
import { type FixtureApi, startFixtureApi } from '../support/fixture-api.ts'
import { makeGraph } from '../support/make-graph.ts'
import { type Night, makeNight } from '../support/make-night.ts'
import { until } from '../support/until.ts'

// A night takes a night; the page cannot tell, for it only reads the API. real-grid.test.ts looks at a real minute.
const well = makeGraph({ nodes: 4, sites: 2, targets: 1, peers: 3 })

let browser: Browser
let api: FixtureApi
let night: Night
let opened: ConsolePage
let page: Page
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser?.close())
beforeEach(async () => {
  api = await startFixtureApi(well)
  night = makeNight(well, Date.now())
  api.kept = night.kept
  api.changes = night.changes
  opened = await openConsole(browser, api.url)
  page = opened.page
  await page.getByRole('heading', { level: 1, name: /^All well/ }).waitFor()
})
afterEach(async () => {
  await opened.close()
  await api.close()
})

const slider = () => page.getByRole('slider', { name: 'Moment' })
const banner = () => page.getByRole('region', { name: 'The past' })
const bar = () => page.getByRole('region', { name: 'Replay' })
const mapWords = () => page.getByTestId('map').getAttribute('aria-label')
/** The moment that the address names, in ms. */
const atMs = () => Date.parse(new URLSearchParams(new URL(page.url()).hash.split('?')[1]).get('at') ?? '')
/** When the nth thing of the night happened. */
const happenedMs = (index: number) => Date.parse(night.kept[index]?.at ?? '')

describe('the past', () => {
  test('is out of the way until it is wanted, and marks where something changed', async () => {
    expect(await slider().count()).toBe(0)
    await page.keyboard.press('p')
    await slider().waitFor()
    await until(
      'every change has a mark',
      async () => (await bar().locator('line').count()) === new Set(night.kept.map(({ at }) => at.slice(0, 15))).size,
    )
    expect(await bar().locator('line.bad').count()).toBe(2)
    expect(await slider().getAttribute('aria-valuetext')).toBe('Now')
    expect(await banner().count(), 'the bar alone changes nothing').toBe(0)
    await page.keyboard.press('p')
    await slider().waitFor({ state: 'detached' })
    expect(opened.errors).toEqual([])
  })

  test('steps from change to change by keys, and says unmistakably that this is not now', async () => {
    await page.keyboard.press('p')
    await slider().waitFor()
    await page.keyboard.press(',')
    await page.getByRole('heading', { level: 1, name: /^You look at (\d+ \w+, )?\d\d:\d\d:\d\d, 3 h 9 min ago$/ }).waitFor()
    await banner().getByText('Then nothing was wrong.').waitFor()
    // Newest first: c is well again, two lines about b that is back, c turned lossy while b was down.
    for (const [index, words] of [
      [5, 'Then 3 of 16 links were in trouble.'],
      [4, 'Then 3 of 16 links were in trouble.'],
      [3, 'Then b was down; 6 of 16 links were in trouble.'],
    ] as const) {
      await page.keyboard.press(',')
      await banner()
        .locator(`time[datetime="${new Date(happenedMs(index) + 1_000).toISOString()}"]`)
        .waitFor()
      await banner().getByText(words).waitFor()
    }
    await page.keyboard.press('.')
    await banner()
      .getByText(/^Then 3 of/)
      .waitFor()
    await page.getByRole('complementary').getByRole('heading', { name: 'What was wrong then' }).waitFor()
    expect(await page.title()).toContain('the past')
    expect(await graveFindings(page)).toEqual([])
    await page.getByRole('button', { name: 'Back to now' }).click()
    await page.getByRole('heading', { level: 1, name: /^All well/ }).waitFor()
    expect(page.url()).not.toContain('at=')
    expect(opened.errors).toEqual([])
  })

  test('the thumb drags, arrow keys move it a little, and its right end is now', async () => {
    await page.getByRole('button', { name: 'Past', exact: true }).click()
    await slider().focus()
    await page.keyboard.press('ArrowLeft')
    await banner().waitFor()
    const one = atMs()
    await page.keyboard.press('PageDown')
    await until('a page is more than a step', () => one - atMs() > 60_000)
    const box = (await slider().boundingBox()) as { x: number; y: number; width: number; height: number }
    const middle = box.y + box.height / 2
    await page.mouse.move(box.x + box.width * 0.9, middle)
    await page.mouse.down()
    for (const share of [0.8, 0.6, 0.45, 0.3, 0.25]) await page.mouse.move(box.x + box.width * share, middle)
    await page.mouse.up()
    await banner()
      .getByText(/^Then b was down/)
      .waitFor()
    await until('the address has the last of them', () => Math.abs(atMs() - (Date.now() - 225 * 60_000)) < 6 * 60_000)
    await slider().focus()
    await page.keyboard.press('End')
    await banner().waitFor({ state: 'detached' })
    expect(opened.errors).toEqual([])
  })

  test('can be sent to a colleague: the address opens the same picture, in every view', async () => {
    const at = new Date(happenedMs(3) + 1_000).toISOString()
    for (const view of ['map', 'matrix', 'table', 'changes']) {
      const theirs = await openConsole(browser, `${api.url}#/${view}?at=${at}`)
      await theirs.page
        .getByRole('region', { name: 'The past' })
        .getByText(/^Then b was down/)
        .waitFor()
      await theirs.page.locator(`main[aria-label="${view}"] > *`).first().waitFor()
      await theirs.page.getByRole('slider', { name: 'Moment' }).waitFor()
      expect(await graveFindings(theirs.page), view).toEqual([])
      expect(theirs.errors).toEqual([])
      await theirs.close()
    }
    await goTo(page, `#/matrix?at=${at}`)
    await page.getByRole('gridcell', { name: 'a to b: down' }).waitFor()
    await page.getByRole('link', { name: 'Table' }).click()
    await page.getByRole('link', { name: 'a to b: down. Open' }).click()
    const panel = page.getByRole('complementary', { name: 'Selected' })
    await panel.getByText(/^As it was at/).waitFor()
    await panel.getByText('40 min').waitFor()
    expect(await panel.locator('canvas').count(), 'no figures of now').toBe(0)
    await page.goBack()
    await page.goBack()
    await page.goBack()
    await page.getByRole('heading', { level: 1, name: /^All well/ }).waitFor()
  })

  test('a change of the timeline leads to the map of its moment', async () => {
    await goTo(page, '#/changes')
    await page
      .getByRole('link', { name: /: show the map at this moment$/ })
      .nth(5)
      .click()
    await banner()
      .getByText(/^Then b was down/)
      .waitFor()
    expect(page.url()).toContain('#/map?')
    await until('the dead node is drawn', async () => (await onMap(page, 'n:b')) !== null)
    await page.getByRole('complementary').getByRole('heading', { name: 'Changes until then' }).waitFor()
    expect(await page.getByRole('complementary').getByText('b is back.').count()).toBe(0)
  })

  test('is replayed without its quiet hours, and stops at the end', async () => {
    await page.keyboard.press('p')
    await bar().getByLabel('Speed').selectOption('fast')
    const seen: string[] = []
    await page.exposeFunction('seen', (words: string) => seen.push(words))
    await page.evaluate(`new MutationObserver(() => {
      const words = document.querySelector('[aria-label="The past"] p')?.textContent
      if (words) seen(words)
    }).observe(document.body, { subtree: true, childList: true, characterData: true })`)
    await bar().getByRole('button', { name: 'Play' }).click()
    await bar().getByRole('button', { name: 'Pause' }).waitFor()
    await bar().getByRole('button', { name: 'Play' }).waitFor()
    expect(atMs()).toBe(happenedMs(night.kept.length - 1) + 1_000)
    const told = seen.filter((words, i) => words.startsWith('Then') && words !== seen[i - 1])
    expect(told).toEqual([
      'Then nothing was wrong.',
      'Then b was down; 3 of 16 links were in trouble.',
      'Then b was down; 6 of 16 links were in trouble.',
      'Then 3 of 16 links were in trouble.',
      'Then nothing was wrong.',
    ])
    expect(opened.errors).toEqual([])
  })

  test('stands still while the present goes on, and nothing on the map moves', async () => {
    await until('the map is drawn', async () => (await onMap(page, 'n:d')) !== null)
    const stood = await onMap(page, 'n:d')
    await goTo(page, `#/map?at=${new Date(happenedMs(3) + 1_000).toISOString()}`)
    await banner()
      .getByText(/^Then b was down/)
      .waitFor()
    const words = await mapWords()
    api.setNodes(well.nodes.map((node) => (node.id === 'c' ? { ...node, state: 'down', since: new Date().toISOString() } : node)))
    await banner().getByText('Now: c is down').waitFor()
    expect(await mapWords()).toBe(words)
    await page.getByRole('button', { name: 'Back to now' }).click()
    await page.getByRole('heading', { level: 1, name: /^c is down/ }).waitFor()
    // The bar and the banner took room from the map, so it was fitted anew; nothing stands elsewhere within it.
    await slider().waitFor({ state: 'detached' })
    await until('the map has its room again', async () => {
      const now = await onMap(page, 'n:d')
      return now !== null && stood !== null && Math.abs(now.x - stood.x) < 12 && Math.abs(now.y - stood.y) < 12
    })
  })

  test('where nothing is kept, the page says so and how to go on', async () => {
    await goTo(page, '#/map?at=2020-01-01T00:00:00.000Z')
    await banner()
      .getByText(/this node was not running. Choose a later time/)
      .waitFor()
    await page.getByText('There is no picture of that moment.').waitFor()
    expect(await graveFindings(page)).toEqual([])
    await bar().getByRole('button', { name: 'The change after' }).click()
    await banner().getByText('Then nothing was wrong.').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('heading', { level: 1, name: /^All well/ }).waitFor()
  })

  test("fits a phone's width, and can be read by touch alone", async () => {
    const phone = await openConsole(browser, `${api.url}#/map?at=${new Date(happenedMs(3) + 1_000).toISOString()}`, {
      viewport: { width: 390, height: 844 },
      hasTouch: true,
      isMobile: true,
      colorScheme: 'dark',
    })
    await phone.page
      .getByRole('region', { name: 'The past' })
      .getByText(/^Then b was down/)
      .waitFor()
    await phone.page.getByRole('button', { name: 'The change after' }).tap()
    await phone.page.getByText(/^Then 3 of/).waitFor()
    expect(await phone.page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390)
    expect(await graveFindings(phone.page)).toEqual([])
    await phone.page.getByRole('button', { name: 'Back to now' }).tap()
    await phone.page.getByRole('heading', { level: 1, name: /^All well/ }).waitFor()
    expect(phone.errors).toEqual([])
    await phone.close()
  })

  test('Back in the browser leads from the past to now at once, and the focus stays on the slider', async () => {
    await page.keyboard.press('p')
    await slider().focus()
    for (let presses = 0; presses < 5; presses++) await page.keyboard.press('ArrowLeft')
    await banner().waitFor()
    expect(await hasFocus(page, slider())).toBe(true)
    await page.goBack()
    await banner().waitFor({ state: 'detached' })
  })
})
