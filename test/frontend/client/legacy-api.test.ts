import { describe, expect, it, onTestFinished, vi } from 'vitest'
import * as client from '../../../frontend/client/index.ts'
import { readPage } from '../../docs/markdown.ts'
import { FakeSocket, fakeFetch, fakePage, newMessage, settled, unanswered } from './fakes.ts'
import type { ConnectionOptions } from '../../../frontend/client/index.ts'

const { ChannelStreamConnection } = client

const ADDRESSES = {
  connectUrl: 'http://app.test/connect',
  disconnectUrl: 'http://push.test/disconnect',
  subscribeUrl: 'http://app.test/subscribe',
  unsubscribeUrl: 'http://app.test/unsubscribe',
  userStateUrl: 'http://app.test/state',
  messageUrl: 'http://app.test/message',
  messageEditUrl: 'http://app.test/edit',
  messageDeleteUrl: 'http://app.test/delete',
} satisfies ConnectionOptions

describe('names of the older client', () => {
  it('are exported beside the newer spelling', () => {
    expect(client.ChannelStreamConnection).toBe(client.ChannelstreamConnection)
    expect(client.ChannelStreamSigner).toBe(client.ChannelstreamSigner)
  })

  it('tell the version of the package', async () => {
    const { version } = JSON.parse(await readPage('package.json')) as { version: string }
    expect(ChannelStreamConnection.version).toBe(version)
  })

  it('are properties with the same defaults', () => {
    const urls = Object.fromEntries(Object.keys(ADDRESSES).map((name) => [name, '']))
    expect(new ChannelStreamConnection()).toMatchObject({
      debug: false,
      channels: [],
      username: 'Anonymous',
      connectionId: null,
      websocket: null,
      websocketUrl: '',
      longPollUrl: '',
      ...urls,
      shouldReconnect: true,
      heartbeats: true,
      increaseBounceIv: 2000,
      noWebsocket: false,
      connected: false,
      mutators: {
        connect: [],
        message: [],
        messageEdit: [],
        messageDelete: [],
        subscribe: [],
        unsubscribe: [],
        disconnect: [],
        userState: [],
      },
    })
  })

  it('share no lists between connections', () => {
    const [one, other] = [new ChannelStreamConnection(), new ChannelStreamConnection()]
    one.channels.push('lobby')
    one.addMutator('connect', () => {})
    expect([other.channels, other.mutators.connect]).toEqual([[], []])
  })
})

/** Each call, what it sends, and which callbacks it calls. */
const CALLS = [
  {
    type: 'subscribe',
    call: (page: client.ChannelstreamConnection) => page.subscribe(['a']),
    sends: ['POST', ADDRESSES.subscribeUrl, { channels: ['a'], conn_id: 'id' }],
    callbacks: ['subscribeCallback', 'subscribeErrorCallback'],
  },
  {
    type: 'unsubscribe',
    call: (page: client.ChannelstreamConnection) => page.unsubscribe(['a']),
    sends: ['POST', ADDRESSES.unsubscribeUrl, { channels: ['a'], conn_id: 'id' }],
    callbacks: ['unsubscribeCallback', 'unsubscribeErrorCallback'],
  },
  {
    type: 'userState',
    call: (page: client.ChannelstreamConnection) => page.updateUserState({ color: 'red' }),
    sends: [
      'POST',
      ADDRESSES.userStateUrl,
      { username: 'ann', conn_id: 'id', update_state: { color: 'red' } },
    ],
    callbacks: ['setUserStateCallback', 'setUserStateErrorCallback'],
  },
  {
    type: 'message',
    call: (page: client.ChannelstreamConnection) => page.message({ text: 'hi' }),
    sends: ['POST', ADDRESSES.messageUrl, { text: 'hi' }],
    callbacks: ['messageCallback', 'messageErrorCallback'],
  },
  {
    type: 'messageEdit',
    call: (page: client.ChannelstreamConnection) => page.edit({ uuid: 'u' }),
    sends: ['PATCH', ADDRESSES.messageEditUrl, { uuid: 'u' }],
    callbacks: ['messageEditCallback', 'messageEditErrorCallback'],
  },
  {
    type: 'messageDelete',
    call: (page: client.ChannelstreamConnection) => page.delete({ uuid: 'u' }),
    sends: ['DELETE', ADDRESSES.messageDeleteUrl, { uuid: 'u' }],
    callbacks: ['messageDeleteCallback', 'messageDeleteErrorCallback'],
  },
  {
    type: 'connect',
    call: (page: client.ChannelstreamConnection) => page.connect(),
    sends: ['POST', ADDRESSES.connectUrl, { username: 'ann', channels: ['lobby'] }],
    callbacks: ['connectCallback', 'connectErrorCallback'],
  },
  {
    type: 'disconnect',
    call: (page: client.ChannelstreamConnection) => page.disconnect(),
    sends: ['POST', `${ADDRESSES.disconnectUrl}?conn_id=id`, { conn_id: 'id' }],
    callbacks: ['disconnectCallback'],
  },
] as const

