import { afterAll, describe, expect, it } from 'vitest'
import { Demo, Person } from './demo.ts'
import { VIEWPORT, useBrowser } from '../helpers/browser.ts'
import { accessibilityFaults } from '../helpers/axe.ts'
import { killProcesses } from '../helpers/process.ts'
import { until } from '../helpers/http.ts'
import type { TestPage } from '../helpers/browser.ts'

const browser = useBrowser()
afterAll(killProcesses)

const HOSTILE = '<img src=x onerror="window.hit=1">'
const hits = (page: TestPage): Promise<unknown> =>
  page.evaluate(() => (globalThis as { hit?: unknown }).hit)

async function annAndBob(options: { query?: string } = {}) {
  const demo = await Demo.chat()
  const ann = await Person.enter(browser, demo, 'Ann', options)
  const bob = await Person.enter(browser, demo, 'Bob', options)
  return { demo, ann, bob }
}

describe('two people in the chat', { timeout: 90_000 }, () => {
  it('see what the other says, once, and what was said before they came', async () => {
    const { demo, ann, bob } = await annAndBob()
    await ann.say('hello, Bob')
    await bob.sees('hello, Bob')
    await bob.say('hello, Ann')
    await ann.sees('hello, Ann')
    await ann.hasSent()
    expect(await ann.texts()).toEqual(['hello, Bob', 'hello, Ann'])
    expect(await bob.texts()).toEqual(['hello, Bob', 'hello, Ann'])
    const cem = await Person.enter(browser, demo, 'Cem')
    await cem.sees('hello, Bob')
    expect(await cem.texts()).toEqual(['hello, Bob', 'hello, Ann'])
  })

  it('change and take back what they said, and nothing else', async () => {
    const { demo, ann, bob } = await annAndBob()
    await ann.say('helo')
    await ann.say('secret')
    await bob.sees('secret')
    await ann.hasSent()
    await ann.message('helo').hover()
    await ann.message('helo').getByRole('button', { name: 'Edit' }).click()
    await ann.page.getByLabel('Change your message').fill('hello')
    await ann.page.keyboard.press('Enter')
    await bob.sees('hello (edited)')
    await ann.message('secret').hover()
    await ann.message('secret').getByRole('button', { name: 'Delete' }).click()
    await ann.message('secret').getByRole('button', { name: 'Really?' }).click()
    await bob.message('secret').waitFor({ state: 'detached' })
    expect(await bob.texts()).toEqual(['hello (edited)'])

    // The page offers no more, and the backend refuses it all the same.
    expect(await bob.message('hello').getByRole('button').count()).toBe(0)
    const uuid = await bob.message('hello').getAttribute('data-uuid')
    for (const action of ['edit', 'delete']) {
      const data = { uuid, text: 'forged' }
      const answer = await bob.page.request.post(`${demo.url}/chat/api/${action}`, { data })
      expect(answer.status(), action).toBe(403)
    }
    expect(await ann.texts()).toEqual(['hello (edited)'])
  })

  it('write to each other alone: nobody else gets it, then or later', async () => {
    const { demo, ann, bob } = await annAndBob()
    const frames: string[] = []
    const cem = await browser.newPage()
    cem.on('websocket', (socket) =>
      socket.on('framereceived', ({ payload }) => frames.push(String(payload))),
    )
    cem.on('response', (response) => {
      if (response.url().includes('/api/'))
        void response.text().then((text) => frames.push(text), String)
    })
    await cem.goto(`${demo.url}/chat/`)
    await cem.getByLabel('Your name').fill('Cem')
    await cem.getByRole('button', { name: 'Enter' }).click()
    await ann.page.locator('#users').getByText('Cem').waitFor()

    await ann.talkTo('Bob')
    await ann.say('between us')
    await bob.place('Ann').locator('.count').waitFor()
    await bob.place('Ann').click()
    await bob.sees('between us')
    await bob.say('our secret')
    await ann.sees('our secret')
    await ann.openChannel('lobby')
    await ann.say('for all')
    await cem.locator('.message', { hasText: 'for all' }).waitFor()
    await cem.reload()
    await cem.locator('.message', { hasText: 'for all' }).waitFor()
    expect(frames.join()).toContain('for all')
    expect(frames.join()).not.toMatch(/between us|our secret/)
  })

  it('see who is there, how they are, and who is writing', async () => {
    const { ann, bob } = await annAndBob()
    const bobsLine = ann.page.locator('#users .person', { hasText: 'Bob' })
    await bobsLine.waitFor()
    await bob.setStatus('Busy', 'Back at three')
    await bobsLine.getByText('Back at three').waitFor()
    await bobsLine.locator('[data-colour="red"]').waitFor()
    await bob.page.locator('#said').pressSequentially('I think')
    await ann.page.getByText('Bob is writing…').waitFor()
    await bob.say('that is it')
    await ann.sees('that is it')
    expect(await ann.page.locator('#typing').innerText()).toBe('')
    await bob.page.close()
    await bobsLine.waitFor({ state: 'detached' })
  })

  it('make channels, see what is new in others, and leave', async () => {
    const { ann, bob } = await annAndBob()
    await ann.join('garden')
    await bob.join('garden')
    await bob.openChannel('lobby')
    await ann.say('roses')
    await bob.place('garden').locator('.count').waitFor()
    await until(async () => /^\(1\) /.test(await bob.page.title()), 'the number in the title')
    await bob.openChannel('garden')
    await bob.sees('roses')
    await bob.place('garden').locator('.count').waitFor({ state: 'detached' })
    await bob.page.getByRole('button', { name: 'Leave' }).click()
    await bob.place('garden').waitFor({ state: 'detached' })
    await ann.page.locator('#users .person', { hasText: 'Bob' }).waitFor({ state: 'detached' })

    await bob.say('goodbye')
    await bob.sees('goodbye')
    for (const name of ['lobby', 'random']) {
      await bob.openChannel(name)
      await bob.page.getByRole('button', { name: 'Leave' }).click()
      await bob.place(name).waitFor({ state: 'detached' })
    }
    await bob.page.getByText('Join a channel, or write to somebody.').waitFor()
    expect(await bob.texts()).toEqual([])
    expect(await bob.page.locator('#said').isDisabled()).toBe(true)
    await bob.page.shoot('chat-nowhere')
    await bob.page.keyboard.press('Alt+ArrowDown')
    await bob.join('lobby')
    await bob.sees('goodbye')
  })

  it('are who they say: a name that is taken is refused', async () => {
    const { demo } = await annAndBob()
    const page = await browser.newPage({ expected: /409/ })
    await page.goto(`${demo.url}/chat/`)
    await page.getByLabel('Your name').fill('ANN')
    await page.getByRole('button', { name: 'Enter' }).click()
    await page.getByText('That name is taken. Choose another.').waitFor()
  })

  it('get by with long polls', async () => {
    const { ann, bob } = await annAndBob({ query: '?transport=poll' })
    const sockets: string[] = []
    ann.page.on('websocket', (socket) => sockets.push(socket.url()))
    await ann.say('by poll')
    await bob.sees('by poll')
    await bob.say('me too')
    await ann.sees('me too')
    expect(sockets).toEqual([])
  })
})

