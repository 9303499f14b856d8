import { describe, expect, it, vi } from 'vitest'
import {
  FakeSocket,
  fakeFetch,
  fakePage,
  newMessage,
  pass,
  settled,
  unanswered,
  useFakeTime,
} from './fakes.ts'
import type { ConnectionOptions } from '../../../frontend/client/index.ts'
import type { FakeRequest } from './fakes.ts'

useFakeTime()

function browser() {
  const navigator = { onLine: true }
  const window = new EventTarget()
  vi.stubGlobal('navigator', navigator)
  vi.stubGlobal('addEventListener', window.addEventListener.bind(window))
  const tell = (type: string): void => {
    if (type !== 'pagehide') navigator.onLine = type === 'online'
    window.dispatchEvent(new Event(type))
  }
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' })
  vi.stubGlobal('document', document)
  return { tell, show: () => document.dispatchEvent(new Event('visibilitychange')) }
}

const LISTEN = 'http://push.test/listen'
const DISCONNECT = 'http://push.test/disconnect'

async function openPage(options: ConnectionOptions = {}) {
  const page = fakePage(options)
  const statuses: string[] = []
  page.connection.on('status', ({ status, transport }) => statuses.push(transport ?? status))
  const connected = page.connection.connect()
  await settled()
  FakeSocket.all.at(-1)?.open()
  await pass(options.noWebsocket ? 1_000 : 0)
  await connected
  await settled()
  return { ...page, statuses }
}

/** A page that polls. Polls stay open until the test answers them. */
async function openPolling() {
  const polls: (FakeRequest & { answer(body: unknown): void })[] = []
  const { fetch, requests } = fakeFetch((request) => {
    if (request.url.includes('/connect')) return { body: { conn_id: 'conn-1' } }
    if (request.url.includes('/disconnect')) return { body: true }
    return Promise.race([
      unanswered(request),
      new Promise<never>((resolve) => {
        polls.push({ ...request, answer: (body) => resolve({ body } as never) })
      }),
    ])
  })
  const options = { fetch, longPollUrl: LISTEN, disconnectUrl: DISCONNECT, noWebsocket: true }
  return { ...(await openPage(options)), polls, requests }
}

describe('a browser that goes offline', () => {
  it('is told at once, and leaves the socket open, since the browser may be wrong', async () => {
    const { tell } = browser()
    const { connection, statuses } = await openPage()
    const socket = FakeSocket.last
    tell('offline')
    expect([connection.status, connection.transport, connection.connected]).toEqual([
      'offline',
      null,
      false,
    ])
    expect([socket.isClosed, connection.websocket]).toEqual([false, socket])
    socket.deliver(newMessage('hi'))
    expect([connection.status, connection.transport]).toEqual(['connected', 'websocket'])
    expect(statuses).toEqual(['connecting', 'websocket', 'offline', 'websocket'])
    connection.closeConnection()
  })

  it('and comes back replaces the socket at once, and closes the old one when the new one works', async () => {
    const { tell } = browser()
    const { connection, statuses } = await openPage()
    const first = FakeSocket.last
    tell('offline')
    tell('online')
    await settled()
    const second = FakeSocket.last
    expect([FakeSocket.all.length, first.isClosed]).toEqual([2, false])
    second.open()
    await settled()
    expect([first.isClosed, second.isClosed]).toEqual([true, false])
    expect(statuses).toEqual(['connecting', 'websocket', 'offline', 'connecting', 'websocket'])
    connection.closeConnection()
  })

  it('and comes back while a socket opens tries another one at once, also by WebSocket', async () => {
    const { tell } = browser()
    const { connection } = fakePage({ longPollUrl: LISTEN })
    void connection.connect()
    await settled()
    tell('offline')
    tell('online')
    await settled()
    expect(FakeSocket.all.map(({ isClosed }) => isClosed)).toEqual([true, false])
    FakeSocket.last.open()
    expect(connection.transport).toBe('websocket')
    connection.closeConnection()
  })

  it('and comes back gives up the poll, and asks for an answer at once', async () => {
    const { tell } = browser()
    const { connection, polls } = await openPolling()
    expect(polls).toHaveLength(1)
    tell('offline')
    tell('online')
    await settled()
    expect([polls.length, polls[0]?.signal.aborted]).toEqual([2, true])
    expect(polls[1]?.url).toContain('hello=1')
    polls[1]?.answer([{ type: 'hello' }])
    await settled()
    expect([connection.status, connection.transport]).toEqual(['connected', 'longpoll'])
    connection.closeConnection()
  })

  it('tells a waiting client that it is offline, and when it retries', async () => {
    const { tell } = browser()
    const { connection, statuses } = await openPage()
    tell('offline')
    FakeSocket.last.end(1006)
    await settled()
    expect(connection.status).toBe('offline')
    tell('online')
    await settled()
    expect(FakeSocket.all).toHaveLength(2)
    FakeSocket.last.open()
    expect(statuses.at(-1)).toBe('websocket')
    connection.closeConnection()
  })

  it('is not replaced by an online event that no offline event came before', async () => {
    const { tell } = browser()
    const { connection } = await openPage()
    tell('online')
    await settled()
    expect(FakeSocket.all).toHaveLength(1)
    connection.closeConnection()
  })
})

