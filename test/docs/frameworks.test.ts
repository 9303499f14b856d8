/** The apps of docs/frameworks/: what visitors can do by HTTP, and what they see in a browser. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { useBrowser } from '../helpers/browser.ts'
import { INSTALL_TIMEOUT_MS } from '../helpers/debian-packages.ts'
import { Backend, send } from '../helpers/http.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import { FRAMEWORKS, MAX_CONNECTIONS, SECRET, startSite } from './framework-apps.ts'
import { fencesIn, readPage, sectionOf } from './markdown.ts'
import type { Page } from 'playwright-core'
import type { Answer, Sending } from '../helpers/http.ts'
import type { Site } from './framework-apps.ts'

const browser = useBrowser()
afterAll(closeClients)

/** A visitor of an app by plain HTTP: keeps cookies, and sends the CSRF token of the last page if it had one. */
class Visitor {
  readonly cookies = new Map<string, string>()
  #token: string | undefined

  constructor(private readonly site: Site) {}

  async send(line: string, { headers, ...sending }: Sending = {}): Promise<Answer> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await send(this.site.app, line, { headers: { cookie, ...headers }, ...sending })
    for (const set of answer.headers['set-cookie'] ?? []) {
      expect(set).toMatch(/; samesite=lax/i)
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? []
      this.cookies.set(name, value)
    }
    return answer
  }

  async read(): Promise<string> {
    const { status, text } = await this.send('GET /')
    expect(status).toBe(200)
    const found = /'X-CSRFToken', value: '(\w+)'|name="csrfmiddlewaretoken" value="(\w+)"/.exec(
      text,
    )
    this.#token = found?.[1] ?? found?.[2]
    return text
  }

  /** Posts JSON as the client of the page does. */
  post(path: string, json: object): Promise<Answer> {
    const token = this.#token === undefined ? {} : { 'x-csrftoken': this.#token }
    return this.send(`POST ${path}`, {
      headers: { 'content-type': 'application/json', ...token },
      json,
    })
  }

  /** Submits the form. Resolves with the page that follows. */
  async signIn(name: string): Promise<string> {
    expect(await this.read()).toContain('<form method="post" action="/sign-in">')
    const form = new URLSearchParams({ name, csrfmiddlewaretoken: this.#token ?? '' })
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const answer = await this.send('POST /sign-in', { headers, body: form.toString() })
    expect([302, 303]).toContain(answer.status)
    expect(new URL(answer.headers.location ?? '', this.site.app.url).pathname).toBe('/')
    return this.read()
  }

  /** Gets a conn_id and listens with it. */
  async listen(): Promise<Listener> {
    const wishes = { username: 'mallory', channels: ['staff'] }
    const { status, body } = await this.post('/connect', wishes)
    expect(status).toBe(200)
    const { conn_id, channels, ...others } = body as { conn_id: string; channels: string[] }
    expect(channels).toEqual(['lobby'])
    expect(Object.keys(others).filter((key) => key !== 'user')).toEqual([])
    return Listener.open(this.site.server, conn_id)
  }
}

/** Opens the page in a browser and signs in. Resolves when it listens. */
async function enter(url: string, name: string): Promise<Page> {
  // The test ends a session, which the browser reports.
  const page = await browser.newPage({ expected: /40[13]/ })
  await page.goto(url)
  await page.locator('input[name=name]').fill(name)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.locator('#status', { hasText: 'connected' }).waitFor()
  return page
}

describe.each(FRAMEWORKS)('the app for $name', (framework) => {
  let site: Site | string
  beforeAll(async () => {
    site = await startSite(framework)
    return async () => {
      if (typeof site !== 'string') await site.stop()
    }
  }, INSTALL_TIMEOUT_MS)

  it('connects two visitors, and publishes what one says under their own name', async (context) => {
    if (typeof site === 'string') return context.skip(site)
    const [ann, bob] = [new Visitor(site), new Visitor(site)]
    const page = await ann.signIn('ann <i>')
    expect(page).toContain(`from '${site.server.url}/client/channelstream.js'`)
    expect(page).not.toContain('ann <i>')
    expect(page).not.toContain(SECRET)
    await bob.signIn('bob')
    const listeners = [await ann.listen(), await bob.listen()]
    const { channels } = await new Backend(site.server, SECRET).info()
    expect(Object.keys(channels)).toEqual(['lobby'])
    expect(channels['lobby']?.users).toEqual(['ann <i>', 'bob'])

    const text = '<b>hé</b> \u{1f600}'
    const { status } = await ann.post('/message', { channel: 'lobby', text, user: 'mallory' })
    expect(status).toBe(200)
    for (const listener of listeners) {
      await listener.heard(text)
      expect(listener.of('message')).toMatchObject([{ user: 'ann <i>', channel: 'lobby' }])
    }
  })

  it('refuses who is not signed in, other channels, and what is no message', async (context) => {
    if (typeof site === 'string') return context.skip(site)
    const [ann, stranger] = [new Visitor(site), new Visitor(site)]
    const posted = { channel: 'lobby', text: 'from a stranger' }
    expect(await stranger.read()).not.toContain('channelstream.js')
    expect((await stranger.post('/connect', {})).status).toBe(401)
    expect((await stranger.post('/message', posted)).status).toBe(401)
    await ann.signIn('ann')
    const listener = await ann.listen()
    expect((await ann.post('/message', { channel: 'staff', text: 'elsewhere' })).status).toBe(403)
    for (const body of [{ channel: 'lobby' }, { ...posted, text: 7 }, ['lobby']])
      expect([400, 422]).toContain((await ann.post('/message', body)).status)
    expect((await ann.post('/message', { channel: 'lobby', text: 'the end' })).status).toBe(200)
    await listener.heard('the end')
    expect(listener.texts).toEqual(['the end'])
    const { channels } = await new Backend(site.server, SECRET).info()
    expect(Object.keys(channels)).toEqual(['lobby'])
  })

  it('refuses names that are empty, blank or long', async (context) => {
    if (typeof site === 'string') return context.skip(site)
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    for (const name of ['', ' ', 'n'.repeat(41)]) {
      const visitor = new Visitor(site)
      const [, token = ''] = /csrfmiddlewaretoken" value="(\w+)"/.exec(await visitor.read()) ?? []
      const body = new URLSearchParams({ name, csrfmiddlewaretoken: token }).toString()
      const { status } = await visitor.send('POST /sign-in', { headers, body })
      expect([400, 422]).toContain(status)
      expect((await visitor.post('/connect', {})).status).toBe(401)
    }
  })

  it('answers with an error, and shows no secret, when Channelstream refuses', async (context) => {
    if (typeof site === 'string') return context.skip(site)
    const visitor = new Visitor(site)
    await visitor.signIn('many')
    for (let i = 0; i < MAX_CONNECTIONS; i++)
      expect((await visitor.post('/connect', {})).status).toBe(200)
    const { status, text } = await visitor.post('/connect', {})
    expect([500, 502]).toContain(status)
    expect(text).not.toContain(SECRET)
  })

  it('refuses posts that a page of another site can make, even with the cookie', async (context) => {
    if (typeof site === 'string') return context.skip(site)
    const ann = new Visitor(site)
    await ann.signIn('ann')
    const listener = await ann.listen()
    const forger = new Visitor(site)
    for (const [name, value] of ann.cookies) forger.cookies.set(name, value)
    const body = JSON.stringify({ channel: 'lobby', text: 'from elsewhere' })
    for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
      const headers = {
        'content-type': type,
        'sec-fetch-site': 'cross-site',
        origin: 'http://elsewhere.test',
      }
      const { status } = await forger.send('POST /message', { headers, body })
      // Sinatra answers such a request as if nobody was signed in: 401.
      expect([400, 401, 403, 415, 422]).toContain(status)
    }
    expect((await ann.post('/message', { channel: 'lobby', text: 'the end' })).status).toBe(200)
    await listener.heard('the end')
    expect(listener.texts).toEqual(['the end'])
  })

  it('shows in two browsers what one says, as text, and the form after a sign-out', async (context) => {
    if (typeof site === 'string') return context.skip(site)
    const pages = [await enter(site.app.url, 'ann <i>'), await enter(site.app.url, 'bob')]
    const [ann] = pages
    expect(await ann?.locator('#user').innerText()).toBe('ann <i>')
    await ann?.locator('#text').fill('hello <b>you</b>')
    await ann?.getByRole('button', { name: 'Send' }).click()
    for (const page of pages) {
      await page.locator('#messages li').waitFor()
      expect(await page.locator('#messages').innerText()).toBe('ann <i>: hello <b>you</b>')
    }
    await ann?.context().clearCookies()
    await new Backend(site.server, SECRET).call('POST /disconnect', { username: 'ann <i>' })
    await ann?.locator('input[name=name]').waitFor()
  })
})

