import { beforeEach, describe, expect, it, vi } from 'vitest'
import { CLOSE } from '../../../src/protocol/close-codes.ts'
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
import type { ConnectionOptions, StatusEvent } from '../../../frontend/client/index.ts'

let reported: ReturnType<typeof vi.spyOn>
useFakeTime()
beforeEach(() => {
  reported = vi.spyOn(console, 'error').mockReturnValue()
})

/** A page with an open WebSocket. */
async function openPage(options: ConnectionOptions = {}) {
  const page = fakePage(options)
  const statuses: StatusEvent[] = []
  page.connection.on('status', (status) => statuses.push(status))
  const connected = page.connection.connect()
  await settled()
  FakeSocket.last.open()
  await connected
  await settled()
  return { ...page, statuses }
}

const delays = (statuses: readonly StatusEvent[]): unknown[] =>
  statuses.flatMap(({ retryInMs }) => retryInMs ?? [])

describe('connect()', () => {
  it('resolves with the answer of the backend once events can come', async () => {
    const { connection } = fakePage()
    let answer: unknown
    void connection.connect().then((data) => (answer = data))
    await settled()
    expect(answer).toBeUndefined()
    FakeSocket.last.open()
    await settled()
    expect(answer).toEqual({ conn_id: 'conn-1' })
    expect([connection.status, connection.transport]).toEqual(['connected', 'websocket'])
  })

  it('does no harm when it is called again', async () => {
    const { connection, requests } = fakePage()
    const both = [connection.connect(), connection.connect()]
    await settled()
    FakeSocket.last.open()
    expect(await Promise.all(both)).toEqual([{ conn_id: 'conn-1' }, { conn_id: 'conn-1' }])
    expect(await connection.connect()).toEqual({ conn_id: 'conn-1' })
    expect([requests.length, FakeSocket.all.length]).toEqual([1, 1])
  })

  it('tries at once what waits for a retry', async () => {
    const page = await openPage()
    FakeSocket.last.end(1006)
    await settled()
    expect(page.connection.status).toBe('waiting')
    void page.connection.connect()
    await settled()
    expect(FakeSocket.all).toHaveLength(2)
  })

  it('rejects at the first failure, and is tried again all the same', async () => {
    let status = 500
    const { fetch, requests } = fakeFetch(() => ({ status, body: { conn_id: 'x' } }))
    const { connection } = fakePage({ fetch })
    await expect(connection.connect()).rejects.toMatchObject({ code: 'request', status: 500 })
    status = 200
    await pass(2000)
    expect(requests).toHaveLength(2)
    expect(connection.status).toBe('connecting')
    connection.closeConnection()
  })

  it('is tried once if the page does not want more', async () => {
    const { fetch, requests } = fakeFetch(() => ({ status: 500 }))
    const { connection } = fakePage({ fetch, shouldReconnect: false })
    await expect(connection.connect()).rejects.toMatchObject({ status: 500 })
    await pass(120_000)
    expect(requests).toHaveLength(1)
    expect(connection.status).toBe('disconnected')
  })

  it.each([['{}'], ['null'], ['"no"'], ['{"conn_id": 7}'], ['{"conn_id": ""}'], ['<html>']])(
    'rejects when the backend answers %s',
    async (body) => {
      const { connection } = fakePage({ fetch: fakeFetch(() => ({ body })).fetch })
      await expect(connection.connect()).rejects.toMatchObject({ code: 'answer' })
      connection.closeConnection()
    },
  )

  it('waits no more than half a minute for the backend', async () => {
    const { connection } = fakePage({ fetch: fakeFetch(unanswered).fetch })
    const failure = connection.connect().catch((error: unknown) => error)
    await pass(30_000)
    expect(await failure).toMatchObject({ code: 'timeout' })
    connection.closeConnection()
  })

  it('is tried again when a mutator failed', async () => {
    const { connection, requests } = fakePage()
    const failures = [new Error('no token yet')]
    connection.addMutator('connect', () =>
      Promise.all(failures.splice(0).map((error) => Promise.reject(error))),
    )
    await expect(connection.connect()).rejects.toMatchObject({ code: 'mutator' })
    await pass(1000)
    expect(requests).toHaveLength(1)
    connection.closeConnection()
  })

  it('can be called while another ends', async () => {
    const { connection } = await openPage()
    let again: Promise<unknown> | undefined
    connection.on('status', ({ status }) => {
      if (status === 'disconnected') again ??= connection.connect()
    })
    connection.closeConnection()
    await settled()
    FakeSocket.last.open()
    expect(await again).toEqual({ conn_id: 'conn-2' })
    connection.closeConnection()
  })

  it('rejects if a listener disconnects in the moment of its start', async () => {
    const { connection } = fakePage()
    connection.on('status', ({ status }) => {
      if (status === 'connecting') void connection.disconnect()
    })
    await expect(connection.connect()).rejects.toMatchObject({ code: 'disconnected' })
  })

  it('resolves as soon as something is heard, if the browser was offline when it was called', async () => {
    const window = new EventTarget()
    vi.stubGlobal('addEventListener', window.addEventListener.bind(window))
    const page = await openPage()
    window.dispatchEvent(new Event('offline'))
    let hasResolved = false
    void page.connection.connect().then(() => (hasResolved = true))
    await settled()
    expect(hasResolved).toBe(false)
    FakeSocket.last.deliver()
    await settled()
    expect([hasResolved, page.connection.status]).toEqual([true, 'connected'])
    page.connection.closeConnection()
  })

  it('cannot do without an address to listen at', async () => {
    const { connection } = fakePage({ websocketUrl: '' })
    await expect(connection.connect()).rejects.toMatchObject({ code: 'settings' })
    expect(connection.status).toBe('disconnected')
  })
})