describe('a page that is shown again', () => {
  it('gives up a poll that has been silent for long, and only that', async () => {
    const { show } = browser()
    const { connection, polls } = await openPolling()
    await pass(8_000)
    show()
    await settled()
    expect(polls).toHaveLength(1)
    await pass(2_000)
    show()
    await settled()
    expect([polls.length, polls[0]?.signal.aborted]).toEqual([2, true])
    connection.closeConnection()
  })
})

describe('a page that is left', () => {
  const goodbyes = (requests: readonly FakeRequest[]) =>
    requests.filter(({ url }) => url.startsWith(DISCONNECT)).map(({ body }) => body)

  it('says goodbye if it polls, since nothing else would tell', async () => {
    const { tell } = browser()
    const { connection, requests } = await openPolling()
    tell('pagehide')
    await settled()
    expect(goodbyes(requests)).toEqual([{ conn_id: 'conn-1' }])
    connection.closeConnection()
  })

  it('says nothing if it has a WebSocket, which the browser closes', async () => {
    const { tell } = browser()
    const { connection, requests } = await openPage({ disconnectUrl: DISCONNECT })
    tell('pagehide')
    await settled()
    expect(goodbyes(requests)).toEqual([])
    connection.closeConnection()
  })

  it.each([
    ['is ended when the backend has answered', 'conn-9', [{ conn_id: 'conn-9' }]],
    ['is not, if it is the one of a connect() since then', 'conn-2', []],
  ])('while it connects %s', async (_what, late, expected) => {
    let answer: (body: unknown) => void = () => {}
    let connects = 0
    const { fetch, requests } = fakeFetch((request) => {
      if (!request.url.includes('/connect')) return { body: true }
      if (++connects > 1) return { body: { conn_id: 'conn-2' } }
      return new Promise<never>((resolve) => {
        answer = (body) => resolve({ body } as never)
      })
    })
    const { connection } = fakePage({ fetch, disconnectUrl: DISCONNECT })
    const callbacks: unknown[] = []
    connection.connectCallback = (_, data) => void callbacks.push(data)
    const first = connection.connect().catch((error: unknown) => error)
    await settled()
    await connection.disconnect()
    expect(await first).toMatchObject({ code: 'disconnected' })
    void connection.connect()
    await settled()
    answer({ conn_id: late })
    await settled()
    expect(goodbyes(requests)).toEqual(expected)
    expect([connection.connectionId, callbacks]).toEqual(['conn-2', [{ conn_id: 'conn-2' }]])
    connection.closeConnection()
  })
})

describe('the intervals of the server', () => {
  it.each([
    [undefined, 5, 20_000],
    [undefined, 30, 75_000],
    [60_000, 10, 60_000],
    [0, 30, Infinity],
  ])(
    'a page with silenceTimeout %s at a heartbeat of %i s waits for %i ms',
    async (own, heartbeat_interval, expected) => {
      const { connection } = fakePage(own === undefined ? {} : { silenceTimeout: own })
      void connection.connect()
      await settled()
      FakeSocket.last.shakeHands().deliver({ type: 'hello', heartbeat_interval })
      const waited = Math.min(expected, 600_000)
      await pass(waited - 1)
      expect(connection.status).toBe('connected')
      await pass(1)
      expect(connection.status).toBe(expected === Infinity ? 'connected' : 'waiting')
      connection.closeConnection()
    },
  )

  it('are followed by polls, which are silent for longer', async () => {
    const { connection, polls } = await openPolling()
    polls[0]?.answer([{ type: 'hello', heartbeat_interval: 5, wake_connections_after: 40 }])
    await settled()
    expect(polls.map(({ url }) => url.includes('hello=1'))).toEqual([true, false])
    await pass(99_000)
    expect([connection.status, polls.length]).toEqual(['connected', 2])
    await pass(1_000)
    expect(connection.status).toBe('waiting')
    connection.closeConnection()
  })

  it('are not an event', async () => {
    const { connection } = fakePage()
    const heard: unknown[] = []
    connection.on('event', (event) => heard.push(event))
    connection.listenMessageCallback = (events) => void heard.push(events)
    void connection.connect()
    await settled()
    FakeSocket.last.open()
    expect([connection.status, heard]).toEqual(['connected', []])
    connection.closeConnection()
  })
})

