import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { Backend, until } from '../../helpers/http.ts'
import { startServer } from '../../helpers/server.ts'
import { FakeSocket, fakeFetch, fakePage, settled } from './fakes.ts'
import { PageBackend, openPage } from './page-backend.ts'
import type { TestServer } from '../../helpers/server.ts'
import type { FakeRequest } from './fakes.ts'

const ADDRESSES = {
  subscribeUrl: 'http://app.test/subscribe',
  unsubscribeUrl: 'http://app.test/unsubscribe',
  userStateUrl: 'http://app.test/user_state',
  messageUrl: 'http://app.test/message',
  messageEditUrl: 'http://app.test/edit',
  messageDeleteUrl: 'http://app.test/delete',
}

/** A backend whose answers the test gives one by one. */
function heldPage() {
  let connections = 0
  const held: { request: FakeRequest; answer: (body: unknown) => void }[] = []
  const { fetch, requests } = fakeFetch((request) =>
    request.url.endsWith('/connect')
      ? { body: { conn_id: `conn-${++connections}`, channels: ['lobby'] } }
      : new Promise<never>((resolve) => {
          held.push({ request, answer: (body) => resolve({ body } as never) })
        }),
  )
  const { connection } = fakePage({ fetch, channels: ['lobby'], ...ADDRESSES })
  return {
    connection,
    held,
    paths: () => requests.map(({ url }) => new URL(url).pathname),
    open: async () => {
      const connected = connection.connect()
      await settled()
      FakeSocket.last.open()
      await connected
    },
  }
}