describe('coming back', () => {
  it('waits longer with each failure, at most a minute', async () => {
    const page = await openPage()
    FakeSocket.last.end(1006)
    const expected = [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]
    for (const delay of expected) {
      await pass(delay - 1)
      const count = FakeSocket.all.length
      await pass(1)
      expect(FakeSocket.all).toHaveLength(count + 1)
      FakeSocket.last.end(1006)
    }
    expect(delays(page.statuses)).toEqual(expected)
    page.connection.closeConnection()
  })

  it('begins anew once something was heard, and not when a socket merely opened', async () => {
    const page = await openPage()
    FakeSocket.last.deliver().end(1006)
    await pass(1000)
    FakeSocket.last.open().end(1006)
    await pass(2000)
    FakeSocket.last.open().deliver().end(1006)
    await settled()
    expect(delays(page.statuses)).toEqual([1000, 2000, 1000])
    page.connection.closeConnection()
  })

  it('does not take as long for another connection as it took for the server, at first', async () => {
    const page = await openPage()
    FakeSocket.last.deliver().end(1006)
    for (const delay of [1000, 2000]) {
      await pass(delay)
      FakeSocket.last.end(1006)
    }
    for (const delay of [4000, 1000, 2000]) {
      await pass(delay)
      FakeSocket.last.open().end(1000, 'unknown connection')
    }
    await settled()
    expect(delays(page.statuses)).toEqual([1000, 2000, 4000, 1000, 2000, 4000])
    page.connection.closeConnection()
  })

  it('starts from increaseBounceIv', async () => {
    const page = await openPage({ increaseBounceIv: 500 })
    FakeSocket.last.end(1006)
    await settled()
    expect(delays(page.statuses)).toEqual([250])
    page.connection.closeConnection()
  })

  /** Philote’s port and the admin panel use other close codes. */
  type ElsewhereOnly = 'notPhilote' | 'refused' | 'signedOut' | 'notUnderstood'
  const outcomes = {
    ended: 'a new connection',
    unknownConnection: 'a new connection',
    stopping: 'the same connection, later',
    unavailable: 'the same connection, later',
    tooManyMessages: 'the same connection',
    slowReader: 'the same connection',
    replaced: 'nothing',
  } satisfies Record<Exclude<keyof typeof CLOSE, ElsewhereOnly>, string>
  it.each(Object.entries(outcomes))('after the close %s is to %s', async (name, outcome) => {
    const page = await openPage()
    FakeSocket.last.deliver(newMessage('hi', 'epoch-7'))
    const { code, text } = CLOSE[name as keyof typeof CLOSE]
    FakeSocket.last.end(code, text)
    await settled()
    const [delay] = delays(page.statuses)
    expect(delay).toBe(outcome === 'nothing' ? undefined : outcome.endsWith('later') ? 1500 : 1000)
    expect(page.statuses.at(-1)?.reason).toMatchObject({ code: 'closed', status: code })
    await pass(2000)
    const opened = FakeSocket.all.map(({ url }) => new URL(url).searchParams)
    const expected = outcome.startsWith('the same') ? 'conn-1' : 'conn-2'
    if (outcome === 'nothing') expect(opened).toHaveLength(1)
    else expect(opened[1]?.toString()).toBe(`conn_id=${expected}&cursor=epoch-7&hello=1`)
    expect(page.connection.status).toBe(outcome === 'nothing' ? 'disconnected' : 'connecting')
    page.connection.closeConnection()
  })

  it('is when a server that restarts has said, and then as after a first failure', async () => {
    const page = await openPage()
    FakeSocket.last.deliver(newMessage('hi', 'epoch-7'))
    FakeSocket.last.end(1012, 'server is restarting; retry-after=4.27')
    await pass(4269)
    expect(FakeSocket.all).toHaveLength(1)
    await pass(1)
    expect(FakeSocket.all).toHaveLength(2)
    FakeSocket.last.open().end(1006)
    await pass(1000)
    FakeSocket.last.open().end(1012, 'server is restarting; retry-after=900')
    await settled()
    expect(delays(page.statuses)).toEqual([4270, 1000, 60_000])
    page.connection.closeConnection()
  })

  it('does not happen if the page does not want it', async () => {
    const page = await openPage({ shouldReconnect: false })
    FakeSocket.last.end(1006)
    await pass(120_000)
    expect(FakeSocket.all).toHaveLength(1)
    expect(page.connection.status).toBe('disconnected')
  })

  it('can be asked for after it was given up', async () => {
    const page = await openPage()
    FakeSocket.last.end(4509)
    await settled()
    page.connection.retryConnection()
    await pass(1000)
    expect(new URL(FakeSocket.last.url).searchParams.get('conn_id')).toBe('conn-1')
    page.connection.closeConnection()
  })
})

