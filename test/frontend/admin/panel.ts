/** A server with the panel in a browser, for the tests of this folder. */
import { expect } from 'vitest'
import { Backend, until } from '../../helpers/http.ts'
import { Listener } from '../../helpers/websocket.ts'
import type { Locator, Page } from 'playwright-core'
import type { Address } from '../../helpers/http.ts'

/** Texts that would run code or break the page if they were not treated as text. */
export const HOSTILE = [
  '<img src=x onerror="window.hacked=1">',
  '<script>window.hacked=1</script>',
  '"><svg onload=window.hacked=1>',
  'javascript:window.hacked=1',
  '${window.hacked=1} {{window.hacked=1}}',
  '__proto__',
  'constructor',
  'مرحبا \u202Egnp.exe',
  'a\0b\nc\u2028d',
  '👩‍👩‍👧‍👦🏳️‍🌈e\u0301',
  'wide '.repeat(20) + 'x'.repeat(150),
  '~0041/%2F#?&',
]

export async function signIn(page: Page, url: string): Promise<void> {
  await page.goto(`${url}/admin`)
  await page.getByLabel('User').fill('admin')
  await page.getByLabel('Password').fill('admin_secret')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await isLive(page)
}

/** Resolves once the panel has a live connection. */
export const isLive = (page: Page): Promise<void> =>
  page.locator('.state.live').waitFor({ timeout: 15_000 })

export async function goTo(page: Page, hash: string): Promise<void> {
  await page.evaluate((wanted) => void (location.hash = wanted), hash)
}

/** Resolves with the text of a field, once the panel has filled it in. */
export async function filledIn(field: Locator): Promise<string> {
  await until(async () => (await field.inputValue()) !== '', 'the field to be filled in')
  return field.inputValue()
}

/** Creates a channel with a history and one member. */
export async function makeRoom(server: Address, channel: string, user = 'ann'): Promise<Backend> {
  const backend = new Backend(server)
  const settings = { store_history: true, notify_presence: true }
  await backend.connect(user, [channel], {
    channel_configs: { [channel]: settings },
    user_state: { mood: 'good', pin: 1234 },
    state_public_keys: ['mood'],
  })
  return backend
}

/** Connects a client of this user to the channel. */
export async function connectedClient(server: Address, user: string, channel: string) {
  return Listener.open(server, await new Backend(server).connect(user, [channel]))
}

/** Resolves once the client has received an event that contains all of these. */
export async function hears(client: Listener, event: object): Promise<void> {
  const isTold = (): boolean => client.events.some((told) => covers(told, event))
  await until(isTold, `an event with ${JSON.stringify(event)}`)
}

function covers(whole: unknown, part: unknown): boolean {
  if (typeof part !== 'object' || part === null) return whole === part
  return Object.entries(part).every(([key, value]) =>
    covers((whole as Record<string, unknown> | null)?.[key], value),
  )
}

/** Checks that no injected script ran, and that nothing is wider than the window. */
export async function expectSound(page: Page): Promise<void> {
  const { hacked, width, room } = await page.evaluate(() => ({
    hacked: 'hacked' in window,
    width: document.documentElement.scrollWidth,
    room: innerWidth,
  }))
  expect(hacked, 'whether a script of a user has run').toBe(false)
  expect(width, 'the width of the page').toBeLessThanOrEqual(room)
}