describe('docs/frameworks/', () => {
  it('tells versions that the tests have', async () => {
    const table = sectionOf(await readPage('docs/frameworks/README.md'), 'Apps by framework')
    const pinned = await readPage('test/python/requirements.txt')
    for (const [, name = '', version = ''] of table.matchAll(/(Django|Flask|FastAPI) (\d+\.\d+)/g))
      expect(pinned.toLowerCase()).toContain(`\n${name.toLowerCase()}==${version}.`)
    const lock = JSON.parse(await readPage('package-lock.json')) as {
      packages: Record<string, { version: string } | undefined>
    }
    const [, express] = /Express (\d+\.\d+)/.exec(table) ?? []
    expect(lock.packages['node_modules/express']?.version).toMatch(new RegExp(`^${express}\\.`))
  })

  it('names Python packages that the tests have', async () => {
    const pinned = (await readPage('test/python/requirements.txt')).toLowerCase()
    for (const page of ['django.md', 'flask.md', 'fastapi.md']) {
      const text = sectionOf(await readPage(`docs/frameworks/${page}`), 'Set up')
      const [, names = ''] = /^pip install (.+)$/m.exec(fencesIn(text, 'sh')[0] ?? '') ?? []
      expect(names).not.toBe('')
      for (const name of names.split(' ')) expect(pinned).toContain(`\n${name}==`)
    }
  })
})