describe('a server that says nothing', () => {
  it('is left after silenceTimeout, and its socket closed only when another works', async () => {
    const page = await openPage()
    const [first] = FakeSocket.all
    await pass(19_000)
    first?.deliver()
    await pass(19_000)
    expect(page.connection.connected).toBe(true)
    await pass(1000)
    expect(page.statuses.at(-1)).toMatchObject({ status: 'waiting', reason: { code: 'timeout' } })
    await pass(1000)
    const second = FakeSocket.last.shakeHands()
    expect([FakeSocket.all.length, first?.isClosed]).toEqual([2, false])
    second.deliver()
    await settled()
    expect([second.isClosed, first?.isClosed]).toEqual([false, true])
    page.connection.closeConnection()
  })

  it.each([0, -1, NaN, Infinity])(
    'is waited for if silenceTimeout is %d',
    async (silenceTimeout) => {
      const page = await openPage({ silenceTimeout })
      await pass(3_600_000)
      expect(page.connection.connected).toBe(true)
      page.connection.closeConnection()
    },
  )

  it('is given up when it does not even shake hands', async () => {
    const { fetch, requests } = fakeFetch((request) =>
      request.url.includes('/listen') ? unanswered(request) : { body: { conn_id: 'x' } },
    )
    const { connection } = fakePage({ fetch, longPollUrl: 'http://push.test/listen' })
    void connection.connect()
    await pass(8000)
    expect(requests.at(-1)?.url).toContain('/listen')
    expect(FakeSocket.last.isClosed).toBe(true)
    await pass(1000)
    expect(connection.transport).toBe('longpoll')
    connection.closeConnection()
  })
})

