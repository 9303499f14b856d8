import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { screenshot, useBrowser } from '../../helpers/browser.ts'
import { Backend, until } from '../../helpers/http.ts'
import { ServerProcess, killProcesses } from '../../helpers/process.ts'
import { goTo, signIn } from './panel.ts'
import type { Page } from 'playwright-core'

const CHANNELS = 100_000
const AT_ONCE = 1000
/** The longest pause that people do not notice. */
const MAX_TASK_MS = 200
const MAX_ROWS = 60

const browser = useBrowser()
let server: ServerProcess

beforeAll(async () => {
  server = await ServerProcess.start({
    settings: { max_channels_per_request: AT_ONCE, max_body_bytes: 10_000_000 },
  })
  const backend = new Backend(server)
  for (let first = 0; first < CHANNELS; first += AT_ONCE) {
    const names = Array.from({ length: AT_ONCE }, (_, at) => nameOf(first + at))
    await backend.call('POST /channel_config', Object.fromEntries(names.map((name) => [name, {}])))
  }
}, 120_000)
afterAll(killProcesses)

const nameOf = (number: number): string => `channel ${String(number).padStart(6, '0')}`

/** Records the long tasks of the page from now on, in milliseconds. */
async function watchTasks(page: Page): Promise<() => Promise<number>> {
  await page.evaluate(() => {
    const tasks = ((window as { tasks?: number[] }).tasks = [] as number[])
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) tasks.push(duration)
    }).observe({ type: 'longtask' })
  })
  return () => page.evaluate(() => Math.max(0, ...((window as { tasks?: number[] }).tasks ?? [])))
}

const rowsOf = (page: Page) => page.locator('cs-virtual-list .rows [role=row]')

describe('a hundred thousand channels', () => {
  it('are scrolled and searched without a halt, in few rows', async () => {
    const page = await browser.newPage()
    await signIn(page, server.url)
    const longest = await watchTasks(page)
    await goTo(page, '#/channels')
    await page.getByText(nameOf(0)).waitFor()
    await page.getByText('100,000', { exact: true }).waitFor()

    const list = page.locator('cs-virtual-list .scroller')
    await list.hover()
    for (let turn = 0; turn < 40; turn++) await page.mouse.wheel(0, 900)
    for (const share of [0.25, 0.5, 0.75, 1]) {
      await list.evaluate((element, to) => (element.scrollTop = element.scrollHeight * to), share)
      await page.getByText(nameOf(Math.min(CHANNELS - 1, CHANNELS * share))).waitFor()
      expect(await rowsOf(page).count()).toBeLessThan(MAX_ROWS)
    }
    await screenshot(page, 'channels-100000')

    await page.getByLabel('Search channels by name').pressSequentially('0777')
    await until(
      async () => (await rowsOf(page).first().textContent())?.includes('000777') === true,
      'what was searched for',
    )
    await page.getByText(/\d+ found/).waitFor()
    expect(await longest()).toBeLessThan(MAX_TASK_MS)
  })

  it('are walked through by keyboard, to the end', async () => {
    const page = await browser.newPage()
    await signIn(page, server.url)
    await goTo(page, '#/channels')
    await page.getByText(nameOf(0)).waitFor()
    await page.getByRole('grid').focus()
    await page.keyboard.press('End')
    await page.getByText(nameOf(CHANNELS - 1)).waitFor()
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: nameOf(CHANNELS - 2) }).waitFor()
  })
})