const newPage = (answer?: Parameters<typeof fakeFetch>[0]) => {
  const { fetch, requests } = fakeFetch(answer)
  const page = new ChannelStreamConnection({
    ...ADDRESSES,
    username: 'ann',
    channels: ['lobby'],
    connectionId: 'id',
    shouldReconnect: false,
    websocketUrl: 'ws://push.test/ws',
    WebSocket: FakeSocket,
    fetch,
  })
  onTestFinished(() => page.closeConnection())
  return { page, requests }
}

describe.each(CALLS)('the call $type', ({ type, call, sends, callbacks }) => {
  const [done, failed] = callbacks as readonly [(typeof callbacks)[0], (typeof callbacks)[1]?]

  it('sends what it always sent, and tells its callback', async () => {
    const { page, requests } = newPage(() => ({ body: { conn_id: 'new', channels: ['a', 'b'] } }))
    const told = new Promise<unknown[]>((resolve) => {
      page[done] = (...args: unknown[]) => resolve(args)
    })
    void call(page)
    const [request, data] = await told
    expect(requests.map(({ method, url, body }) => [method, url, body])).toEqual([sends])
    expect(request).toMatchObject({ url: sends[1], body: sends[2], status: 200 })
    expect(data).toEqual({ conn_id: 'new', channels: ['a', 'b'] })
  })

  it('says what kind of body it sends', async () => {
    const { page, requests } = newPage()
    call(page).catch(() => {})
    await settled()
    // Plain text is sent to another origin without a CORS preflight.
    const expected = type === 'disconnect' ? 'text/plain' : 'application/json'
    expect(requests[0]?.headers).toEqual({ 'content-type': expected })
  })

  it('lets mutators change everything, in order', async () => {
    const { page, requests } = newPage()
    page.addMutator(type, (request) => {
      request.url = 'http://other.test/'
      request.headers.push({ name: 'X-One', value: '1' })
    })
    page.mutators[type].push(async (request) => {
      await Promise.resolve()
      request.headers['X-Two'] = `${request.headers[0]?.value}2`
      request.body = { was: request.body, channels: ['x'] }
    })
    call(page).catch(() => {})
    await settled()
    expect(requests[0]).toMatchObject({
      url: 'http://other.test/',
      headers: { 'x-one': '1', 'x-two': '12' },
      body: { was: sends[2] },
    })
  })

  it('rejects with what the backend answered, and tells its error callback', async () => {
    const { page } = newPage(() => ({ status: 403, body: { why: 'no' } }))
    const told: unknown[][] = []
    if (failed) page[failed] = (...args: unknown[]) => void told.push(args)
    const error: unknown = await call(page).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(client.ChannelstreamError)
    expect(error).toMatchObject({ code: 'request', status: 403, answer: { why: 'no' } })
    if (failed) expect(told[0]).toMatchObject([{ url: sends[1], status: 403 }, { why: 'no' }])
  })

  it('rejects when nobody answers', async () => {
    const { page } = newPage(() => Promise.reject(new TypeError('fetch failed')))
    await expect(call(page)).rejects.toMatchObject({ code: 'unreachable', status: 0 })
  })

  it('rejects when a mutator throws, and sends nothing', async () => {
    const reported = vi.spyOn(console, 'error').mockReturnValue()
    onTestFinished(() => reported.mockRestore())
    const { page, requests } = newPage()
    page.addMutator(type, () => {
      throw new Error('no token')
    })
    await expect(call(page)).rejects.toMatchObject({ code: 'mutator' })
    expect(requests).toEqual([])
    expect(reported).toHaveBeenCalledWith(new Error('no token'))
  })
})