describe('the status connected', () => {
  it('is not told for a connection that the server does not know', async () => {
    const page = fakePage()
    const statuses: string[] = []
    page.connection.on('status', ({ status }) => statuses.push(status))
    const failure = page.connection.connect().catch((error: unknown) => error)
    await settled()
    FakeSocket.last.shakeHands()
    await pass(20)
    FakeSocket.last.end(1000, 'unknown connection')
    expect(await failure).toMatchObject({ code: 'closed', status: 1000 })
    expect(statuses).toEqual(['connecting', 'waiting'])
    page.connection.closeConnection()
  })

  it('does not wait for a server that says nothing at first', async () => {
    const { connection } = fakePage()
    void connection.connect()
    await settled()
    FakeSocket.last.shakeHands()
    await pass(999)
    expect(connection.status).toBe('connecting')
    await pass(1)
    expect(connection.status).toBe('connected')
    connection.closeConnection()
  })

  it('comes after the answer of the backend, each time there is a new one', async () => {
    const { connection } = fakePage()
    const told: unknown[] = []
    connection.on('connect', ({ answer }) => told.push(answer.conn_id))
    connection.on('status', ({ status }) => told.push(status))
    void connection.connect()
    await settled()
    FakeSocket.last.open().end(1000)
    await pass(1_000)
    FakeSocket.last.open()
    expect(told).toEqual([
      'connecting',
      'conn-1',
      'connected',
      'connecting',
      'waiting',
      'connecting',
      'conn-2',
      'connected',
    ])
    connection.closeConnection()
  })
})

describe('events that come with the opening', () => {
  it.each(['hello in a frame of its own', 'hello and events in one frame'])(
    'are heard by a page that listens after connect(): %s',
    async (form) => {
      const { connection } = fakePage()
      const texts: unknown[] = []
      const main = async (): Promise<void> => {
        await (async () => connection.connect())()
        for await (const event of connection)
          if (event.type === 'message') texts.push(event.message?.['text'])
      }
      const done = main()
      await settled()
      const hello = { type: 'hello' }
      const socket = FakeSocket.last.shakeHands()
      if (form.includes('own')) socket.deliver(hello).deliver(newMessage('one'))
      else socket.deliver(hello, newMessage('one'))
      socket.deliver(newMessage('two'))
      await settled()
      expect(texts).toEqual(['one', 'two'])
      await connection.disconnect()
      await done
    },
  )

  it('are heard if the first poll has them', async () => {
    const { connection, polls, texts } = await (async () => {
      const page = await openPolling()
      const heard: unknown[] = []
      return { ...page, texts: heard }
    })()
    connection.closeConnection()
    const connected = connection.startListening().then(() => {
      connection.on('message', ({ message }) => texts.push(message?.['text']))
    })
    await settled()
    polls.at(-1)?.answer([{ type: 'hello' }, newMessage('first')])
    await connected
    await settled()
    expect(texts).toEqual(['first'])
    connection.closeConnection()
  })

  it('come before the end of the socket', async () => {
    const { connection } = fakePage()
    const heard: unknown[] = []
    connection.on('message', ({ message }) => heard.push(message?.['text']))
    connection.on('status', ({ status }) => heard.push(status))
    void connection.connect()
    await settled()
    FakeSocket.last.open().deliver(newMessage('last words')).end(1006)
    await settled()
    expect(heard).toEqual(['connecting', 'connected', 'last words', 'connecting', 'waiting'])
    connection.closeConnection()
  })
})

describe('cookies', () => {
  it('go to the backend if the page wants it, and never to the server', async () => {
    const sent: [string, unknown][] = []
    const { fetch } = fakeFetch(({ url }) =>
      url.includes('/connect') ? { body: { conn_id: 'conn-1' } } : { body: [] },
    )
    const { connection } = fakePage({
      credentials: 'include',
      noWebsocket: true,
      longPollUrl: LISTEN,
      disconnectUrl: DISCONNECT,
      messageUrl: 'http://app.test/message',
      fetch: (url, init) => {
        sent.push([url.replace(/\?.*/, ''), init.credentials])
        return fetch(url, init)
      },
    })
    await connection.connect()
    await connection.message({})
    await connection.disconnect()
    expect(sent).toEqual([
      ['http://app.test/connect', 'include'],
      [LISTEN, undefined],
      ['http://app.test/message', 'include'],
      [DISCONNECT, undefined],
    ])
  })
})
