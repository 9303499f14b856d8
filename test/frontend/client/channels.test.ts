import { afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { channelOf } from '../../../frontend/client/channels.ts'
import { Backend, until } from '../../helpers/http.ts'
import { startServer } from '../../helpers/server.ts'
import { FakeSocket, fakeFetch, fakePage, settled } from './fakes.ts'
import { Network } from './network.ts'
import { PageBackend, openPage } from './page-backend.ts'
import type { TestServer } from '../../helpers/server.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

const SUBSCRIBE = 'http://app.test/subscribe'
const UNSUBSCRIBE = 'http://app.test/unsubscribe'

/** A page whose backend keeps the channels of its connection. Calls for names in `refused` fail. */
function pageWithChannels(initial: string[] = []) {
  const channels = new Set(initial)
  const refused = new Set<string>()
  const { fetch, requests } = fakeFetch(({ url, body }) => {
    const { channels: names = [] } = body as { channels?: string[] }
    if (names.some((name) => refused.has(name))) return { status: 403 }
    for (const name of names)
      if (url === UNSUBSCRIBE) channels.delete(name)
      else channels.add(name)
    return { body: { conn_id: 'conn-1', channels: [...channels] } }
  })
  const { connection } = fakePage({
    fetch,
    channels: initial,
    subscribeUrl: SUBSCRIBE,
    unsubscribeUrl: UNSUBSCRIBE,
  })
  onTestFinished(() => connection.closeConnection())
  return {
    connection,
    refused,
    calls: () =>
      requests
        .filter(({ url }) => url === SUBSCRIBE || url === UNSUBSCRIBE)
        .map(({ url, body }) => [
          new URL(url).pathname.slice(1),
          ...(body as { channels: string[] }).channels,
        ]),
    open: async () => {
      const connected = connection.connect()
      await settled()
      FakeSocket.last.open()
      await connected
      await settled()
    },
  }
}

describe('a channel', () => {
  it('is subscribed to with its first listener, and left after its last one', async () => {
    const { connection, calls, open } = pageWithChannels(['lobby'])
    await open()
    const first = channelOf(connection, 'news').on('message', () => {})
    const second = channelOf(connection, 'news').on('presence', () => {})
    await settled()
    expect([calls(), connection.channels]).toEqual([[['subscribe', 'news']], ['lobby', 'news']])
    first()
    first()
    await settled()
    expect(calls()).toHaveLength(1)
    second()
    await settled()
    expect([calls()[1], connection.channels]).toEqual([['unsubscribe', 'news'], ['lobby']])
  })

  it('hears its own events only', async () => {
    const { connection, open } = pageWithChannels()
    await open()
    const heard: unknown[] = []
    const news = channelOf(connection, 'news')
    news.on('message', ({ message }) => heard.push(message?.['text']))
    news.on('gap', ({ channels }) => heard.push(channels))
    const of = (type: string, n: number, more: object) => ({ type, id: `e-${n}`, ...more })
    FakeSocket.last.deliver(
      of('message', 1, { channel: 'news', message: { text: 'mine' } }),
      of('message', 2, { channel: 'other', message: { text: 'not mine' } }),
      of('message', 3, { channel: null, message: { text: 'private' } }),
      of('gap', 4, { channels: ['other'] }),
      of('gap', 5, { channels: ['other', 'news'] }),
    )
    expect(heard).toEqual(['mine', ['other', 'news']])
  })

  it('of a component that is replaced at once is not left in between', async () => {
    const { connection, calls, open } = pageWithChannels()
    await open()
    const news = channelOf(connection, 'news')
    const off = news.on('message', () => {})
    await settled()
    off()
    news.on('message', () => {})
    await settled()
    expect(calls()).toEqual([['subscribe', 'news']])
  })

  it('that is left before it was joined ends outside', async () => {
    const { connection, calls, open } = pageWithChannels()
    await open()
    const off = channelOf(connection, 'news').on('message', () => {})
    await Promise.resolve()
    off()
    await settled()
    expect(calls()).toEqual([
      ['subscribe', 'news'],
      ['unsubscribe', 'news'],
    ])
    expect(connection.channels).toEqual([])
  })

  it('that gets a listener while it is being left is joined again', async () => {
    const { connection, calls, open } = pageWithChannels()
    await open()
    const news = channelOf(connection, 'news')
    const off = news.on('message', () => {})
    await settled()
    off()
    while (calls().length < 2) await Promise.resolve()
    expect(connection.channels, 'the answer has not come').toEqual(['news'])
    news.on('message', () => {})
    await settled()
    expect(calls().slice(1)).toEqual([
      ['unsubscribe', 'news'],
      ['subscribe', 'news'],
    ])
    expect(connection.channels).toEqual(['news'])
  })

  it('that could not be left is joined again with the next listener, and then left', async () => {
    const { connection, refused, calls, open } = pageWithChannels()
    await open()
    const news = channelOf(connection, 'news')
    const off = news.on('message', () => {})
    await settled()
    refused.add('news')
    off()
    await settled()
    expect(connection.channels).toEqual(['news'])
    refused.clear()
    const offAgain = news.on('message', () => {})
    await settled()
    offAgain()
    await settled()
    expect(calls().slice(2)).toEqual([
      ['subscribe', 'news'],
      ['unsubscribe', 'news'],
    ])
    expect(connection.channels).toEqual([])
  })

  it('that the page asked for by itself is not left', async () => {
    const { connection, calls, open } = pageWithChannels(['lobby'])
    await open()
    channelOf(connection, 'lobby').on('message', () => {})()
    await settled()
    expect([calls(), connection.channels]).toEqual([[], ['lobby']])
  })

  it('is asked for by connect() if there is a listener before', async () => {
    const { connection, calls, open } = pageWithChannels(['lobby'])
    const off = channelOf(connection, 'news').on('message', () => {})
    await settled()
    expect(connection.channels).toEqual(['lobby', 'news'])
    await open()
    expect(calls()).toEqual([])
    off()
    await settled()
    expect(calls()).toEqual([['unsubscribe', 'news']])
  })

  it('is left when a signal is aborted, and not joined when it already was', async () => {
    const { connection, calls, open } = pageWithChannels()
    await open()
    const { signal, abort } = ((controller) => ({
      signal: controller.signal,
      abort: () => controller.abort(),
    }))(new AbortController())
    channelOf(connection, 'news').on('message', () => {}, { signal })
    await settled()
    abort()
    await settled()
    channelOf(connection, 'news').on('message', () => {}, { signal })
    await settled()
    expect(calls()).toEqual([
      ['subscribe', 'news'],
      ['unsubscribe', 'news'],
    ])
  })

  it('that the backend refuses causes an error, and is asked for again with the next listener', async () => {
    const { connection, refused, calls, open } = pageWithChannels()
    await open()
    refused.add('secret')
    const errors: unknown[] = []
    const secret = channelOf(connection, 'secret')
    secret.on('error', (error) => errors.push(error.status))
    await settled()
    expect(errors).toEqual([403])
    refused.clear()
    secret.on('message', () => {})
    await settled()
    expect([calls().length, connection.channels]).toEqual([2, ['secret']])
  })

  it('that the network kept from the backend is asked for again, as long as somebody listens', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const { connection, refused, calls, open } = pageWithChannels()
    await open()
    refused.add('news')
    const errors: unknown[] = []
    const pageFetch = connection.fetch
    connection.fetch = () => Promise.reject(new TypeError('no network'))
    const news = channelOf(connection, 'news')
    const off = news.on('error', (error) => errors.push(error.code))
    await vi.advanceTimersByTimeAsync(5_000)
    expect(errors).toEqual(['unreachable', 'unreachable'])
    connection.fetch = pageFetch
    await vi.advanceTimersByTimeAsync(60_000)
    expect([errors.slice(2), calls()], 'a refusal is final').toEqual([
      ['request'],
      [['subscribe', 'news']],
    ])
    off()
  })

  it('is joined again when another connection is not in it', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const { fetch, requests } = fakeFetch(({ url }) => ({
      body: url === SUBSCRIBE ? { channels: ['news'] } : { conn_id: 'conn', channels: [] },
    }))
    const { connection } = fakePage({ fetch, subscribeUrl: SUBSCRIBE })
    onTestFinished(() => connection.closeConnection())
    channelOf(connection, 'news').on('message', () => {})
    const subscriptions = () => requests.filter(({ url }) => url === SUBSCRIBE).length
    for (const round of [1, 2]) {
      void connection.connect()
      await until(() => FakeSocket.all.length === round, 'a socket')
      FakeSocket.last.open()
      await until(() => subscriptions() === round, 'a subscription')
      expect(connection.channels).toEqual(['news'])
      FakeSocket.last.end(1000)
    }
  })
})

