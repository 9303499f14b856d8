import { readFile } from 'node:fs/promises'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { expectAccessible } from '../helpers/axe.ts'
import { VIEWPORT, useBrowser } from '../helpers/browser.ts'
import { DEBIAN_PYTHON } from '../helpers/debian-packages.ts'
import { killProcesses } from '../helpers/process.ts'
import { Demo, demoFile } from './demo.ts'

const browser = useBrowser()
afterAll(killProcesses)

const HOSTILE = '<img src=x onerror="window.hit=1">'

describe('notifications', { timeout: 90_000 }, () => {
  it('are less than 60 lines, page and backend together', async () => {
    const files = ['notifications/server.mjs', 'notifications/index.html'].map(demoFile)
    const lines = (await Promise.all(files.map((file) => readFile(file, 'utf8'))))
      .join('')
      .split('\n')
    expect(lines.length).toBeLessThan(60)
  })

  it.each([
    ['Node', [process.execPath, demoFile('notifications/server.mjs')]],
    ['Python', [DEBIAN_PYTHON, demoFile('notifications/server.py')]],
  ] as const)('reach every page, as text, from a backend in %s', async (language, command) => {
    const demo = await Demo.start([...command])
    onTestFinished(() => demo.stop())
    const [one, other] = [
      await browser.newPage(),
      await browser.newPage({ viewport: VIEWPORT.phone }),
    ]
    for (const page of [one, other]) {
      const opened = page.waitForEvent('websocket')
      await page.goto(demo.url)
      await (await opened).waitForEvent('framereceived')
    }
    const form = one.getByRole('textbox')
    await form.fill(HOSTILE)
    await one.getByRole('button').click()
    await other.getByRole('log').getByText(HOSTILE).waitFor()
    expect(await form.inputValue(), 'the field, for the next one').toBe('')
    // From outside the browser, as with curl.
    const answer = await fetch(`${demo.url}/notify`, { method: 'POST', body: 'Build 42 is done ✓' })
    expect(answer.status).toBe(200)
    for (const page of [one, other]) {
      await page.getByText('Build 42 is done ✓').waitFor()
      expect(await page.locator('img').count()).toBe(0)
      await expectAccessible(
        page,
        `notifications-${language}-${page === one ? 'desktop' : 'phone'}`,
      )
    }
    expect((await fetch(`${demo.url}/server.mjs`)).status).toBe(404)
  })
})
