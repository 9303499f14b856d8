import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { useBrowser } from '../../helpers/browser.ts'
import { Backend, until } from '../../helpers/http.ts'
import { startServer } from '../../helpers/server.ts'
import { Network } from './network.ts'
import { PageBackend, addresses } from './page-backend.ts'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ChannelstreamConnection, ConnectionOptions } from '../../../frontend/client/index.ts'
import type { Address } from '../../helpers/http.ts'
import type { TestServer } from '../../helpers/server.ts'

const BUNDLE = new URL('../../../dist/frontend/client/channelstream.js', import.meta.url)
/** Chromium's own console messages about network failures that a test causes. */
const BROKEN = /ERR_|WebSocket connection|Failed to load resource/

const PAGE = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>Page</title>
<script type="module">
  import { ChannelstreamConnection } from '/channelstream.js'
  window.texts = []
  window.statuses = []
  window.open = (options) => {
    window.connection = new ChannelstreamConnection(options)
    connection.on('message', ({ message }) => texts.push(message.text))
    connection.on('status', ({ status, transport }) => statuses.push(transport ?? status))
    return connection.connect()
  }
  window.isReady = true
</script>`

interface PageWindow {
  connection: ChannelstreamConnection
  texts: string[]
  statuses: string[]
  isReady?: true
  open(options: ConnectionOptions): Promise<unknown>
}

const browser = useBrowser()
let server: TestServer
beforeAll(async () => {
  // Nobody is forgotten by these times while a test runs.
  server = await startServer({
    heartbeat_interval: 0.5,
    wake_connections_after: 2,
    resume_window: 60,
    gc_conns_after: 60,
  })
  return () => server.close()
})
const app = () => new Backend(server)
const isPresent = async (user: string): Promise<boolean> =>
  (await app().info()).users.some((one) => one.user === user)

/** Serves the page. Records cookies of its requests, and lets other origins in with them. */
function site(cookies: (string | undefined)[], pageOrigin: () => string) {
  return (request: IncomingMessage, response: ServerResponse): boolean => {
    const path = request.url?.split('?')[0]
    if (path === '/')
      response
        .writeHead(200, { 'content-type': 'text/html', 'set-cookie': 'session=ann; Path=/' })
        .end(PAGE)
    else if (path === '/channelstream.js')
      response.writeHead(200, { 'content-type': 'text/javascript' }).end(readFileSync(BUNDLE))
    else {
      response.setHeader('access-control-allow-origin', pageOrigin())
      response.setHeader('access-control-allow-credentials', 'true')
      response.setHeader('access-control-allow-headers', 'content-type')
      if (request.method !== 'OPTIONS') {
        cookies.push(request.headers.cookie)
        return false
      }
      response.writeHead(204).end()
    }
    return true
  }
}

async function openPage(options: ConnectionOptions, listenAt: Address = server) {
  const cookies: (string | undefined)[] = []
  let origin = ''
  const backend = await PageBackend.start(
    server,
    site(cookies, () => origin),
  )
  origin = backend.url
  const page = await browser.newPage({ expected: BROKEN })
  await page.goto(`${backend.url}/`)
  await page.waitForFunction(() => 'isReady' in window)
  await page.evaluate((given) => (window as unknown as PageWindow).open(given), {
    ...addresses(backend, listenAt),
    sseUrl: `http://${listenAt.host}:${listenAt.port}/sse`,
    increaseBounceIv: 100,
    ...options,
  })
  return {
    page,
    backend,
    cookies,
    status: () => page.evaluate(() => (window as unknown as PageWindow).connection.status),
    statuses: () => page.evaluate(() => (window as unknown as PageWindow).statuses),
    texts: () => page.evaluate(() => (window as unknown as PageWindow).texts),
  }
}