describe('calls for channels', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('are made one at a time, in their order', async () => {
    const { connection, held, open } = heldPage()
    await open()
    const left = connection.unsubscribe(['lobby'])
    const joined = connection.subscribe(['lobby'])
    await settled()
    expect(held.map(({ request }) => request.url)).toEqual([ADDRESSES.unsubscribeUrl])
    held[0]?.answer({ channels: [] })
    await left
    await settled()
    expect(held.map(({ request }) => request.url)).toEqual([
      ADDRESSES.unsubscribeUrl,
      ADDRESSES.subscribeUrl,
    ])
    held[1]?.answer({ channels: ['lobby'] })
    await joined
    expect(connection.channels).toEqual(['lobby'])
    connection.closeConnection()
  })

  it('that follow each other and want the same are one', async () => {
    const { connection, held, open } = heldPage()
    await open()
    const answers = [
      connection.subscribe(['a', 'b']),
      connection.subscribe(['b', 'c']),
      connection.unsubscribe(['a']),
      connection.subscribe(['d']),
    ]
    for (let call = 0; call < 3; call++) {
      await settled()
      expect(held).toHaveLength(call + 1)
      held[call]?.answer({ channels: [`after ${call}`] })
    }
    expect(held.map(({ request }) => (request.body as { channels: string[] }).channels)).toEqual([
      ['a', 'b', 'c'],
      ['a'],
      ['d'],
    ])
    expect(await Promise.all(answers)).toEqual(
      [0, 0, 1, 2].map((call) => ({ channels: [`after ${call}`] })),
    )
    connection.closeConnection()
  })

  it('go on after one that failed', async () => {
    const { fetch } = fakeFetch(({ url }) => ({
      status: url.includes('unsubscribe') ? 403 : 200,
      body: { channels: ['b'] },
    }))
    const { connection } = fakePage({ fetch, connectionId: 'conn-1', ...ADDRESSES })
    const refused = connection.unsubscribe(['a'])
    const joined = connection.subscribe(['b'])
    await expect(refused).rejects.toMatchObject({ code: 'request', status: 403 })
    expect(await joined).toEqual({ channels: ['b'] })
  })

  it('are made once more for the connection that has replaced the former meanwhile', async () => {
    const { connection, held, open } = heldPage()
    await open()
    const told: unknown[] = []
    connection.subscribeCallback = (request) => void told.push(request.body)
    const joined = connection.subscribe(['news'])
    await settled()
    FakeSocket.last.end(1000)
    await vi.advanceTimersByTimeAsync(2_000)
    await settled()
    FakeSocket.last.open()
    expect(connection.connectionId).toBe('conn-2')
    held[0]?.answer({ channels: ['of', 'the', 'former'] })
    await settled()
    expect(connection.channels).toEqual(['lobby'])
    expect(held[1]?.request.body).toEqual({ channels: ['news'], conn_id: 'conn-2' })
    held[1]?.answer({ channels: ['lobby', 'news'] })
    expect(await joined).toEqual({ channels: ['lobby', 'news'] })
    expect(connection.channels).toEqual(['lobby', 'news'])
    expect(told).toEqual([{ channels: ['news'], conn_id: 'conn-2' }])
    connection.closeConnection()
  })

  it('wait for the first connection', async () => {
    const { connection, held, open } = heldPage()
    const joined = connection.subscribe(['news'])
    await settled()
    expect(held).toEqual([])
    await open()
    await settled()
    expect(held[0]?.request.body).toEqual({ channels: ['news'], conn_id: 'conn-1' })
    held[0]?.answer({})
    expect(await joined).toEqual({})
    connection.closeConnection()
  })

  it('do not wait for it longer than half a minute', async () => {
    const { connection, held } = heldPage()
    const failure = connection.subscribe(['news']).catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(30_000)
    expect(await failure).toMatchObject({ code: 'unconnected' })
    expect(held).toEqual([])
  })

  it('end with disconnect(), whether they wait or are made', async () => {
    const { connection, held, open } = heldPage()
    const waiting = connection.subscribe(['news']).catch((error: unknown) => error)
    await settled()
    await connection.disconnect()
    expect(await waiting).toMatchObject({ code: 'disconnected' })
    await open()
    const made = connection.subscribe(['news']).catch((error: unknown) => error)
    await settled()
    await connection.disconnect()
    held[0]?.answer({ channels: ['news'] })
    expect(await made).toMatchObject({ code: 'disconnected' })
    expect(connection.channels).toEqual(['lobby'])
  })

  it('that waited before disconnect() end, and are not mixed with those since then', async () => {
    const { connection, held, open } = heldPage()
    await open()
    const calls = [connection.unsubscribe(['lobby']), connection.subscribe(['news'])]
    const failures = calls.map((call) => call.catch((error: unknown) => error))
    await settled()
    await connection.disconnect()
    const joined = connection.subscribe(['other'])
    await open()
    held[0]?.answer({ channels: [] })
    for (const failure of failures) expect(await failure).toMatchObject({ code: 'disconnected' })
    await settled()
    expect(held[1]?.request.body).toEqual({ channels: ['other'], conn_id: 'conn-2' })
    held[1]?.answer({ channels: ['lobby', 'other'] })
    await joined
    expect(connection.channels).toEqual(['lobby', 'other'])
    connection.closeConnection()
  })

  it('without an address are not sent to the page itself', async () => {
    const { connection, requests } = fakePage({ connectionId: 'conn-1' })
    await expect(connection.subscribe(['a'])).rejects.toMatchObject({ code: 'settings' })
    expect(requests).toEqual([])
  })

  it('do not pile up without limit', async () => {
    const { connection } = heldPage()
    const failures: unknown[] = []
    for (let n = 0; n < 1_003; n++)
      (n % 2 ? connection.subscribe(['a']) : connection.unsubscribe(['a'])).catch(
        (error: { code: string }) => failures.push(error.code),
      )
    await settled()
    // One of them is merged with a call that waits.
    expect(failures).toEqual(['overflow', 'overflow'])
    await connection.disconnect()
  })
})

