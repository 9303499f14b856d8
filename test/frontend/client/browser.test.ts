import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { useBrowser } from '../../helpers/browser.ts'
import { Backend, until } from '../../helpers/http.ts'
import { startServer } from '../../helpers/server.ts'
import { Network } from './network.ts'
import { PageBackend, addresses } from './page-backend.ts'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ChannelstreamConnection, ServerEvent } from '../../../frontend/client/index.ts'
import type { PageOptions } from '../../helpers/browser.ts'
import type { Address } from '../../helpers/http.ts'
import type { TestServer } from '../../helpers/server.ts'

const BUNDLE = new URL('../../../dist/frontend/client/index.js', import.meta.url)
/** Chromium's own console messages about network failures that a test causes. */
const BROKEN = /ERR_|WebSocket connection|Failed to load resource/

const browser = useBrowser()
let server: TestServer
beforeAll(async () => {
  server = await startServer({
    heartbeat_interval: 0.1,
    wake_connections_after: 0.5,
    poll_gather: 0.02,
  })
  return () => server.close()
})

/** A page written for the older client. Only its import is different. */
const OLD_PAGE = `<!doctype html><meta charset="utf-8"><title>Old</title><ul id="messages"></ul>
<script type="module">
  import { ChannelStreamConnection, ChannelStreamSigner } from '/channelstream.js'
  const connection = new ChannelStreamConnection()
  window.connection = connection
  window.signer = new ChannelStreamSigner('secret')
  window.events = []
  window.log = []
  Object.assign(connection, ADDRESSES)
  connection.username = 'ann'
  connection.channels = ['lobby']
  connection.mutators.message.push(function (request) {
    request.headers.push({ name: 'X-CSRF-Token', value: 'token' })
    request.body.user = connection.username
  })
  connection.listenMessageCallback = function (messages) {
    for (const message of messages) {
      window.events.push(message)
      const line = document.createElement('li')
      line.textContent = message.type
      document.getElementById('messages').append(line)
    }
  }
  connection.listenOpenedCallback = function () { window.log.push('opened') }
  connection.connectCallback = function (request, data) { window.log.push('connected ' + request.status) }
  connection.subscribeCallback = function (request, data) { window.log.push('subscribed ' + data.channels) }
  connection.channelsChangedCallback = function (channels) { window.log.push('channels ' + channels) }
  connection.setUserStateCallback = function () { window.log.push('state') }
  connection.messageCallback = function (request, data) { window.log.push('said ' + data[0].uuid) }
  connection.disconnectCallback = function (request, data) { window.log.push('disconnected ' + data) }
  connection.connectionClosedCallback = function () { window.log.push('closed') }
  if (!location.search) connection.connect()
</script>`

interface OldPage {
  connection: ChannelstreamConnection
  events: ServerEvent[]
  log: string[]
  signer: { signRequest(): string }
}

/** Opens a page from its own backend, which has another origin than the server. */
async function openPage(
  listenAt: Address = server,
  {
    query = '',
    host = '127.0.0.1',
    ...options
  }: PageOptions & { query?: string; host?: string } = {},
) {
  const serve = (request: IncomingMessage, response: ServerResponse): boolean => {
    const path = request.url?.split('?')[0]
    if (path === '/favicon.ico') response.writeHead(204).end()
    else if (path === '/')
      response
        .writeHead(200, { 'content-type': 'text/html' })
        .end(
          OLD_PAGE.replace(
            'ADDRESSES',
            JSON.stringify(addresses(backend, listenAt)).replaceAll(backend.url, ''),
          ),
        )
    else if (path === '/channelstream.js')
      response.writeHead(200, { 'content-type': 'text/javascript' }).end(readFileSync(BUNDLE))
    else return false
    return true
  }
  const backend: PageBackend = await PageBackend.start(server, serve)
  const page = await browser.newPage(options)
  const url = backend.url.replace('127.0.0.1', host) + `/${query}`
  await page.goto(url)
  await page.waitForFunction(() => 'connection' in window)
  return {
    page,
    backend,
    url,
    log: () => page.evaluate(() => (window as unknown as OldPage).log),
    events: () => page.evaluate(() => (window as unknown as OldPage).events),
    status: () => page.evaluate(() => (window as unknown as OldPage).connection.status),
    connected: () =>
      page.waitForFunction(() => (window as unknown as OldPage).connection.connected, undefined, {
        polling: 20,
      }),
  }
}