describe('where WebSockets do not get through', () => {
  const answers = { isUp: true }
  function blockedPage() {
    answers.isUp = true
    const { fetch, requests } = fakeFetch((request) => {
      if (request.url.includes('/connect')) return { body: { conn_id: 'x' } }
      return answers.isUp ? { body: [] } : { status: 500 }
    })
    return { ...fakePage({ fetch, longPollUrl: 'http://push.test/listen' }), requests }
  }

  it('they are tried again after one minute, two, four, up to ten', async () => {
    const { connection } = blockedPage()
    void connection.connect()
    const tried: number[] = []
    const startedAt = performance.now()
    for (let count = 0; performance.now() - startedAt < 2_400_000; await pass(1000)) {
      if (FakeSocket.all.length === count) continue
      count = FakeSocket.all.length
      tried.push(Math.round((performance.now() - startedAt) / 60_000))
      FakeSocket.last.end(1006)
    }
    expect(tried).toEqual([0, 1, 3, 7, 15, 25, 35])
    expect(connection.transport).toBe('longpoll')
    connection.closeConnection()
  })

  it('a WebSocket takes over when it can, without the page noticing a break', async () => {
    const { connection } = blockedPage()
    const statuses: unknown[] = []
    connection.on('status', ({ status, transport }) => statuses.push(transport ?? status))
    void connection.connect()
    await settled()
    FakeSocket.last.end(1006)
    await pass(61_000)
    FakeSocket.last.open()
    expect(statuses).toEqual(['connecting', 'longpoll', 'websocket'])
    connection.closeConnection()
  })

  it('two that opened in vain count as one that did not', async () => {
    const { connection } = blockedPage()
    void connection.connect()
    await settled()
    FakeSocket.last.shakeHands().end(1006)
    await pass(1000)
    FakeSocket.last.shakeHands().end(1006)
    await settled()
    expect(connection.transport).toBe('longpoll')
    connection.closeConnection()
  })

  it('and nothing else can be tried, another connection is asked for', async () => {
    const page = await openPage()
    FakeSocket.last.end(1006)
    await pass(1000)
    FakeSocket.last.shakeHands().end(1006)
    await pass(2000)
    FakeSocket.last.shakeHands().end(1006)
    await pass(4000)
    expect(new URL(FakeSocket.last.url).searchParams.get('conn_id')).toBe('conn-2')
    page.connection.closeConnection()
  })

  it('and polling does not work either, both are tried each time', async () => {
    const { connection, requests } = blockedPage()
    answers.isUp = false
    void connection.connect()
    for (let round = 1; round <= 3; round++) {
      await settled()
      FakeSocket.last.end(1006)
      await settled()
      expect([FakeSocket.all.length, requests.length]).toEqual([round, round + 1])
      await pass(2 ** round * 500)
    }
    connection.closeConnection()
  })

  it('an empty answer that comes at once is not asked for again at once', async () => {
    const { connection, requests } = blockedPage()
    connection.noWebsocket = true
    void connection.connect()
    await pass(10_000)
    expect(requests.length).toBeLessThanOrEqual(12)
    connection.closeConnection()
  })

  it.each([
    [401, 'conn-2'],
    [422, 'conn-2'],
    [403, 'conn-1'],
    [503, 'conn-1'],
  ])('a poll that is answered with %i goes on with %s', async (status, expected) => {
    let connections = 0
    const { fetch, requests } = fakeFetch((request) =>
      request.url.includes('/connect')
        ? { body: { conn_id: `conn-${++connections}` } }
        : { status },
    )
    const { connection } = fakePage({
      fetch,
      longPollUrl: 'http://push.test/listen',
      noWebsocket: true,
    })
    await expect(connection.connect()).rejects.toMatchObject({ status })
    await pass(1500)
    expect(requests.at(-1)?.url).toContain(`conn_id=${expected}`)
    connection.closeConnection()
  })

  it('a page in place of events is a failure', async () => {
    const { fetch } = fakeFetch((request) =>
      request.url.includes('/listen')
        ? { body: '<html>sign in</html>' }
        : { body: { conn_id: 'x' } },
    )
    const { connection } = fakePage({
      fetch,
      longPollUrl: 'http://push.test/listen',
      noWebsocket: true,
    })
    await expect(connection.connect()).rejects.toMatchObject({ code: 'answer' })
    connection.closeConnection()
  })
})

