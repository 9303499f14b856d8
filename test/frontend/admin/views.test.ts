import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { screenshot, useBrowser } from '../../helpers/browser.ts'
import { Backend, until } from '../../helpers/http.ts'
import { freePort } from '../../helpers/ports.ts'
import { ServerProcess, killProcesses } from '../../helpers/process.ts'
import { startServer } from '../../helpers/server.ts'
import { closeClients } from '../../helpers/websocket.ts'
import { connectedClient, goTo, hears, makeRoom, signIn, filledIn } from './panel.ts'
import type { TestPage } from '../../helpers/browser.ts'

const browser = useBrowser()
let server: ServerProcess

/** Signed in, at the view where the previous test left it. */
let panel: TestPage

beforeAll(async () => {
  server = await ServerProcess.start({ settings: { gc_conns_after: 600 } })
  // Browsers log each failed request.
  panel = await browser.newPage({ expected: /status of 422/ })
  await signIn(panel, server.url)
})
afterAll(closeClients)
afterAll(killProcesses)

/** Opens an empty view first, so that nothing of the previous view is left. */
async function openPanel(hash: string) {
  await goTo(panel, '#/nowhere')
  await panel.getByText('Page not found').waitFor()
  await goTo(panel, hash)
  return panel
}

/** A new channel for each test. */
let rooms = 0
async function newRoom(): Promise<{ room: string; backend: Backend }> {
  const room = `room ${++rooms}`
  return { room, backend: await makeRoom(server, room) }
}

describe('signing in and out', () => {
  it('leads to the panel and back, and shows nothing in between', async () => {
    const page = await browser.newPage()
    await page.goto(`${server.url}/admin`)
    expect(page.url()).toBe(`${server.url}/admin/sign_in`)
    await page.getByLabel('User').fill('admin')
    await page.getByLabel('Password').fill('wrong')
    await page.getByRole('button').click()
    await page.getByRole('alert').getByText('Wrong user name or password.').waitFor()

    await page.getByLabel('User').fill('admin')
    await page.getByLabel('Password').fill('admin_secret')
    await page.getByRole('button').click()
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    expect(page.url()).toBe(`${server.url}/admin`)

    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.waitForURL('**/admin/sign_in')
    await page.goBack()
    await page.waitForURL('**/admin/sign_in')
  })

  it('leads to the view that was wanted, also after a wrong password', async () => {
    const page = await browser.newPage()
    await page.goto(`${server.url}/admin#/channels`)
    for (const password of ['wrong', 'admin_secret']) {
      await page.getByLabel('User').fill('admin')
      await page.getByLabel('Password').fill(password)
      await page.getByRole('button').click()
      if (password === 'wrong') await page.getByRole('alert').waitFor()
    }
    await page.getByRole('heading', { name: 'Channels' }).waitFor()
    expect(page.url()).toBe(`${server.url}/admin#/channels`)
  })

  it('ends in every window at once', async () => {
    const page = await browser.newPage()
    await signIn(page, server.url)
    const other = await page.context().newPage()
    await other.goto(`${server.url}/admin`)
    await other.locator('.state.live').waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await other.waitForURL('**/admin/sign_in')
  })
})

