import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectAccessible } from '../helpers/axe.ts'
import { VIEWPORT, useBrowser } from '../helpers/browser.ts'
import { until } from '../helpers/http.ts'
import { killProcesses } from '../helpers/process.ts'
import { Demo, Person, beginIn, useChat } from './demo.ts'
import type { TestPage } from '../helpers/browser.ts'

const browser = useBrowser()
afterAll(killProcesses)

const HOSTILE = '<img src=x onerror="window.hit=1">'
const hits = (page: TestPage): Promise<unknown> =>
  page.evaluate(() => (globalThis as { hit?: unknown }).hit)

const chat = useChat()
/** Two users who are present from the start, for tests that only need other people. */
let ann: Person
let bob: Person
beforeAll(async () => {
  ann = await Person.enter(browser, chat(), 'Ann')
  bob = await Person.enter(browser, chat(), 'Bob')
})

/** Returns unique channel and user names for a test. The channels sort before `random`. */
let letter = 'A'
function ownRoom() {
  const own = letter
  letter = String.fromCharCode(letter.charCodeAt(0) + 1)
  return { room: `nook ${own}`, nameOf: (name: string) => `${name} ${own}` }
}

/** Ann and Bob in a channel only for them. */
async function annAndBob() {
  const own = ownRoom()
  await ann.join(own.room)
  await bob.join(own.room)
  return own
}

/** Two new users who are in one channel only. */
async function newcomers({ demo = chat(), query = '' } = {}) {
  const { room, nameOf } = ownRoom()
  const one = await Person.enter(browser, demo, nameOf('Cem'), { query, room })
  const other = await Person.enter(browser, demo, nameOf('Dea'), { query, room })
  return { room, one, other }
}