describe('heartbeats', () => {
  it('are sent every ten seconds while the socket is open', async () => {
    const page = await openPage({ silenceTimeout: 0 })
    await pass(30_000)
    expect(FakeSocket.last.sent).toEqual(Array(3).fill('{"type":"heartbeat"}'))
    page.connection.closeConnection()
    await pass(30_000)
    expect(FakeSocket.last.sent).toHaveLength(3)
  })

  it('are not sent if the page does not want them', async () => {
    const page = await openPage({ silenceTimeout: 0, heartbeats: false })
    await pass(30_000)
    expect(FakeSocket.last.sent).toEqual([])
    page.connection.closeConnection()
  })
})

describe('options that are undefined', () => {
  it('leave the defaults as they are', async () => {
    const page = await openPage({
      shouldReconnect: undefined as unknown as boolean,
      increaseBounceIv: undefined as unknown as number,
    })
    FakeSocket.last.end(1006)
    await pass(2_000)
    expect(FakeSocket.all).toHaveLength(2)
    page.connection.closeConnection()
  })
})

describe('the network and the page', () => {
  function browser() {
    const navigator = { onLine: true }
    const window = new EventTarget()
    const document = Object.assign(new EventTarget(), { visibilityState: 'visible' })
    vi.stubGlobal('navigator', navigator)
    vi.stubGlobal('document', document)
    vi.stubGlobal('addEventListener', window.addEventListener.bind(window))
    return {
      goOffline: () => (navigator.onLine = false),
      goOnline: () => {
        navigator.onLine = true
        window.dispatchEvent(new Event('online'))
      },
      setVisibility: (state: string) => {
        document.visibilityState = state
        document.dispatchEvent(new Event('visibilitychange'))
      },
    }
  }

  it('little is tried while the browser is offline, and at once when it is online', async () => {
    const { goOffline, goOnline } = browser()
    const page = await openPage()
    goOffline()
    FakeSocket.last.end(1006)
    await pass(59_000)
    expect(FakeSocket.all).toHaveLength(1)
    goOnline()
    await settled()
    expect(FakeSocket.all).toHaveLength(2)
    page.connection.closeConnection()
  })

  it('a browser that is wrongly offline is not believed for longer than a minute', async () => {
    const { goOffline } = browser()
    const page = await openPage()
    goOffline()
    for (let attempt = 2; attempt < 6; attempt++) {
      FakeSocket.last.end(1006)
      await pass(60_000)
      expect(FakeSocket.all).toHaveLength(attempt)
    }
    FakeSocket.last.open()
    await settled()
    FakeSocket.last.deliver([])
    await settled()
    expect(page.connection.status).toBe('connected')
    page.connection.closeConnection()
  })

  it('a page that is shown again does not wait', async () => {
    const { setVisibility } = browser()
    const page = await openPage()
    FakeSocket.last.end(1006)
    await settled()
    setVisibility('hidden')
    await settled()
    expect(FakeSocket.all).toHaveLength(1)
    setVisibility('visible')
    await settled()
    expect(FakeSocket.all).toHaveLength(2)
    page.connection.closeConnection()
  })

  it('a page that is shown again looks whether its socket still lives', async () => {
    const { setVisibility } = browser()
    const page = await openPage()
    await pass(9_000)
    setVisibility('visible')
    await settled()
    expect(page.connection.status).toBe('connected')
    await pass(2_000)
    setVisibility('visible')
    await settled()
    expect(page.connection.status).toBe('waiting')
    page.connection.closeConnection()
  })

  it('a page that has disconnected is left alone', async () => {
    const { goOnline, setVisibility } = browser()
    const page = await openPage()
    await page.connection.disconnect()
    goOnline()
    setVisibility('visible')
    await pass(60_000)
    expect([FakeSocket.all.length, page.requests.length]).toEqual([1, 1])
  })
})

