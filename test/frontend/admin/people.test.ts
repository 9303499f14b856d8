/** Accessibility of the panel: keyboard, screen reader, phone, dark mode. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectAccessible } from '../../helpers/axe.ts'
import { DESKTOP, PHONE, useBrowser } from '../../helpers/browser.ts'
import { Backend, until } from '../../helpers/http.ts'
import { ServerProcess, killProcesses } from '../../helpers/process.ts'
import { expectSound, goTo, signIn } from './panel.ts'
import type { Page } from 'playwright-core'
import type { TestPage } from '../../helpers/browser.ts'

const browser = useBrowser()
let server: ServerProcess
/** Signed in, at the view where the previous test left it. */
let panel: TestPage

beforeAll(async () => {
  server = await ServerProcess.start({ settings: { gc_conns_after: 600 } })
  const backend = new Backend(server)
  const settings = { store_history: true, notify_presence: true }
  for (const user of ['ann', 'bob', 'cem'])
    await backend.connect(user, ['lobby', 'news'], {
      channel_configs: { lobby: settings },
      user_state: { mood: 'good', pin: 1 },
      state_public_keys: ['mood'],
    })
  await backend.connect('ann', ['lobby'], { state_public_keys: ['mood'] })
  await backend.say('lobby', 'Good morning, everybody!')
  await backend.say('lobby', 'Only for Ann.', { pm_users: ['ann'] })
  panel = await browser.newPage()
  await signIn(panel, server.url)
})
afterAll(killProcesses)

interface View {
  readonly name: string
  readonly hash: string
  /** Present once the view is loaded. */
  readonly ready: string
}
const VIEWS: readonly View[] = [
  { name: 'overview', hash: '#/', ready: '[data-figure=users], [data-figure=connected_users]' },
  { name: 'channels', hash: '#/channels', ready: 'cs-virtual-list .name' },
  { name: 'channel', hash: '#/channel/lobby', ready: 'cs-history-list .what' },
  { name: 'users', hash: '#/users', ready: 'cs-virtual-list .name' },
  { name: 'user', hash: '#/user/ann', ready: 'cs-user dt' },
  { name: 'send', hash: '#/send', ready: 'cs-send form' },
]

async function open(page: Page, { hash, ready }: View): Promise<void> {
  await goTo(page, hash)
  await page.locator(ready).first().waitFor()
}

/** Checks that nothing overflows, and that the page is accessible. */
async function look(page: Page, name: string, size: string): Promise<void> {
  await expectSound(page)
  await expectAccessible(page, `${name}-${size}`)
}

describe.each([DESKTOP, PHONE])('on a screen of $width × $height', (viewport) => {
  const size = String(viewport.width)

  it('every view fits, and axe finds no serious fault', async () => {
    const page = await browser.newPage({ viewport })
    await page.goto(`${server.url}/admin`)
    await look(page, 'sign-in', size)
    await signIn(page, server.url)
    for (const view of VIEWS) {
      await open(page, view)
      await look(page, view.name, size)
    }

    await open(page, { name: 'channel', hash: '#/channel/lobby', ready: 'cs-history-list .what' })
    for (const name of ['Edit', 'Delete']) {
      await page.locator('cs-history-list').getByRole('button', { name }).first().click()
      await page.getByRole('dialog').waitFor()
      await look(page, name.toLowerCase(), size)
      await page.keyboard.press('Escape')
    }
  }, 60_000)
})

/** The focused element, also inside shadow roots: its role or tag, and its name. */
const focused = (page: Page): Promise<string> =>
  page.evaluate(() => {
    let element = document.activeElement
    while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement
    const labels = (element as HTMLInputElement | null)?.labels
    const label = element?.getAttribute('aria-label') ?? labels?.[0]?.textContent
    const name = (label ?? element?.textContent ?? '').replace(/\s+/g, ' ').trim()
    return `${element?.getAttribute('role') ?? element?.localName}: ${name}`
  })