describe('two people in the chat', { timeout: 90_000 }, () => {
  it('see what the other says, once, and what was said before they came', async () => {
    const { room, nameOf } = await annAndBob()
    await ann.say('hello, Bob')
    await bob.sees('hello, Bob')
    await bob.say('hello, Ann')
    await ann.sees('hello, Ann')
    await ann.hasSent()
    expect(await ann.texts()).toEqual(['hello, Bob', 'hello, Ann'])
    expect(await bob.texts()).toEqual(['hello, Bob', 'hello, Ann'])
    const cem = await Person.enter(browser, chat(), nameOf('Cem'), { room })
    await cem.sees('hello, Bob')
    expect(await cem.texts()).toEqual(['hello, Bob', 'hello, Ann'])
  })

  it('change and take back what they said, and nothing else', async () => {
    await annAndBob()
    await ann.say('helo')
    await ann.say('secret')
    await bob.sees('secret')
    await ann.hasSent()
    await ann.message('helo').hover()
    await ann.message('helo').getByRole('button', { name: 'Edit' }).click()
    await ann.page.getByLabel('Edit message').fill('hello')
    await ann.page.keyboard.press('Enter')
    await bob.sees('hello (edited)')
    await ann.message('secret').hover()
    await ann.message('secret').getByRole('button', { name: 'Delete' }).click()
    await ann.message('secret').getByRole('button', { name: 'Really?' }).click()
    await bob.message('secret').waitFor({ state: 'detached' })
    expect(await bob.texts()).toEqual(['hello (edited)'])

    // The page does not offer it, and the backend refuses it as well.
    expect(await bob.message('hello').getByRole('button').count()).toBe(0)
    const uuid = await bob.message('hello').getAttribute('data-uuid')
    for (const action of ['edit', 'delete']) {
      const data = { uuid, text: 'forged' }
      const answer = await bob.page.request.post(`${chat().url}/chat/api/${action}`, { data })
      expect(answer.status(), action).toBe(403)
    }
    expect(await ann.texts()).toEqual(['hello (edited)'])
  })

  it('write to each other alone: nobody else gets it, then or later', async () => {
    const { room, nameOf } = await annAndBob()
    const frames: string[] = []
    const cem = await browser.newPage()
    await beginIn(cem, room)
    cem.on('websocket', (socket) =>
      socket.on('framereceived', ({ payload }) => frames.push(String(payload))),
    )
    cem.on('response', (response) => {
      if (response.url().includes('/api/'))
        void response.text().then((text) => frames.push(text), String)
    })
    await cem.goto(`${chat().url}/chat/`)
    await cem.getByLabel('Your name').fill(nameOf('Cem'))
    await cem.getByRole('button', { name: 'Enter' }).click()
    await ann.page.locator('#users').getByText(nameOf('Cem')).waitFor()

    await ann.talkTo(bob.name)
    await ann.say('between us')
    await bob.place(ann.name).locator('.count').waitFor()
    await bob.place(ann.name).click()
    await bob.sees('between us')
    await bob.say('our secret')
    await ann.sees('our secret')
    await ann.openChannel(room)
    await ann.say('for all')
    await cem.locator('.message', { hasText: 'for all' }).waitFor()
    await cem.reload()
    await cem.locator('.message', { hasText: 'for all' }).waitFor()
    expect(frames.join()).toContain('for all')
    expect(frames.join()).not.toMatch(/between us|our secret/)
  })

  it('see who is there, how they are, and who is writing', async () => {
    const { room, nameOf } = await annAndBob()
    const cem = await Person.enter(browser, chat(), nameOf('Cem'), { room })
    const cemsLine = ann.page.locator('#users .person', { hasText: cem.name })
    await cemsLine.waitFor()
    await cem.setStatus('Busy', 'Back at three')
    await cemsLine.getByText('Back at three').waitFor()
    await cemsLine.locator('[data-colour="red"]').waitFor()
    await cem.page.locator('#said').pressSequentially('I think')
    await ann.page.getByText(`${cem.name} is typing…`).waitFor()
    await cem.say('that is it')
    await ann.sees('that is it')
    expect(await ann.page.locator('#typing').innerText()).toBe('')
    await cem.page.close()
    await cemsLine.waitFor({ state: 'detached' })
  })

  it('make channels, see what is new in others, and leave', async () => {
    const { room, one, other } = await newcomers()
    await one.join('garden')
    await other.join('garden')
    await other.openChannel(room)
    await one.say('roses')
    await other.place('garden').locator('.count').waitFor()
    await until(async () => /^\(1\) /.test(await other.page.title()), 'the number in the title')
    await other.openChannel('garden')
    await other.sees('roses')
    await other.place('garden').locator('.count').waitFor({ state: 'detached' })
    await other.page.getByRole('button', { name: 'Leave' }).click()
    await other.place('garden').waitFor({ state: 'detached' })
    await one.page.locator('#users .person', { hasText: other.name }).waitFor({ state: 'detached' })

    await other.say('goodbye')
    await other.sees('goodbye')
    for (const name of [room, 'random']) {
      await other.openChannel(name)
      await other.page.getByRole('button', { name: 'Leave' }).click()
      await other.place(name).waitFor({ state: 'detached' })
    }
    await other.page.getByText('Join a channel or start a private conversation.').waitFor()
    expect(await other.texts()).toEqual([])
    expect(await other.page.locator('#said').isDisabled()).toBe(true)
    await other.page.shoot('chat-nowhere')
    await other.page.keyboard.press('Alt+ArrowDown')
    await other.join(room)
    await other.sees('goodbye')
  })

  it('are who they say: a name that is taken is refused', async () => {
    const page = await browser.newPage({ expected: /409/ })
    await page.goto(`${chat().url}/chat/`)
    await page.getByLabel('Your name').fill(ann.name.toUpperCase())
    await page.getByRole('button', { name: 'Enter' }).click()
    await page.getByText('That name is taken. Choose another.').waitFor()
  })

  it('get by with long polls', async () => {
    const { one, other } = await newcomers({ query: '?transport=poll' })
    const sockets: string[] = []
    one.page.on('websocket', (socket) => sockets.push(socket.url()))
    await one.say('by poll')
    await other.sees('by poll')
    await other.say('me too')
    await one.sees('me too')
    expect(sockets).toEqual([])
  })
})

describe('when the server is killed and comes back', { timeout: 90_000 }, () => {
  it.each([
    ['WebSockets', ''],
    ['long polls', '?transport=poll'],
  ])('people with %s come back, and nothing is lost or doubled', async (_name, query) => {
    const demo = await Demo.newChat()
    const { one, other } = await newcomers({ demo, query })
    await one.say('before')
    await other.sees('before')
    await demo.kill()
    await one.page.getByText('Connection lost.').waitFor()
    await one.page.getByText(/Next attempt in \d+ s/).waitFor()
    await one.page.shoot('chat-lost')
    await one.say('while it was away')
    // An edit that fails is not lost either.
    await one.page.keyboard.press('ArrowUp')
    const change = one.page.getByLabel('Edit message')
    await change.fill('before all')
    await change.press('Enter')
    expect(await change.inputValue()).toBe('before all')
    await demo.restart()
    await Promise.all([one.isConnected(), other.isConnected()])
    await one.hasSent()
    await other.sees('while it was away')
    await other.say('after')
    await one.sees('after')
    await change.waitFor({ state: 'detached' })
    const all = ['before all (edited)', 'while it was away', 'after']
    expect(await one.texts()).toEqual(all)
    expect(await other.texts()).toEqual(all)
    await one.page.locator('#users .person', { hasText: other.name }).waitFor()
  })
})