describe('disconnect()', () => {
  const moments = {
    'before anything': () => Promise.resolve(fakePage()),
    'while the backend is asked': async () => {
      const page = fakePage({ fetch: fakeFetch(unanswered).fetch })
      void page.connection.connect()
      await settled()
      return page
    },
    'while a mutator is waited for': async () => {
      const page = fakePage()
      page.connection.addMutator(
        'connect',
        () => new Promise((resolve) => setTimeout(resolve, 500)),
      )
      void page.connection.connect()
      await settled()
      return page
    },
    'while the WebSocket opens': async () => {
      const page = fakePage()
      void page.connection.connect()
      await settled()
      return page
    },
    'while it is open': openPage,
    'while a retry is waited for': async () => {
      const page = await openPage()
      FakeSocket.last.end(1006)
      await settled()
      return page
    },
    'while the server is silent': async () => {
      const page = await openPage()
      await pass(21_500)
      return page
    },
    'while a poll waits': async () => {
      const page = fakePage({
        connectionId: 'id',
        longPollUrl: 'http://push.test/listen',
        noWebsocket: true,
        fetch: fakeFetch(unanswered).fetch,
      })
      void page.connection.startListening()
      await pass(1000)
      expect(page.connection.connected).toBe(true)
      return page
    },
    'from within a callback': async () => {
      const page = fakePage()
      page.connection.connectCallback = () => void page.connection.disconnect()
      void page.connection.connect()
      await settled()
      return page
    },
    'after a socket that went silent': async () => {
      const page = await openPage()
      await pass(20_000)
      expect(page.connection.status).toBe('waiting')
      return page
    },
    'from within a status event': async () => {
      const page = await openPage()
      page.connection.on('status', () => void page.connection.disconnect())
      FakeSocket.last.end(1006)
      await settled()
      return page
    },
  }

  it.each(Object.entries(moments))('%s ends everything', async (_moment, reach) => {
    const { connection, requests } = await reach()
    await connection.disconnect()
    await pass(30_000) // the page's own wait, and that for the backend's answer
    const before = [FakeSocket.all.length, requests.length]
    expect(vi.getTimerCount()).toBe(0)
    await pass(600_000)
    expect([FakeSocket.all.length, requests.length]).toEqual(before)
    expect(FakeSocket.all.every(({ isClosed, readyState }) => isClosed || readyState === 3)).toBe(
      true,
    )
    expect([connection.status, connection.connected, connection.connectionId]).toEqual([
      'disconnected',
      false,
      null,
    ])
    expect(reported).not.toHaveBeenCalled()
  })

  it('is the last status that is told, also if an error event asks for it', async () => {
    const { connection, statuses } = await openPage()
    connection.on('error', () => void connection.disconnect())
    FakeSocket.last.end(1006)
    await settled()
    expect(statuses.map(({ status }) => status).slice(-2)).toEqual(['waiting', 'disconnected'])
  })

  it('as soon as it is connected is not undone by the frame that connected it', async () => {
    const { connection } = fakePage()
    connection.listenOpenedCallback = () => void connection.disconnect()
    void connection.connect()
    await settled()
    FakeSocket.last.open()
    expect([connection.status, connection.connected]).toEqual(['disconnected', false])
  })

  it('rejects a connect() that is on its way', async () => {
    const { connection } = fakePage()
    const failure = connection.connect().catch((error: unknown) => error)
    await connection.disconnect()
    expect(await failure).toMatchObject({ code: 'disconnected' })
  })

  it('can be followed by connect(), which starts without the past', async () => {
    const page = await openPage()
    FakeSocket.last.deliver(newMessage('hi', 'epoch-7'))
    await page.connection.disconnect()
    void page.connection.connect()
    await settled()
    expect(new URL(FakeSocket.last.url).search).toBe('?conn_id=conn-2&cursor=0-0&hello=1')
    page.connection.closeConnection()
  })

  it('stops in the middle of a frame', async () => {
    const { connection } = await openPage()
    const heard: unknown[] = []
    connection.on('message', ({ message }) => {
      heard.push(message?.['text'])
      void connection.disconnect()
    })
    FakeSocket.last.deliver(newMessage('one'), newMessage('two'))
    expect(heard).toEqual(['one'])
  })
})