const app = () => new Backend(server)
const textsOf = (events: readonly ServerEvent[]): unknown[] =>
  events.flatMap((event) => (event.type === 'message' ? [event.message?.['text']] : []))

describe('a page that was written for the older client', () => {
  it('works with its import changed', async () => {
    const { page, connected, events, log } = await openPage()
    await connected()
    const uuid = await page.evaluate(async () => {
      const { connection } = window as unknown as OldPage
      await connection.subscribe(connection.calculateSubscribe(['lobby', 'news']))
      await connection.updateUserState({ color: 'red' })
      const [said] = (await connection.message({ channel: 'news', message: { text: 'hi' } })) as {
        uuid: string
      }[]
      return said?.uuid
    })
    await until(async () => (await events()).length === 1, 'the message')
    expect(await events()).toMatchObject([{ type: 'message', user: 'ann', channel: 'news', uuid }])
    expect(await page.locator('#messages').innerText()).toBe('message')
    await page.evaluate(() => (window as unknown as OldPage).connection.disconnect())
    expect(await log()).toEqual([
      'channels lobby',
      'connected 200',
      'opened',
      'channels lobby,news',
      'subscribed lobby,news',
      'state',
      `said ${uuid}`,
      'closed',
      expect.stringMatching(/^disconnected (true|false)$/),
    ])
    expect((await app().info()).users).not.toContainEqual(
      expect.objectContaining({ user: 'nobody' }),
    )
  })

  it('comes back after breaks with every message once, in order', async () => {
    const network = await Network.to(server)
    const { page, backend, connected, events } = await openPage(network, { expected: BROKEN })
    await page.evaluate(
      () => void ((window as unknown as OldPage).connection.increaseBounceIv = 100),
    )
    await connected()
    await page.evaluate(() => (window as unknown as OldPage).connection.subscribe(['breaks']))
    const said: string[] = []
    for (let n = 0; n < 30; n++) {
      if (n % 10 === 4) network.cut()
      said.push(`message ${n}`)
      await app().say('breaks', `message ${n}`)
    }
    await until(async () => textsOf(await events()).length >= said.length, 'all messages')
    expect(textsOf(await events())).toEqual(said)
    expect(backend.connects).toBe(1)
  })

  it('polls where WebSockets do not get through', async () => {
    const network = await Network.to(server)
    network.blocked = /^GET \/ws/
    const { connected, events, page } = await openPage(network, { expected: BROKEN })
    await connected()
    await page.evaluate(() => (window as unknown as OldPage).connection.subscribe(['polled']))
    await app().say('polled', 'hello')
    await until(async () => (await events()).length === 1, 'the message')
    expect(await page.evaluate(() => (window as unknown as OldPage).connection.transport)).toBe(
      'longpoll',
    )
  })

  it('tries nothing while it is offline, and comes back when it is online', async () => {
    const network = await Network.to(server)
    const { page, connected, events, status } = await openPage(network, { expected: BROKEN })
    await page.evaluate(
      () => void ((window as unknown as OldPage).connection.increaseBounceIv = 100),
    )
    await connected()
    await page.evaluate(() => (window as unknown as OldPage).connection.subscribe(['offline']))
    await page.context().setOffline(true)
    const handshakes = network.requests.length
    network.cut()
    await until(async () => (await status()) === 'offline', 'the break to be noticed')
    await app().say('offline', 'missed')
    expect(await status()).toBe('offline')
    expect(network.requests).toHaveLength(handshakes)
    await page.context().setOffline(false)
    await until(async () => (await events()).length === 1, 'the message that was missed')
  })

  it('works in two tabs, of which one goes', async () => {
    const [one, other] = [await openPage(), await openPage()]
    await Promise.all([one.connected(), other.connected()])
    await one.page.close()
    await app().say('lobby', 'still here')
    await until(async () => textsOf(await other.events()).includes('still here'), 'the message')
  })

  it('works on plain http, where the browser has no cryptography', async () => {
    const { page } = await openPage(server, { query: '?signs', host: 'page.test' })
    const signed = await page.evaluate(() => ({
      isSecureContext,
      signature: (window as unknown as OldPage).signer.signRequest(),
    }))
    expect(signed.isSecureContext).toBe(false)
    const headers = { 'x-channelstream-secret': signed.signature }
    const answer = await fetch(`${server.url}/info`, { method: 'POST', headers })
    expect(answer.status).toBe(200)
    await page.evaluate(() => (window as unknown as OldPage).connection.connect())
  })
})