describe('the members of a channel', () => {
  const CONFIG = { channel_configs: { lobby: { notify_presence: true, notify_state: true } } }
  let server: TestServer
  beforeAll(async () => {
    server = await startServer({ heartbeat_interval: 0.1, resume_window: 5 })
    return () => server.close()
  })

  /** A page in a new channel, through a network that can break. */
  async function joined(name: string) {
    const app = new Backend(server)
    await app.call('POST /channel_config', { [name]: CONFIG.channel_configs.lobby })
    const network = await Network.to(server)
    const backend = await PageBackend.start(server)
    const page = openPage(backend, network, { username: 'ann', channels: [name] })
    const lobby = channelOf(page.connection, name)
    const changes: string[] = []
    const now = (): string => [...(lobby.members?.keys() ?? [])].sort().join(' ')
    lobby.on('members', () => changes.push(now()))
    await page.connection.connect()
    const enter = async (username: string, color = 'red'): Promise<string> => {
      const { conn_id } = await app.call<{ conn_id: string }>('POST /connect', {
        username,
        channels: [name],
        user_state: { color },
        state_public_keys: ['color'],
      })
      return conn_id
    }
    const leave = (connId: string) => app.call('POST /disconnect', { conn_id: connId })
    return { app, network, backend, lobby, changes, now, enter, leave, ...page }
  }

  it('are known from the answer of the backend, and kept by events', async () => {
    const { app, lobby, now, enter, leave } = await joined('known')
    await until(() => now() === 'ann', 'the page itself')
    const bob = await enter('bob', 'blue')
    await enter('cid')
    await until(() => now() === 'ann bob cid', 'both')
    expect(lobby.members?.get('bob')).toEqual({ color: 'blue' })
    await app.call('POST /user_state', { user: 'bob', user_state: { color: 'green' } })
    await until(() => lobby.members?.get('bob')?.['color'] === 'green', 'the state')
    await leave(bob)
    await until(() => now() === 'ann cid', 'bob to have left')
  })

  it('are right after a break in which some have come and gone', async () => {
    const { network, now, enter, leave, statuses } = await joined('broken')
    const bob = await enter('bob')
    await until(() => now() === 'ann bob', 'bob')
    network.blocked = /./
    network.cut()
    await until(() => statuses.at(-1) === 'waiting', 'the break')
    await leave(bob)
    await enter('dan')
    network.blocked = undefined
    await until(() => now() === 'ann dan', 'what happened meanwhile')
  })

  it('are asked for again after a gap', async () => {
    const { app, network, now, enter, leave, statuses, backend, gaps } = await joined('gap')
    const bob = await enter('bob')
    await until(() => now() === 'ann bob', 'bob')
    network.blocked = /./
    network.cut()
    await until(() => statuses.at(-1) === 'waiting', 'the break')
    await leave(bob)
    await enter('eve')
    const messages = Array.from({ length: 200 }, () => ({
      user: 'bob',
      channel: 'gap',
      message: { text: 'x' },
    }))
    for (let round = 0; round < 30; round++) await app.call('POST /message', messages)
    network.blocked = undefined
    await until(() => gaps() === 1, 'the gap')
    await until(() => now() === 'ann eve', 'who is there now')
    expect(backend.calls.filter((path) => path === '/subscribe')).toHaveLength(1)
  })

  it('are asked for once more if the network fails after a gap', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const info = { channels: { news: { users: ['ann'] } }, users: [{ user: 'ann', state: {} }] }
    const { fetch, requests } = fakeFetch(({ url }) => ({
      body: { conn_id: 'conn', channels: url === UNSUBSCRIBE ? [] : ['news'], channels_info: info },
    }))
    const { connection } = fakePage({ fetch, subscribeUrl: SUBSCRIBE, unsubscribeUrl: UNSUBSCRIBE })
    onTestFinished(() => connection.closeConnection())
    const off = channelOf(connection, 'news').on('members', () => {})
    const connected = connection.connect()
    await settled()
    FakeSocket.last.open()
    await connected
    FakeSocket.last.end(1006)
    await until(() => FakeSocket.all.length === 2, 'another socket')
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    connection.fetch = () => Promise.reject(new TypeError('no network'))
    FakeSocket.last.open().deliver({ type: 'gap', id: 'e-9', channels: ['news'] })
    await settled()
    connection.fetch = fetch
    const before = requests.length
    await vi.advanceTimersByTimeAsync(5_000)
    off()
    await settled()
    expect(requests.slice(before).map(({ url }) => url)).toEqual([SUBSCRIBE, UNSUBSCRIBE])
  })

  it('reach each channel once after a gap in many', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const names = Array.from({ length: 300 }, (_, n) => `channel ${n}`)
    const { fetch } = fakeFetch(() => ({
      body: {
        conn_id: 'conn',
        channels: names,
        channels_info: {
          channels: Object.fromEntries(names.map((name) => [name, { users: ['ann'] }])),
          users: [{ user: 'ann', state: {} }],
        },
      },
    }))
    const { connection } = fakePage({ fetch, subscribeUrl: SUBSCRIBE })
    onTestFinished(() => connection.closeConnection())
    let told = 0
    for (const name of names) channelOf(connection, name).on('members', () => told++)
    const connected = connection.connect()
    await settled()
    FakeSocket.last.open()
    await connected
    FakeSocket.last.end(1006)
    await until(() => FakeSocket.all.length === 2, 'another socket')
    told = 0
    FakeSocket.last.open().deliver({ type: 'gap', id: 'e-9', channels: names })
    await until(() => told > 0, 'the members')
    expect(told).toBe(names.length)
  })

  it('are asked for if the page was in the channel before anybody listened', async () => {
    const { backend, connection } = await joined('early')
    const late = openPage(backend, server, { username: 'bob', channels: ['early'] })
    await late.connection.connect()
    const early = channelOf(late.connection, 'early')
    early.on('message', () => {})
    const off = early.on('members', () => {})
    early.on('members', () => {})
    await until(() => early.members?.size === 2, 'both')
    off()
    early.on('members', () => {})
    await settled()
    expect(backend.calls.filter((path) => path === '/subscribe')).toHaveLength(1)
    expect(connection.channels).toEqual(['early'])
  })

  it('are those of the answer and of the events since it was asked for', async () => {
    const { connection, lobby, now, enter, leave, backend } = await joined('meanwhile')
    const bob = await enter('bob')
    await until(() => now() === 'ann bob', 'bob')
    // The answer says that bob is there. He leaves before it arrives.
    let arrive: () => void = () => {}
    const held = new Promise<void>((resolve) => (arrive = resolve))
    const answered = vi.spyOn(connection, 'subscribe').mockImplementation(async () => {
      const answer = {
        channels_info: {
          channels: { meanwhile: { users: ['ann', 'bob'] } },
          users: [],
        },
      }
      await held
      return answer
    })
    channelOf(connection, 'second').on('message', () => {})
    await until(() => answered.mock.calls.length === 1, 'the call')
    await leave(bob)
    await until(() => now() === 'ann', 'bob to have left')
    arrive()
    await answered.mock.results[0]?.value
    await settled()
    expect([now(), lobby.members?.size]).toEqual(['ann', 1])
    expect(backend.calls).not.toContain('/subscribe')
  })

  it('are unknown if the backend does not pass them on', async () => {
    const { connection, open } = pageWithChannels(['lobby'])
    const lobby = channelOf(connection, 'lobby')
    lobby.on('members', () => {})
    await open()
    FakeSocket.last.deliver({
      type: 'presence',
      id: 'e-1',
      channel: 'lobby',
      user: 'bob',
      users: [],
      message: { action: 'joined' },
      state: {},
    })
    expect(lobby.members).toBeNull()
  })
})