describe('the overview', () => {
  it('shows figures that move without being reloaded', async () => {
    const page = await openPanel('#/')
    const users = page.locator('[data-figure=connected_users] .number')
    const messages = page.locator('[data-figure=messages_per_second] .number')
    await users.waitFor()
    const before = Number(await users.textContent())
    const backend = await makeRoom(server, 'busy', 'newcomer')
    await until(async () => Number(await users.textContent()) === before + 1, 'one user more')
    await until(async () => {
      await backend.say('busy', 'hello')
      return Number(await messages.textContent()) > 0
    }, 'messages to be counted')
    const charts = page.getByRole('img')
    expect(await charts.count()).toBe(8)
    expect(await charts.first().getAttribute('aria-label')).toMatch(/^Users: now \d+, between/)
    await screenshot(page, 'overview')
  })

  it('shows what waits for a webhook, and why it fails', async () => {
    const url = `http://127.0.0.1:${await freePort()}/<b>hook</b>`
    const telling = await startServer({ webhook_url: `${url}?key=hidden` })
    onTestFinished(() => telling.close())
    const page = await browser.newPage()
    await signIn(page, telling.url)
    await new Backend(telling).connect('ann', ['lobby'])
    const list = page.locator('cs-webhook-list')
    await list.getByText('4 events waiting').waitFor()
    await list.getByText(/Failing \(.*ECONNREFUSED/).waitFor()
    await list.getByText(new URL(url).href, { exact: true }).waitFor()
    expect(await list.textContent()).not.toContain('hidden')
    await screenshot(page, 'overview-webhooks')
  })

  it('tells the value of the moment that is pointed at', async () => {
    const page = await openPanel('#/')
    const card = page.locator('[data-figure=memory_bytes]')
    const box = await card.locator('svg').boundingBox()
    await page.mouse.move((box?.x ?? 0) + (box?.width ?? 0) - 3, (box?.y ?? 0) + 20)
    await card.getByText(/\d\d:\d\d:\d\d/).waitFor()
  })
})

describe('a channel', () => {
  it('shows what is announced in it at once, but for private messages', async () => {
    const { room, backend } = await newRoom()
    const page = await openPanel(`#/channel/${room}`)
    await page.getByText('listening (no private messages)').waitFor()
    await backend.say(room, 'for ann only', { pm_users: ['ann', 'bob'] })
    await backend.say(room, 'hello, live')
    const live = page.locator('cs-live-tail')
    await live.getByText('hello, live').waitFor()
    expect(await live.getByText('for ann only').count()).toBe(0)
    const history = page.locator('cs-history-list')
    await history.getByText('hello, live').waitFor()
    await history.getByText('only for ann, bob').waitFor()

    await live.getByRole('button', { name: 'Pause' }).click()
    await backend.say(room, 'meanwhile')
    await live.getByRole('button', { name: 'Resume (1 new)' }).click()
    await live.getByText('meanwhile').waitFor()
    await live.getByRole('button', { name: 'Clear' }).click()
    expect(await live.getByText('meanwhile').count()).toBe(0)
    await screenshot(page, 'channel')
  })

  it('has settings that can be changed', async () => {
    const { room, backend } = await newRoom()
    const page = await openPanel(`#/channel/${room}`)
    const form = page.locator('cs-settings-form')
    const save = form.getByRole('button', { name: 'Save settings' })
    await form.getByLabel('Announce state changes').check()
    await form.getByLabel('Messages to keep').fill('3')
    await form.getByLabel('Seconds to keep them').fill('3600')
    await save.click()
    await form.getByText('Saved').waitFor()
    const { channels } = await backend.info()
    expect(channels[room]?.settings).toMatchObject({
      notify_state: true,
      notify_presence: true,
      store_history: true,
      history_size: 3,
      history_ttl: 3600,
    })

    await form.getByLabel('Messages to keep').fill('1000000')
    await save.click()
    await form.getByText(/less than or equal to 1000/).waitFor()
    await form.getByRole('button', { name: 'Undo' }).click()
    expect(await form.getByLabel('Messages to keep').inputValue()).toBe('3')
  })

  it('has messages that can be changed, and clients that have them are told', async () => {
    const { room, backend } = await newRoom()
    const client = await connectedClient(server, 'reader', room)
    await backend.say(room, 'to be changed')
    const page = await openPanel(`#/channel/${room}`)
    const history = page.locator('cs-history-list')
    await history.getByRole('button', { name: 'Edit' }).click()
    const draft = history.getByLabel('Message (JSON)')
    expect(JSON.parse(await filledIn(draft))).toEqual({ text: 'to be changed' })
    await draft.fill('{"text": ')
    await history.getByRole('button', { name: 'Save' }).click()
    await history.getByRole('alert').getByText('Invalid JSON').waitFor()
    await draft.fill('{"text": "changed"}')
    await history.getByRole('button', { name: 'Save' }).click()
    await history.getByText('changed', { exact: true }).waitFor()
    await history.getByText('edited').waitFor()
    await hears(client, { type: 'message:edit', message: { text: 'changed' } })
  })

  it('changes no digit of numbers, whoever posted them', async () => {
    const { room, backend } = await newRoom()
    const client = await connectedClient(server, 'reader', room)
    const id = '1234567890123456789'
    const body = `[{"user":"bob","channel":"${room}","message":{"id":${id},"text":"x"}}]`
    await backend.send('POST /message', { body })
    const page = await openPanel(`#/channel/${room}`)
    const history = page.locator('cs-history-list')
    await history.getByText(id).waitFor()
    await history.getByRole('button', { name: 'Edit' }).click()
    const draft = history.getByLabel('Message (JSON)')
    await draft.fill((await filledIn(draft)).replace('"x"', '1e400'))
    await history.getByRole('button', { name: 'Save' }).click()
    await hears(client, { type: 'message:edit' })
    expect(client.frames.join()).toContain(`"message":{"id":${id},"text":1e400}`)

    await goTo(page, '#/user/ann')
    await page.getByLabel('Key').fill('big')
    await page.getByLabel('Value').fill(id)
    await page.getByRole('button', { name: 'Set' }).click()
    await page.getByText('big', { exact: true }).waitFor()
    await page.getByText(id, { exact: true }).waitFor()
    expect((await backend.send('GET /info')).text).toContain(`"big":${id}`)
  })

  it('has messages that can be deleted, after a question', async () => {
    const { room, backend } = await newRoom()
    const client = await connectedClient(server, 'reader', room)
    await backend.say(room, 'to be deleted')
    const page = await openPanel(`#/channel/${room}`)
    const history = page.locator('cs-history-list')
    const remove = history.getByRole('button', { name: 'Delete' })
    await remove.first().click()
    await history.getByRole('button', { name: 'Cancel' }).click()
    expect((await backend.info()).channels[room]?.history).toHaveLength(1)
    await remove.first().click()
    await history.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await history.getByText('No messages yet.').waitFor()
    expect((await backend.info()).channels[room]?.history).toHaveLength(0)
    await hears(client, { type: 'message:delete' })
  })

  it('keeps private messages private when they are changed', async () => {
    const { room, backend } = await newRoom()
    const reader = await connectedClient(server, 'reader', room)
    await backend.say(room, 'a secret', { pm_users: ['ann'] })
    const page = await openPanel(`#/channel/${room}`)
    const history = page.locator('cs-history-list')
    await history.getByRole('button', { name: 'Edit' }).click()
    await history.getByLabel('Message (JSON)').fill('{"text": "still a secret"}')
    await history.getByRole('button', { name: 'Save' }).click()
    await history.getByText('still a secret').waitFor()
    await backend.say(room, 'for everyone')
    await hears(reader, { type: 'message', message: { text: 'for everyone' } })
    expect(JSON.stringify(reader.events)).not.toContain('secret')
  })

  it('shows its members, and that it is not known', async () => {
    const { room } = await newRoom()
    const page = await openPanel(`#/channel/${room}`)
    await page.locator('cs-member-list').getByText('ann').click()
    await page.getByRole('heading', { name: 'ann' }).waitFor()
    await goTo(page, '#/channel/nowhere')
    await page.getByText('Channel not found').waitFor()
  })
})

describe('a user', () => {
  it('shows the state, and can be given more of it', async () => {
    const { backend } = await newRoom()
    const page = await openPanel('#/user/ann')
    await page.getByText('"good"').waitFor()
    await page.getByText('public', { exact: true }).waitFor()
    await page.getByLabel('Key').fill('level')
    await page.getByLabel('Value').fill('7')
    await page.getByRole('button', { name: 'Set' }).click()
    await page.getByText('level').waitFor()
    const ann = (await backend.info()).users.find(({ user }) => user === 'ann')
    expect(ann?.state).toMatchObject({ level: 7 })
    await screenshot(page, 'user')
  })

  it('can be disconnected, after a question', async () => {
    const { room } = await newRoom()
    const client = await connectedClient(server, 'leaver', room)
    const page = await openPanel('#/users')
    await page.getByLabel('Search users by name').fill('LEAV')
    await page.getByText('1 found').waitFor()
    await page.getByRole('row', { name: 'leaver' }).click()
    await page.getByRole('button', { name: /^Disconnect/ }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Disconnect' }).click()
    await page.getByText('Not connected.').waitFor()
    expect((await client.closed).code).toBe(1000)
  })
})

describe('the form', () => {
  it('sends a message to a channel', async () => {
    const { room, backend } = await newRoom()
    const page = await openPanel(`#/channel/${room}`)
    await page.getByRole('link', { name: 'Send a message' }).click()
    expect(await page.getByRole('textbox', { name: 'Channel' }).inputValue()).toBe(room)
    await page.getByLabel('Text').fill('from the panel')
    await page.getByRole('button', { name: 'Send', exact: true }).click()
    await page.getByText(`Sent to ${room}`).waitFor()
    const { history } = (await backend.info()).channels[room] ?? {}
    expect(history?.at(-1)).toMatchObject({ user: 'admin', message: { text: 'from the panel' } })
    await screenshot(page, 'send')
  })

  it('sends JSON to users in private, and tells what is wrong', async () => {
    const { room } = await newRoom()
    const client = await connectedClient(server, 'listener', room)
    const page = await openPanel('#/send')
    await page.getByLabel('Users (private message)').check()
    await page.getByLabel('Users, one per line').fill('listener\nnobody')
    await page.getByLabel('Send as JSON').check()
    const message = page.getByLabel('Message (JSON)')
    const send = page.getByRole('button', { name: 'Send', exact: true })
    await message.fill('{')
    await send.click()
    await page.getByRole('alert').getByText('The message is not valid JSON').waitFor()
    await message.fill('[1]')
    await send.click()
    await page.getByRole('alert').getByText('message: Not a valid mapping type.').waitFor()
    await message.fill('{"kind": "ping"}')
    await send.click()
    await page.getByText('Sent').waitFor()
    await hears(client, { type: 'message', channel: null, message: { kind: 'ping' } })
  })
})

describe('an address', () => {
  it('that leads nowhere says so', async () => {
    const page = await openPanel('#/send')
    await page.getByLabel('Text').waitFor()
    await goTo(page, '#/nowhere/at%all')
    await page.getByText('Page not found').waitFor()
  })
})
