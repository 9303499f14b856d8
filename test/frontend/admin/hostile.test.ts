import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeName, encodeName, visible } from '../../../frontend/admin/src/services/names.ts'
import { linkTo } from '../../../frontend/admin/src/services/routes.ts'
import { PHONE, screenshot, useBrowser } from '../../helpers/browser.ts'
import { Backend } from '../../helpers/http.ts'
import { ServerProcess, killProcesses } from '../../helpers/process.ts'
import { HOSTILE, expectSound, goTo, signIn, filledIn } from './panel.ts'
import type { Page } from 'playwright-core'
import type { PageOptions, TestPage } from '../../helpers/browser.ts'

const browser = useBrowser()
let server: ServerProcess
let backend: Backend
/** Signed in, at the view where the previous test left it. */
let panel: TestPage

/** The server accepts no key with this name, neither in settings nor in messages. */
const SETTABLE = HOSTILE.filter((text) => text !== '__proto__')

/** Each text as user, channel, key and value of a state, message and key of a message. */
beforeAll(async () => {
  server = await ServerProcess.start({ settings: { gc_conns_after: 600 } })
  backend = new Backend(server)
  for (const text of HOSTILE) {
    await backend.connect(text, [text], {
      user_state: { [`key ${text}`]: text },
      channel_configs: SETTABLE.includes(text) ? { [text]: { store_history: true } } : {},
    })
    await backend.say(text, text, { user: text })
    if (SETTABLE.includes(text))
      await backend.call('POST /message', [
        { user: text, channel: text, message: { [text]: text } },
      ])
  }
  panel = await openPanel({ expected: /status of 422/ })
})
afterAll(killProcesses)

async function openPanel(options: PageOptions = {}): Promise<TestPage> {
  const page = await browser.newPage(options)
  await signIn(page, server.url)
  return page
}

/** The exact text in the document, including spaces. */
const shown = (page: Page, scope: string, text: string) =>
  page.locator(scope).getByText(text, { exact: true }).first().waitFor()

describe('text from users', () => {
  it('is text in the lists', async () => {
    const page = panel
    for (const hash of ['#/channels', '#/users']) {
      await goTo(page, hash)
      for (const text of HOSTILE)
        await page
          .locator('cs-virtual-list')
          .locator('.name')
          .filter({ hasText: visible(text) })
          .first()
          .waitFor()
      await expectSound(page)
    }
    await screenshot(page, 'hostile-users')
  })

  it.each(SETTABLE)(
    'is text wherever it is said, and names a channel that can be set: %j',
    async (text) => {
      const page = panel
      await goTo(page, linkTo.channel(text))
      await shown(page, 'h1', visible(text))
      await page.getByText('listening (no private messages)').waitFor()
      await backend.say(text, text, { user: text })
      const said = text.split('\n').map(visible)[0] ?? ''
      for (const scope of ['cs-live-tail .what', 'cs-history-list .what'])
        await page.locator(scope).filter({ hasText: said }).first().waitFor()
      await page
        .locator('cs-member-list .name')
        .filter({ hasText: visible(text) })
        .waitFor()
      await expectSound(page)

      await page.locator('cs-history-list').getByRole('button', { name: 'Edit' }).first().click()
      const draft = await filledIn(page.getByLabel('Message (JSON)'))
      expect([{ text }, { [text]: text }]).toContainEqual(JSON.parse(draft))
      await page.getByRole('button', { name: 'Cancel' }).first().click()

      const form = page.locator('cs-settings-form')
      await form.getByLabel('Announce state changes').check()
      await form.getByRole('button', { name: 'Save settings' }).click()
      await form.getByText('Saved').waitFor()
      const { channels } = await backend.info()
      const [, set] = Object.entries(channels).find(([name]) => name === text) ?? []
      expect(set?.settings.notify_state).toBe(true)

      await goTo(page, linkTo.user(text))
      await shown(page, 'h1', visible(text))
      await page
        .locator('cs-user dt')
        .filter({ hasText: visible(text) })
        .waitFor()
      await expectSound(page)
    },
  )

  it('may be the name of what every object has', async () => {
    const page = panel
    await goTo(page, linkTo.channel('__proto__'))
    await page.getByText('listening (no private messages)').waitFor()
    await backend.say('__proto__', 'said here')
    await page.locator('cs-live-tail').getByText('said here').waitFor()
    await page.locator('cs-member-list').getByText('__proto__').waitFor()
    await page.getByLabel('Announce state changes').check()
    await page.getByRole('button', { name: 'Save settings' }).click()
    await page.getByText('__proto__: Key is not allowed.').waitFor()
    await goTo(page, linkTo.user('__proto__'))
    await page.getByText('1 connection').waitFor()
    await expectSound(page)
  })

  it('breaks no page of a phone', async () => {
    const page = await openPanel({ viewport: PHONE })
    for (const text of SETTABLE) {
      await goTo(page, linkTo.channel(text))
      await page.getByText('listening (no private messages)').waitFor()
      await page.locator('cs-history-list .what').first().waitFor()
      await expectSound(page)
      await goTo(page, linkTo.user(text))
      await page.locator('cs-user dt').waitFor()
      await expectSound(page)
    }
    await screenshot(page, 'hostile-phone')
  })

  it('could not become markup if it were taken for some: the page’s policy forbids it', async () => {
    const page = await openPanel({ expected: /TrustedHTML|Content Security Policy/ })
    const outcome = await page.evaluate(() => {
      try {
        document.body.innerHTML = '<img src=x onerror="window.hacked=1">'
        return 'taken'
      } catch (error) {
        return (error as Error).name
      }
    })
    expect(outcome).toBe('TypeError')
    await page.evaluate(() => {
      const link = document.createElement('a')
      link.href = 'javascript:window.hacked=1'
      document.body.append(link)
      link.click()
    })
    await expectSound(page)
  })
})

describe('what cannot be seen', () => {
  it('is shown by signs', () => {
    expect(visible('a\0b\x7f\x85')).toBe('a␀b␡\\u0085')
    expect(visible('\u202Egnp.exe\u2028')).toBe('\\u202egnp.exe\\u2028')
    expect(visible('👩‍👩‍👧 é مرحبا')).toBe('👩‍👩‍👧 é مرحبا')
  })
})

describe('names in addresses', () => {
  it('come back as they were, whatever they are', () => {
    for (const name of [...HOSTILE, '\ud800', 'a\udfffb', '~', '~d800', '%', '/'])
      expect(decodeName(encodeName(name))).toBe(name)
    expect(decodeName('%')).toBeUndefined()
  })
})