describe('channels', () => {
  it('are those of the last answer', async () => {
    const { page } = newPage(() => ({ body: { channels: ['a', 'b'] } }))
    const changes: unknown[] = []
    page.channelsChangedCallback = (channels) => void changes.push(channels)
    await page.subscribe(['a'])
    await page.unsubscribe(['lobby'])
    expect(changes).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ])
    expect(page.channels).toEqual(['a', 'b'])
  })

  it('stay as they are when the answer names none', async () => {
    const { page } = newPage()
    await page.subscribe(['a'])
    expect(page.channels).toEqual(['lobby'])
  })

  it('are compared with those that the connection is in', () => {
    const { page } = newPage()
    expect(page.calculateSubscribe(['lobby', 'new'])).toEqual(['new'])
    expect(page.calculateUnsubscribe(['lobby', 'new'])).toEqual(['lobby'])
    expect(page.calculateUnsubscribe()).toEqual([])
  })

  it('that are none are not asked for', async () => {
    const { page, requests } = newPage()
    expect(await page.subscribe([])).toBeNull()
    expect(requests).toEqual([])
  })
})

/** Records callbacks and their arguments. */
function watch(page: client.ChannelstreamConnection) {
  const calls: [string, ...unknown[]][] = []
  for (const name of Object.getOwnPropertyNames(CALLBACK_NAMES) as (keyof typeof CALLBACK_NAMES)[])
    page[name] = (...args: unknown[]) => void calls.push([name, ...args])
  return calls
}
const CALLBACK_NAMES = {
  connectCallback: 0,
  connectErrorCallback: 0,
  disconnectCallback: 0,
  beforeListeningCallback: 0,
  listenOpenedCallback: 0,
  listenMessageCallback: 0,
  listenCloseCallback: 0,
  listenErrorCallback: 0,
  connectionClosedCallback: 0,
  channelsChangedCallback: 0,
}

