import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { launchBrowser } from '../support/browser.ts'
import { type ConsolePage, goTo, graveFindings, onMap, openConsole } from '../support/console-page.ts'
import { type FixtureApi, startFixtureApi } from '../support/fixture-api.ts'
import { makeGraph } from '../support/make-graph.ts'
import { until } from '../support/until.ts'
import type { Graph } from '../../src/contract/index.ts'

const plain = makeGraph({ nodes: 4, sites: 2, targets: 1, peers: 3 })
const SILENT = { state: 'unknown', says: 'unknown', rttMsP50: null, lossRatio: null, detail: 'cannot be probed: d only calls out' } as const
/** d stands behind an address translation. */
const caller: Graph = {
  ...plain,
  nodes: plain.nodes.map((node) => (node.id === 'd' ? { ...node, callsOut: true } : node)),
  links: plain.links.map((link) => (link.to === 'd' ? { ...link, ...SILENT } : link)),
}
/** c was caught, and wants to be called b. */
const liar = plain.nodes.map((node) => (node.id === 'c' ? { ...node, lies: ['two-rows', 'forged-row'] as const, wantedId: 'b' } : node))

let browser: Browser
let api: FixtureApi
let opened: ConsolePage
let page: Page
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser?.close())
beforeEach(async () => {
  api = await startFixtureApi(caller)
  opened = await openConsole(browser, api.url)
  page = opened.page
  await until('the map is drawn', async () => (await page.getByTestId('map').count()) === 1 && (await onMap(page, 'n:d')) !== null)
})
afterEach(async () => {
  await opened.close()
  await api.close()
})
const panel = () => page.getByRole('complementary', { name: 'Selected' })

describe('keys', () => {
  test('shows the key, changes it, and tells who has not taken it yet', async () => {
    api.keys = { ...api.keys, waiting: ['b'] }
    await page.getByRole('button', { name: 'Keys' }).click()
    const dialog = page.getByRole('dialog', { name: 'Keys' })
    await dialog.getByText('quiet-3, number 1').waitFor()
    await dialog.getByText('since the grid began').waitFor()
    await dialog.getByText(/^b\b/).waitFor()
    expect(await graveFindings(page)).toEqual([])
    await dialog.getByRole('button', { name: 'Change the key' }).click()
    await dialog.getByText('amber-9, number 2').waitFor()
    await dialog.getByText(/changed on a$/).waitFor()
    await dialog.getByText('every node has it').waitFor()
    expect(opened.errors).toEqual([])
  })

  test('nodes that are too old are named, and may be left behind', async () => {
    api.oldNodes = ['b']
    await page.getByRole('button', { name: 'Keys' }).click()
    const dialog = page.getByRole('dialog', { name: 'Keys' })
    await dialog.getByRole('button', { name: 'Change the key' }).click()
    await dialog.getByRole('alert').getByText('b cannot take a new key. Update them first.').waitFor()
    await dialog.getByRole('button', { name: 'Change it and leave those behind' }).click()
    await dialog.getByText('amber-9, number 2').waitFor()
  })

  test('a node is removed only after the page has said what that means', async () => {
    await goTo(page, '#/map?node=b')
    await panel().getByRole('button', { name: 'Remove from the grid…' }).click()
    const dialog = page.getByRole('dialog', { name: 'Remove b from the grid?' })
    await dialog.getByText('gets none: it can read nothing that follows').waitFor()
    expect(await graveFindings(page)).toEqual([])
    await dialog.getByRole('button', { name: 'Keep it' }).click()
    expect(api.keys.removed).toEqual([])
    await panel().getByRole('button', { name: 'Remove from the grid…' }).click()
    await dialog.getByRole('button', { name: 'Remove b' }).click()
    await page
      .getByRole('dialog', { name: 'b is removed' })
      .getByText(/take a new key within seconds/)
      .waitFor()
    await page.keyboard.press('Escape')
    await panel().getByText('No node is called b any more.').waitFor()
    await page.getByRole('button', { name: 'Keys' }).click()
    await page.getByRole('dialog', { name: 'Keys' }).getByRole('listitem').getByText('b', { exact: true }).waitFor()
    expect(opened.errors).toEqual([])
  })

  test('this node itself offers no removal', async () => {
    await goTo(page, '#/map?node=a')
    await panel().getByText('this node').waitFor()
    expect(await panel().getByRole('button', { name: 'Remove from the grid…' }).count()).toBe(0)
  })
})

describe('what has to be known of a node', () => {
  test('one that only calls out is told as such on every view, and is no trouble', async () => {
    await page.getByRole('heading', { level: 1, name: /^All well/ }).waitFor()
    await page.getByTestId('map').locator('..').getByText('only calls out').waitFor()
    await page.getByText('no probe').waitFor()
    await goTo(page, '#/matrix')
    await page.getByRole('gridcell', { name: 'a to d: no probe' }).waitFor()
    await goTo(page, '#/table?filter=cannot')
    await until('the table says why', async () => (await page.locator('tbody tr', { hasText: 'cannot be probed' }).count()) === 3)
    await goTo(page, '#/map?node=d')
    await panel().getByText('It only calls out: nobody can probe it. It is alive, its own view is below.').waitFor()
    expect(await graveFindings(page)).toEqual([])
    await goTo(page, '#/map?from=a&to=d')
    await panel().getByText('Unknown: cannot be probed: d only calls out').waitFor()
  })

  test('without such a node the legend does not speak of one', async () => {
    api.setNodes([...plain.nodes], [...plain.links])
    await until('it went', async () => (await page.getByText('only calls out').count()) === 0)
    expect(await page.getByText('no probe').count()).toBe(0)
  })

  test('a liar, and one whose label another holds, is named with what to do', async () => {
    api.setNodes(liar.map((node) => ({ ...node, lies: [...node.lies] })))
    await page.getByRole('complementary').getByRole('link', { name: /\bc\b/ }).first().waitFor()
    await goTo(page, '#/map?node=c')
    const marks = panel().getByRole('list', { name: 'Marks' })
    await marks.getByText('caught lying').waitFor()
    await marks.getByText('two want the label b').waitFor()
    await panel()
      .getByText(/^It signed two different rows under one version/)
      .waitFor()
    await panel()
      .getByText(/^It sent a row that the row’s owner did not sign/)
      .waitFor()
    await panel()
      .getByText(/Start it with a different/)
      .waitFor()
    expect(await graveFindings(page)).toEqual([])
  })
})