describe('a page without modules and without a build', () => {
  it('loads the client and its channels from the server, by two script tags', async () => {
    const html = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>Script</title>
      <script src="${server.url}/client/channelstream.iife.js"></script>
      <script src="${server.url}/client/channels.iife.js"></script>
      <ul id="said"></ul><p id="members"></p>
      <script>
        var connection = new Channelstream.ChannelstreamConnection(ADDRESSES)
        var lobby = Channelstream.channelOf(connection, 'scripted')
        lobby.on('message', function (event) {
          document.getElementById('said').insertAdjacentHTML('beforeend', '<li></li>')
          document.querySelector('#said li:last-child').textContent = event.message.text
        })
        lobby.on('members', function (members) {
          document.getElementById('members').textContent = Array.from(members.keys()).join()
        })
        connection.connect()
      </script>`
    const backend = await PageBackend.start(server, (request, response) => {
      if (request.url !== '/') return false
      const options = JSON.stringify({ ...addresses(backend, server), username: 'script' })
      response
        .writeHead(200, { 'content-type': 'text/html' })
        .end(html.replace('ADDRESSES', options.replaceAll(backend.url, '')))
      return true
    })
    const page = await browser.newPage()
    await page.goto(`${backend.url}/`)
    await page.locator('#members', { hasText: 'script' }).waitFor()
    await app().say('scripted', 'hello <b>you</b>')
    await page.locator('#said li').waitFor()
    expect(await page.locator('#said').innerText()).toBe('hello <b>you</b>')
  })
})

describe('a tab that is closed', () => {
  it.each([
    ['has a WebSocket', {}],
    ['streams', { noWebsocket: true }],
    ['polls', { noWebsocket: true, noSse: true }],
  ])('and %s leaves nobody behind', async (how, options) => {
    const username = `closing ${how}`
    const { page, statuses } = await openPage({ username, channels: ['closing'], ...options })
    expect(await statuses()).toHaveLength(2)
    expect(await isPresent(username)).toBe(true)
    await page.close({ runBeforeUnload: true })
    await until(async () => !(await isPresent(username)), 'the user to be gone')
  })
})

describe('a browser that loses its network', () => {
  it.each([
    ['has a WebSocket', {}, 'websocket'],
    ['streams', { noWebsocket: true }, 'sse'],
    ['polls', { noWebsocket: true, noSse: true }, 'longpoll'],
  ])(
    'and %s tells so at once, and has all it missed as soon as it is back',
    async (how, options, transport) => {
      const network = await Network.to(server)
      const channel = `lost ${how}`
      // Nothing but the events of the browser can tell the page: the network is silent, not cut.
      const { page, status, statuses, texts } = await openPage(
        { username: channel, channels: [channel], silenceTimeout: 600_000, ...options },
        network,
      )
      await app().say(channel, 'before')
      await until(async () => (await texts()).length === 1, 'the first message')
      expect((await statuses()).at(-1)).toBe(transport)
      network.isSilent = true
      await page.context().setOffline(true)
      await until(async () => (await status()) === 'offline', 'the page to notice')
      await app().say(channel, 'missed')
      const dead = network.requests.length
      network.forget()
      await page.context().setOffline(false)
      await until(async () => (await texts()).length === 2, 'what was missed')
      expect(await texts()).toEqual(['before', 'missed'])
      expect(network.requests.length).toBeGreaterThan(dead)
      await until(async () => (await statuses()).at(-1) === transport, 'the transport')
    },
  )
})

describe('a backend on another origin', () => {
  it('gets cookies if the page says so, and the server never', async () => {
    const { page, cookies } = await openPage({ username: 'first', channels: [] })
    const otherCookies: (string | undefined)[] = []
    const origin = new URL(page.url()).origin
    const other = await PageBackend.start(
      server,
      site(otherCookies, () => origin),
    )
    const connectAt = (credentials?: 'include') =>
      page.evaluate(
        async ([url, value]) => {
          const { connection } = window as unknown as PageWindow
          await connection.disconnect()
          connection.connectUrl = `${url}/connect`
          connection.credentials = value
          await connection.connect()
        },
        [other.url, credentials] as const,
      )
    await connectAt()
    await connectAt('include')
    expect(cookies).toEqual(['session=ann'])
    expect(otherCookies).toEqual([undefined, 'session=ann'])
  })
})