describe('what a server or a page does wrong', () => {
  it.each([
    ['no JSON', 'garbage'],
    ['no list', '{"type":"message"}'],
    ['a list of other things', '[null, 1, "x", [], {"type": 7}, {}]'],
    ['not even text', new ArrayBuffer(8)],
    ['nothing', ''],
  ])('a frame that is %s is told, and the next one is heard', async (_kind, frame) => {
    const { connection } = await openPage()
    const heard: unknown[] = []
    const errors: unknown[] = []
    connection.on('event', (event) => heard.push(event.type))
    FakeSocket.last.deliverText(frame)
    expect(reported).toHaveBeenCalledTimes(1) // since there is no listener
    connection.on('error', ({ error }) => errors.push(error.code))
    FakeSocket.last.deliverText(frame).deliver(newMessage('fine'))
    expect([heard, errors]).toEqual([['message'], ['frame']])
    expect(connection.connected).toBe(true)
    connection.closeConnection()
  })

  it('the good events of a bad frame are heard', async () => {
    const { connection } = await openPage()
    const heard: unknown[] = []
    connection.on('message', (event) => heard.push(event.message))
    FakeSocket.last.deliver(null, newMessage('fine'))
    expect(heard).toEqual([{ text: 'fine' }])
    connection.closeConnection()
  })

  it('an event of an unknown type is told as event only, whatever its name', async () => {
    const { connection } = await openPage()
    const heard: unknown[] = []
    connection.on('event', ({ type }) => heard.push(type))
    connection.on('status', () => heard.push('a status'))
    connection.on('error', () => heard.push('an error'))
    FakeSocket.last.deliver(
      ...['status', 'error', 'event', '__proto__', 'new'].map((type) => ({ type })),
    )
    expect(heard).toEqual(['status', 'error', 'event', '__proto__', 'new'])
    connection.closeConnection()
  })

  it('listeners and callbacks that throw are reported, and stop nothing', async () => {
    const { connection } = await openPage()
    const heard: unknown[] = []
    const fail = (): never => {
      throw new Error('the page is broken')
    }
    connection.listenMessageCallback = fail
    connection.listenCloseCallback = fail
    connection.on('event', fail)
    connection.on('message', () => Promise.reject(new Error('later')))
    connection.on('message', ({ message }) => heard.push(message?.['text']))
    FakeSocket.last.deliver(newMessage('one'), newMessage('two')).end(1006)
    await settled()
    expect(heard).toEqual(['one', 'two'])
    expect(reported).toHaveBeenCalledTimes(6)
    expect(connection.status).toBe('waiting')
    connection.closeConnection()
  })

  it('addresses that are none are told', async () => {
    const { connection } = fakePage({ websocketUrl: 'not an address' })
    await expect(connection.connect()).rejects.toMatchObject({ code: 'settings' })
    connection.closeConnection()
  })

  it('addresses of http are taken for WebSockets as well', async () => {
    const { connection } = fakePage({ websocketUrl: 'https://push.test/prefix/ws?key=1' })
    void connection.connect()
    await settled()
    expect(FakeSocket.last.url).toBe(
      'wss://push.test/prefix/ws?key=1&conn_id=conn-1&cursor=0-0&hello=1',
    )
    connection.closeConnection()
  })
})