describe('what is hostile', { timeout: 90_000 }, () => {
  it('is shown as text: names, channels, messages, statuses', async () => {
    const { room } = await annAndBob()
    const eve = await Person.enter(browser, chat(), '<b onmouseover=hit=1>Eve', { room })
    await eve.say(HOSTILE)
    await eve.say('<script>window.hit=1</script>')
    await bob.sees(HOSTILE)
    await bob.sees('<script>')
    await eve.join('<img src=x onerror=hit=1>')
    await bob.join('<img src=x onerror=hit=1>')
    await eve.setStatus('Away', '<svg onload=hit=1>')
    await bob.page.getByText('<svg onload=hit=1>').waitFor()
    await eve.page.locator('#users').getByText(bob.name).waitFor()
    for (const { page } of [eve, bob]) {
      expect(await hits(page)).toBeUndefined()
      expect(await page.locator('#chat :is(img, svg, script, b)').count()).toBe(0)
    }
    await bob.page.shoot('chat-hostile')
  })

  it('is refused where it cannot be meant', async () => {
    const demo = chat()
    const eve = await Person.enter(browser, demo, 'Eve')
    const { page } = eve
    const post = async (action: string, data: unknown, headers = {}) =>
      (await page.request.post(`${demo.url}/chat/api/${action}`, { data, headers })).status()
    const uuid = crypto.randomUUID()
    expect(await post('say', { uuid, channel: 'lobby', text: ' ' })).toBe(422)
    expect(await post('say', { uuid: 'x', channel: 'lobby', text: 'hi' })).toBe(422)
    expect(await post('say', { uuid, channel: 'a\u202Eb', text: 'hi' })).toBe(422)
    expect(await post('say', { uuid, channel: 'lobby', text: 'x'.repeat(2001) })).toBe(422)
    expect(await post('profile', { colour: 'url(x)', status: '' })).toBe(422)
    expect(await post('connect', { channels: 'lobby' })).toBe(422)
    expect(await post('connect', ['x'.repeat(40_000)])).toBe(413)
    expect(await post('profile', { colour: 'red', status: 'a\u200Db' })).toBe(422)
    expect(await post('profile', { colour: 'red', status: 'at home 👩🏽‍💻👩‍👩‍👧❤️‍🔥' })).toBe(200)
    expect(await post('__proto__', {})).toBe(404)
    expect(await post('session', {}, { 'sec-fetch-site': 'same-site' })).toBe(403)
    expect(await post('overview', { channels: [] }, { cookie: 'demo_chat=x.y.z' })).toBe(401)
    expect((await page.request.get(`${demo.url}/chat/../server.mjs`)).status()).toBe(404)
    // With more channels than the backend accepts at once, the page could never connect again.
    const names = Array.from({ length: 60 }, (_, at) => `room ${at}`)
    await page.evaluate(`localStorage.setItem('channels', '${JSON.stringify(names)}')`)
    await page.reload()
    await eve.isConnected()
    await page.getByRole('button', { name: 'Join a channel' }).click()
    await page.getByLabel('Channel name').fill('one more')
    await page.keyboard.press('Enter')
    await page.getByText('You are in 50 channels. Leave one first.').waitFor()
    // The messages of a user who signs out must not become those of another user.
    expect(await post('sign-out', {})).toBe(200)
    expect(await post('overview', { channels: [] })).toBe(401)
    expect(await post('sign-in', { name: 'eve' })).toBe(409)
  })
})