async function tabTo(page: Page, wanted: string): Promise<void> {
  const met: string[] = []
  for (let step = 0; step < 40; step++) {
    await page.keyboard.press('Tab')
    met.push(await focused(page))
    if (met.at(-1) === wanted) return
  }
  throw new Error(`the Tab key never came to ${wanted}, but to ${met.join(', ')}`)
}

describe('with a keyboard only', () => {
  it('one signs in, finds a channel, changes it, and deletes a message', async () => {
    const page = await browser.newPage()
    const backend = new Backend(server)
    await backend.connect('kim', ['keys'], {
      channel_configs: { keys: { store_history: true } },
    })
    await backend.say('keys', 'typed')
    await page.goto(`${server.url}/admin`)
    // The page appears before its first field gets the focus.
    await page.locator('input:focus').waitFor()
    await page.keyboard.type('admin')
    await page.keyboard.press('Tab')
    await page.keyboard.type('admin_secret')
    await page.keyboard.press('Enter')
    await page.locator('.state.live').waitFor()

    await tabTo(page, 'a: Skip to content')
    await tabTo(page, 'a: Channels')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Channels' }).waitFor()
    await until(async () => (await focused(page)) === 'h1: Channels', 'the heading to be focused')
    await tabTo(page, 'input: Search channels by name')
    await page.keyboard.type('keys')
    await page.getByText('1 found').waitFor()
    await tabTo(page, 'grid: Channels')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'keys' }).waitFor()
    await until(async () => (await focused(page)) === 'h1: keys', 'the heading to be focused')

    await page.locator('cs-history-list').getByText('typed').waitFor()
    await tabTo(page, 'button: Delete')
    await page.keyboard.press('Enter')
    await tabTo(page, 'button: Delete')
    await page.keyboard.press('Enter')
    await page.getByText('No messages yet.').waitFor()

    await tabTo(page, 'input: Announce state changesnotify_state')
    await page.keyboard.press('Space')
    await tabTo(page, 'button: Save settings')
    await page.keyboard.press('Enter')
    await page.getByText('Saved').waitFor()
    expect((await backend.info()).channels['keys']?.settings.notify_state).toBe(true)
  })

  it('one sees where one is', async () => {
    const page = panel
    for (const view of VIEWS) {
      await open(page, view)
      for (let step = 0; step < 8; step++) {
        await page.keyboard.press('Tab')
        const ring = await page.evaluate(() => {
          let element = document.activeElement
          while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement
          const style = element && getComputedStyle(element)
          const isLost = element === document.body // past the last tab stop
          return style && !isLost ? `${style.outlineStyle} ${style.outlineWidth}` : 'none left'
        })
        expect(ring, `${view.name}, ${await focused(page)}`).toMatch(
          /^(solid|auto) [1-9]|none left/,
        )
      }
    }
  })

  it('one moves through a list row by row, and the reader is told which', async () => {
    const page = panel
    await open(page, { name: 'users', hash: '#/users', ready: 'cs-virtual-list .name' })
    const grid = page.getByRole('grid')
    await grid.focus()
    const active = (): Promise<string | null> => grid.getAttribute('aria-activedescendant')
    expect(await active()).toBe('row-0')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowDown')
    expect(await active()).toBe('row-2')
    await page.keyboard.press('ArrowUp')
    expect(await active()).toBe('row-1')
    await page.keyboard.press('Home')
    expect(await active()).toBe('row-0')
  })
})

describe('the panel', () => {
  it('asks no other host for anything', async () => {
    const page = await browser.newPage()
    const hosts = new Set<string>()
    page.on('request', (request) => hosts.add(new URL(request.url()).host))
    page.on('websocket', (socket) => hosts.add(new URL(socket.url()).host))
    await signIn(page, server.url)
    for (const view of VIEWS) await open(page, view)
    expect([...hosts]).toEqual([`127.0.0.1:${server.port}`])
  })
})