describe('listeners', () => {
  it('hear until they are told to stop, or their signal is aborted', async () => {
    const { connection } = await openPage()
    const heard: unknown[] = []
    const controller = new AbortController()
    const stop = connection.on('message', () => heard.push('one'))
    connection.on('message', () => heard.push('other'), { signal: controller.signal })
    connection.on('message', () => heard.push('never'), { signal: AbortSignal.abort() })
    FakeSocket.last.deliver(newMessage(''))
    stop()
    stop()
    FakeSocket.last.deliver(newMessage(''))
    controller.abort()
    FakeSocket.last.deliver(newMessage(''))
    expect(heard).toEqual(['one', 'other', 'other'])
    connection.closeConnection()
  })

  it('may stop each other, and a function may listen twice', async () => {
    const { connection } = await openPage()
    const heard: unknown[] = []
    const hear = (): unknown => heard.push('')
    const stops = [connection.on('message', hear), connection.on('message', hear)]
    FakeSocket.last.deliver(newMessage(''))
    stops[0]?.()
    FakeSocket.last.deliver(newMessage(''))
    expect(heard).toHaveLength(3)
    connection.on('event', () => stops[1]?.())
    FakeSocket.last.deliver(newMessage(''))
    expect(heard).toHaveLength(3)
    connection.closeConnection()
  })
})

describe('for await', () => {
  it('yields events in order, also those that came before it asked, until disconnect()', async () => {
    const { connection } = await openPage()
    const events = connection.events()
    FakeSocket.last.deliver(newMessage('one'), newMessage('two'))
    const read = (async () => {
      const texts: unknown[] = []
      for await (const event of events)
        if (event.type === 'message') texts.push(event.message?.['text'])
      return texts
    })()
    await settled()
    FakeSocket.last.deliver(newMessage('three'))
    await connection.disconnect()
    expect(await read).toEqual(['one', 'two', 'three'])
  })

  it('reads the connection itself, and leaves nothing behind when it is left', async () => {
    const { connection } = await openPage()
    const read = (async () => {
      for await (const event of connection) return event.type
    })()
    await settled()
    FakeSocket.last.deliver(newMessage('one'))
    expect(await read).toBe('message')
    connection.closeConnection()
  })

  it('ends with its signal', async () => {
    const { connection } = await openPage()
    const controller = new AbortController()
    const events = connection.events({ signal: controller.signal })
    const next = events.next()
    controller.abort()
    expect(await next).toEqual({ done: true, value: undefined })
    expect(await connection.events({ signal: AbortSignal.abort() }).next()).toMatchObject({
      done: true,
    })
    connection.closeConnection()
  })

  it('keeps a bounded number of events, then fails', async () => {
    const { connection } = await openPage()
    const events = connection.events({ limit: 2 })
    FakeSocket.last.deliver(...['one', 'two', 'three', 'four'].map((text) => newMessage(text)))
    const read = async (): Promise<unknown> =>
      ((await events.next()).value as { message?: unknown }).message
    expect([await read(), await read()]).toEqual([{ text: 'one' }, { text: 'two' }])
    await expect(events.next()).rejects.toMatchObject({ code: 'overflow' })
    expect(await events.next()).toEqual({ done: true, value: undefined })
    connection.closeConnection()
  })

  it('fails when the connection is given up', async () => {
    const { connection } = await openPage()
    const next = connection.events().next()
    const waiting = next.catch((error: unknown) => error)
    FakeSocket.last.end(4509, 'opened elsewhere')
    expect(await waiting).toMatchObject({ code: 'closed', status: 4509 })
  })
})

describe('memory', () => {
  it('does not grow with what has passed', async () => {
    const { connection } = await openPage()
    let heard = 0
    connection.on('message', () => heard++)
    const signal = new AbortController().signal
    for (let n = 1; n <= 50_000; n++) {
      FakeSocket.last.deliver(newMessage('', `long-${n}`)).deliver(newMessage('', `long-${n}`))
      if (n % 100 === 0) connection.on('message', () => {}, { signal })()
    }
    expect(heard).toBe(50_000)
    expect(vi.getTimerCount()).toBeLessThanOrEqual(3)
    connection.closeConnection()
    expect(vi.getTimerCount()).toBe(0)
  })
})