describe('the page', { timeout: 90_000 }, () => {
  it('can be used with the keyboard alone', async () => {
    const { room, nameOf } = await annAndBob()
    const page = await browser.newPage()
    await beginIn(page, room)
    const { keyboard } = page
    await page.goto(`${chat().url}/chat/`)
    await page.locator('#your-name:focus').waitFor()
    await keyboard.type(nameOf('Ann'))
    await keyboard.press('Enter')
    await page.locator('#said:focus').waitFor()
    await page.locator('#users').getByText(bob.name).waitFor()
    await keyboard.type('typo')
    await keyboard.press('Enter')
    await page.locator('.message.sent', { hasText: 'typo' }).waitFor()
    await keyboard.press('ArrowUp')
    await page.getByLabel('Edit message').waitFor()
    await keyboard.press('Control+A')
    await keyboard.type('right')
    await keyboard.press('Enter')
    await bob.sees('right (edited)')
    await page.locator('#said:focus').waitFor()
    await keyboard.press('ArrowUp')
    await keyboard.type(', or not')
    await keyboard.press('Escape')
    await page.getByLabel('Edit message').waitFor({ state: 'detached' })
    await page.locator('#said:focus').waitFor()
    await keyboard.press('Control+k')
    await page.locator('#channel-name:focus').waitFor()
    await keyboard.type('meadow')
    await keyboard.press('Enter')
    await page.locator('#title', { hasText: 'meadow' }).waitFor()
    await page.locator('#said:focus').waitFor()
    await keyboard.press('Alt+ArrowDown')
    await page.locator('#title', { hasText: room }).waitFor()

    // Back from the field to the message's buttons.
    await keyboard.press('Shift+Tab')
    await page.getByRole('button', { name: 'Delete' }).and(page.locator(':focus')).waitFor()
    await keyboard.press('Enter')
    await keyboard.press('Enter')
    await bob.message('right').waitFor({ state: 'detached' })
    await page.locator('#said:focus').waitFor()

    await page.locator('#keys-button').focus()
    await keyboard.press('Enter')
    await page.getByText('Edit your last message').waitFor()
    await keyboard.press('Escape')
    await page.locator('#keys-button:focus').waitFor()
  })

  it.each(['desktop', 'phone'] as const)(
    'has no serious fault of accessibility, on a %s',
    async (size) => {
      const { room, nameOf } = await annAndBob()
      await bob.say('Good morning! Who is in today?')
      await bob.setStatus('Focused', 'Writing the release notes')
      const page = await browser.newPage({ viewport: VIEWPORT[size] })
      await beginIn(page, room)
      const look = (what: string): Promise<void> => expectAccessible(page, `chat-${size}-${what}`)
      await page.goto(chat().url)
      await look('index')
      await page.getByRole('link', { name: 'Chat' }).click()
      await page.locator('#welcome').waitFor()
      await look('welcome')
      await page.getByLabel('Your name').fill(nameOf('Ann'))
      await page.getByRole('button', { name: 'Enter' }).click()
      await page.locator('.message', { hasText: 'Good morning!' }).waitFor()
      await page.locator('#said').fill('I am. Coffee in ten minutes?')
      await page.keyboard.press('Enter')
      await page.locator('.message.own.sent').waitFor()
      await look('talk')
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
      if (size === 'phone') {
        await page.getByRole('button', { name: 'People' }).click()
        await look('people')
        await page.locator('#from-people').click()
        await page.getByRole('button', { name: 'Channels' }).click()
        await look('places')
      }
      await page.locator('#me').click()
      await look('status')
      await page.keyboard.press('Escape')
      await page.getByRole('button', { name: 'Join a channel' }).click()
      await page.locator('#all-channels li').first().waitFor()
      await look('join')
      await page.keyboard.press('Escape')
      await page.locator('#keys-button').click()
      await look('keys')
    },
  )

  it('looks as docs/chat.png shows it', async () => {
    const demo = await Demo.newChat()
    const mara = await Person.enter(browser, demo, 'Mara Lind')
    const jon = await Person.enter(browser, demo, 'Jón')
    const priya = await Person.enter(browser, demo, 'Priya Nair')
    const page = await browser.newPage()
    await mara.setStatus('Focused', 'Release notes until noon')
    await jon.setStatus('Away', 'Lunch')
    await mara.say('Good morning! The new build is on staging. Could somebody try the mobile view?')
    await priya.sees('Good morning!')
    await priya.say('On it. Two phones and one very old tablet.')
    await jon.sees('On it.')
    await jon.say('I restarted the server while you were at it. Did you notice?')
    await mara.sees('I restarted')
    await mara.say('I saw the banner count down for a second, then everything was there again.')
    await mara.say('Nothing lost, nothing twice.')
    await priya.sees('Nothing lost')
    await priya.join('design')
    await mara.join('design')
    await page.goto(`${demo.url}/chat/`)
    await page.getByLabel('Your name').fill('Sam')
    await page.getByRole('button', { name: 'Enter' }).click()
    const sam = page.locator('#said')
    await page.locator('.message', { hasText: 'Nothing lost' }).waitFor()
    await sam.fill('Then we ship it this afternoon. Thank you all!')
    await page.keyboard.press('Enter')
    await page.locator('.message.own.sent').waitFor()
    await priya.openChannel('lobby')
    await priya.talkTo('Sam')
    await priya.say('The tablet works, too.')
    await page.locator('#directs .count').waitFor()
    await mara.openChannel('lobby')
    await mara.page.locator('#said').pressSequentially('Cake')
    await page.getByText('Mara Lind is typing…').waitFor()
    await page.mouse.move(0, 0)
    await page.shoot('chat')
  })
})