describe('the life of a connection, as callbacks tell it', () => {
  it('goes from the answer of the backend to the open WebSocket to its close', async () => {
    const { page } = newPage(() => ({ body: { conn_id: 'new', channels: ['a'] } }))
    const calls = watch(page)
    void page.connect()
    await settled()
    const request = expect.objectContaining({ url: ADDRESSES.connectUrl }) as unknown
    const data = { conn_id: 'new', channels: ['a'] }
    expect(calls).toEqual([
      ['channelsChangedCallback', ['a']],
      ['connectCallback', request, data],
      ['beforeListeningCallback', request, data],
    ])
    expect(FakeSocket.last.url).toMatch(/^ws:\/\/push\.test\/ws\?conn_id=new&/)
    calls.length = 0
    FakeSocket.last.open().deliver(newMessage('hi')).deliver()
    expect(page.connected).toBe(true)
    expect(page.websocket).toBe(FakeSocket.last)
    FakeSocket.last.end(1006)
    await settled()
    expect(page.connected).toBe(false)
    expect(page.websocket).toBeNull()
    expect(calls).toEqual([
      ['listenOpenedCallback', { type: 'open' }],
      ['listenMessageCallback', [expect.objectContaining({ message: { text: 'hi' } })]],
      ['listenMessageCallback', []],
      ['listenErrorCallback', { type: 'error' }, undefined],
      ['listenCloseCallback', { type: 'close', code: 1006, reason: '' }],
      ['connectionClosedCallback'], // shouldReconnect is off
    ])
  })

  it('with polls tells the request', async () => {
    const { fetch } = fakeFetch((request) =>
      request.url.includes('/listen')
        ? { status: 404, body: 'not here' }
        : { body: { conn_id: 'x' } },
    )
    const page = new ChannelStreamConnection({
      ...ADDRESSES,
      longPollUrl: 'http://push.test/listen',
      shouldReconnect: false,
      noWebsocket: true,
      fetch,
    })
    const calls = watch(page)
    await expect(page.connect()).rejects.toMatchObject({ status: 404, answer: 'not here' })
    const poll = expect.objectContaining({ status: 404, responseText: 'not here' }) as unknown
    expect(calls).toContainEqual(['listenErrorCallback', poll, 'not here'])
    expect(calls).toContainEqual(['listenCloseCallback', poll])
  })

  it('ends with closeConnection(), once', async () => {
    const { page } = newPage(() => ({ body: { conn_id: 'new' } }))
    void page.connect()
    await settled()
    FakeSocket.last.open()
    await settled()
    const calls = watch(page)
    page.closeConnection()
    page.closeConnection()
    FakeSocket.last.deliver(newMessage('too late')).end(1000)
    await settled()
    expect(calls).toEqual([['connectionClosedCallback']])
    expect(FakeSocket.last.isClosed).toBe(true)
  })

  it('can begin with a connection that the page got in another way', async () => {
    const { page, requests } = newPage()
    const listening = page.startListening()
    await settled()
    FakeSocket.last.open()
    await settled()
    await listening
    expect(FakeSocket.last.url).toContain('conn_id=id')
    expect(requests).toEqual([])
  })

  it('does not begin without a connection', async () => {
    const page = new ChannelStreamConnection()
    await expect(page.startListening()).rejects.toMatchObject({ code: 'settings' })
    await expect(page.connect()).rejects.toMatchObject({ code: 'settings' })
  })

  it('uses the transport that is asked for', async () => {
    const { fetch, requests } = fakeFetch(unanswered)
    const page = new ChannelStreamConnection({
      connectionId: 'id',
      websocketUrl: 'ws://push.test/ws',
      longPollUrl: 'http://push.test/listen',
      WebSocket: FakeSocket,
      fetch,
    })
    onTestFinished(() => page.closeConnection())
    FakeSocket.all = []
    void page.openLongPoll()
    await settled()
    expect(requests.map(({ method }) => method)).toEqual(['GET'])
    expect(requests[0]?.url).toMatch(/^http:\/\/push\.test\/listen\?conn_id=id&/)
    page.closeConnection()
    void page.openWebsocket()
    await settled()
    expect(FakeSocket.all).toHaveLength(1)
  })

  it('logs callbacks that the page did not replace, if debug is set', async () => {
    const log = vi.spyOn(console, 'log').mockReturnValue()
    onTestFinished(() => log.mockRestore())
    const { page } = newPage()
    await page.message({ text: 'quiet' })
    expect(log).not.toHaveBeenCalled()
    page.debug = true
    await page.message({ text: 'hi' })
    expect(log).toHaveBeenCalledWith('messageCallback', expect.anything(), {})
    page.messageCallback = () => {}
    await page.message({ text: 'hi' })
    expect(log).toHaveBeenCalledTimes(1)
  })

  it('can be told to methods of a subclass', async () => {
    const { connection } = fakePage()
    class Page extends ChannelStreamConnection {
      told: unknown
      override messageCallback(_request: unknown, data: unknown): void {
        this.told = data
      }
    }
    const page = new Page({ messageUrl: 'http://app.test/message' })
    page.fetch = fakeFetch(() => ({ body: 'said' })).fetch
    await page.message({})
    expect(page.told).toBe('said')
    expect(connection.status).toBe('disconnected')
  })
})