describe('when the server is killed and comes back', { timeout: 90_000 }, () => {
  it.each([
    ['WebSockets', ''],
    ['long polls', '?transport=poll'],
  ])('people with %s come back, and nothing is lost or doubled', async (_name, query) => {
    const { demo, ann, bob } = await annAndBob({ query })
    await ann.say('before')
    await bob.sees('before')
    await demo.kill()
    await ann.page.getByText('The connection is lost.').waitFor()
    await ann.page.getByText(/Next attempt in \d+ s/).waitFor()
    await ann.page.screenshot({ path: 'test-results/chat-lost.png' })
    await ann.say('while it was away')
    // What cannot be changed now is not lost either.
    await ann.page.keyboard.press('ArrowUp')
    const change = ann.page.getByLabel('Change your message')
    await change.fill('before all')
    await change.press('Enter')
    expect(await change.inputValue()).toBe('before all')
    await demo.restart()
    await Promise.all([ann.isConnected(), bob.isConnected()])
    await ann.hasSent()
    await bob.sees('while it was away')
    await bob.say('after')
    await ann.sees('after')
    await change.waitFor({ state: 'detached' })
    const all = ['before all (edited)', 'while it was away', 'after']
    expect(await ann.texts()).toEqual(all)
    expect(await bob.texts()).toEqual(all)
    await ann.page.locator('#users .person', { hasText: 'Bob' }).waitFor()
  })
})