describe('calls for messages and states', () => {
  it('keep their order, and do not wait for those for channels', async () => {
    const { connection, held, open } = heldPage()
    await open()
    const form = { text: 'one' }
    void connection.subscribe(['a'])
    const said = connection.message(form)
    form.text = '' // a page that empties its form
    const rest = [
      connection.updateUserState({ color: 'red' }),
      connection.edit({ uuid: 'u' }),
      connection.delete({ uuid: 'u' }),
    ]
    const order = ['/message', '/user_state', '/edit', '/delete']
    const others = () => held.filter(({ request }) => request.url !== ADDRESSES.subscribeUrl)
    for (let made = 1; made <= order.length; made++) {
      await settled()
      expect(others().map(({ request }) => new URL(request.url).pathname)).toEqual(
        order.slice(0, made),
      )
      others()[made - 1]?.answer({ made })
    }
    expect(others()[0]?.request.body).toEqual({ text: 'one' })
    expect(held).toHaveLength(1 + order.length)
    expect(await said).toEqual({ made: 1 })
    expect(await Promise.all(rest)).toEqual([{ made: 2 }, { made: 3 }, { made: 4 }])
    connection.closeConnection()
  })

  it('need no connection: a page may post without listening', async () => {
    const { connection, requests } = fakePage(ADDRESSES)
    await connection.updateUserState({ color: 'red' })
    await connection.message({ text: 'hi' })
    expect(requests.map(({ body }) => body)).toEqual([
      { username: 'Anonymous', conn_id: null, update_state: { color: 'red' } },
      { text: 'hi' },
    ])
  })

  it('reject, and do not throw, when they cannot be JSON', async () => {
    const { connection, requests } = fakePage(ADDRESSES)
    const circle: { self?: object } = {}
    circle.self = circle
    for (const failing of [connection.message(circle), connection.updateUserState(circle)])
      await expect(failing).rejects.toThrow(/circular/)
    expect(requests).toEqual([])
  })

  it("recognise the page's own messages, by a uuid of the page or of the answer", async () => {
    const { connection, held } = heldPage()
    const said = [
      connection.message({ uuid: 'mine', text: 'a' }),
      connection.message({ text: 'b' }),
    ]
    expect(connection.isOwn({ uuid: 'mine' })).toBe(true)
    await settled()
    held[0]?.answer([{ uuid: 'mine' }])
    await settled()
    expect(connection.isOwn({ uuid: 'given' })).toBe(false)
    held[1]?.answer([{ uuid: 'given', text: 'b' }])
    expect(await said[1]).toEqual([{ uuid: 'given', text: 'b' }])
    expect(['mine', 'given', 'other', undefined].map((uuid) => connection.isOwn({ uuid }))).toEqual(
      [true, true, false, false],
    )
  })
})

interface Info {
  readonly channels: Readonly<Record<string, { readonly total_connections: number }>>
}

describe('with a network that delays each call differently', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startServer()
    return () => server.close()
  })

  const jitter = (): Promise<void> => sleep(Math.random() * 20)

  it('a page is where its last call says, each time', async () => {
    const backend = await PageBackend.start(server)
    backend.beforeForwarding = jitter
    const { connection } = openPage(backend, server)
    await connection.connect()
    const app = new Backend(server)
    const isIn = async (): Promise<boolean> => {
      const { channels } = await app.call<Info>('POST /info', { info: {} })
      return (channels['lobby']?.total_connections ?? 0) > 0
    }
    for (let pair = 0; pair < 60; pair++) {
      const [first, last] =
        pair % 2 ? (['subscribe', 'unsubscribe'] as const) : (['unsubscribe', 'subscribe'] as const)
      void connection[first](['lobby'])
      await connection[last](['lobby'])
      const expected = last === 'subscribe'
      expect([connection.channels.includes('lobby'), await isIn()]).toEqual([expected, expected])
    }
  })

  it('messages come in the order in which they were said', async () => {
    const backend = await PageBackend.start(server)
    backend.beforeForwarding = jitter
    const { connection, texts } = openPage(backend, server)
    await connection.connect()
    const said = Array.from({ length: 40 }, (_, n) => `said ${n}`)
    for (const text of said)
      void connection.message({ user: 'ann', channel: 'lobby', message: { text } })
    await until(() => texts().length === said.length, 'all messages')
    expect(texts()).toEqual(said)
  })
})