describe('what is hostile', { timeout: 90_000 }, () => {
  it('is shown as text: names, channels, messages, statuses', async () => {
    const demo = await Demo.chat()
    const eve = await Person.enter(browser, demo, '<b onmouseover=hit=1>Eve')
    const bob = await Person.enter(browser, demo, 'Bob')
    await eve.say(HOSTILE)
    await eve.say('<script>window.hit=1</script>')
    await bob.sees(HOSTILE)
    await bob.sees('<script>')
    await eve.join('<img src=x onerror=hit=1>')
    await bob.join('<img src=x onerror=hit=1>')
    await eve.setStatus('Away', '<svg onload=hit=1>')
    await bob.page.getByText('<svg onload=hit=1>').waitFor()
    await eve.page.locator('#users').getByText('Bob').waitFor()
    for (const { page } of [eve, bob]) {
      expect(await hits(page)).toBeUndefined()
      expect(await page.locator('#chat :is(img, svg, script, b)').count()).toBe(0)
    }
    await bob.page.screenshot({ path: 'test-results/chat-hostile.png' })
  })

  it('is refused where it cannot be meant', async () => {
    const demo = await Demo.chat()
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
    // More channels than the backend takes at once would keep the page from ever connecting again.
    const names = Array.from({ length: 60 }, (_, at) => `room ${at}`)
    await page.evaluate(`localStorage.setItem('channels', '${JSON.stringify(names)}')`)
    await page.reload()
    await eve.isConnected()
    await page.getByRole('button', { name: 'Join a channel' }).click()
    await page.getByLabel('Name of a channel').fill('one more')
    await page.keyboard.press('Enter')
    await page.getByText('You are in 50 channels. Leave one first.').waitFor()
    // Whoever signs out leaves messages behind, which are nobody else's.
    expect(await post('sign-out', {})).toBe(200)
    expect(await post('overview', { channels: [] })).toBe(401)
    expect(await post('sign-in', { name: 'eve' })).toBe(409)
  })
})

describe('the page', { timeout: 90_000 }, () => {
  it('can be used with the keyboard alone', async () => {
    const demo = await Demo.chat()
    const bob = await Person.enter(browser, demo, 'Bob')
    const page = await browser.newPage()
    const { keyboard } = page
    await page.goto(`${demo.url}/chat/`)
    await page.locator('#your-name:focus').waitFor()
    await keyboard.type('Ann')
    await keyboard.press('Enter')
    await page.locator('#said:focus').waitFor()
    await page.locator('#users').getByText('Bob').waitFor()
    await keyboard.type('typo')
    await keyboard.press('Enter')
    await page.locator('.message.sent', { hasText: 'typo' }).waitFor()
    await keyboard.press('ArrowUp')
    await page.getByLabel('Change your message').waitFor()
    await keyboard.press('Control+A')
    await keyboard.type('right')
    await keyboard.press('Enter')
    await bob.sees('right (edited)')
    await page.locator('#said:focus').waitFor()
    await keyboard.press('ArrowUp')
    await keyboard.type(', or not')
    await keyboard.press('Escape')
    await page.getByLabel('Change your message').waitFor({ state: 'detached' })
    await page.locator('#said:focus').waitFor()
    await keyboard.press('Control+k')
    await page.locator('#channel-name:focus').waitFor()
    await keyboard.type('garden')
    await keyboard.press('Enter')
    await page.locator('#title', { hasText: 'garden' }).waitFor()
    await page.locator('#said:focus').waitFor()
    await keyboard.press('Alt+ArrowDown')
    await page.locator('#title', { hasText: 'lobby' }).waitFor()

    // Back from the field: to the message's buttons, and to what they do.
    await keyboard.press('Shift+Tab')
    await page.getByRole('button', { name: 'Delete' }).and(page.locator(':focus')).waitFor()
    await keyboard.press('Enter')
    await keyboard.press('Enter')
    await bob.message('right').waitFor({ state: 'detached' })
    await page.locator('#said:focus').waitFor()

    await page.locator('#keys-button').focus()
    await keyboard.press('Enter')
    await page.getByText('Change your last message').waitFor()
    await keyboard.press('Escape')
    await page.locator('#keys-button:focus').waitFor()
  })

  it.each(['desktop', 'phone'] as const)(
    'has no serious fault of accessibility, on a %s',
    async (size) => {
      const demo = await Demo.chat()
      const bob = await Person.enter(browser, demo, 'Bob Brown')
      await bob.say('Good morning! Who is in today?')
      await bob.setStatus('Focused', 'Writing the release notes')
      const page = await browser.newPage({ viewport: VIEWPORT[size] })
      const look = async (what: string): Promise<void> => {
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme })
          await page.shoot(`chat-${size}-${colorScheme}-${what}`)
          expect(await accessibilityFaults(page), `${what}, ${colorScheme}`).toEqual([])
        }
      }
      await page.goto(demo.url)
      await look('index')
      await page.getByRole('link', { name: 'Chat' }).click()
      await page.locator('#welcome').waitFor()
      await look('welcome')
      await page.getByLabel('Your name').fill('Ann')
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
    const demo = await Demo.chat()
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
    await page.getByText('Mara Lind is writing…').waitFor()
    await page.mouse.move(0, 0)
    await page.shoot('chat')
  })
})
