import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { INSTALL_TIMEOUT_MS } from '../helpers/debian-packages.ts'
import { Backend, until } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import { refuseCrashes } from '../helpers/process.ts'
import { RedisServer } from '../helpers/redis.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import { Client } from './client.ts'
import { startPhilote } from './start.ts'
import type { RedisClient } from '../helpers/redis.ts'

refuseCrashes()

let redis: RedisServer
let commands: RedisClient
const open: Client[] = []
const closing: (() => Promise<void>)[] = []

beforeAll(async () => (redis = await RedisServer.start()), INSTALL_TIMEOUT_MS)
beforeEach(async () => {
  commands = await redis.client()
  await commands.sendCommand(['FLUSHALL'])
})
afterEach(async () => {
  for (const { socket } of open.splice(0)) socket.terminate()
  closeClients()
  for (const close of closing.splice(0)) await close()
  commands.destroy()
})
afterAll(() => redis.stop())

async function startStandalone(): Promise<number> {
  const server = await startPhilote({ REDIS_URL: redis.url })
  closing.push(() => server.close())
  return server.port
}

async function addKey(token: string, key: object): Promise<void> {
  await commands.set(`philote:access_key:${token}`, JSON.stringify(key))
}

/** Connects with a new key, and waits until the server listens for it. */
async function enter(port: number, name: string, read: string[], write: string[] = read) {
  await addKey(name, { read, write })
  const client = await Client.dial(name, `ws://127.0.0.1:${port}/${name}`, {
    headers: { Origin: 'http://localhost' },
  })
  open.push(client)
  for (const channel of read)
    await until(async () => (await subscribers(channel)) > 0, 'a subscription')
  return client
}

async function subscribers(channel: string): Promise<number> {
  const reply = await commands.sendCommand(['PUBSUB', 'NUMSUB', `philote:channel:${channel}`])
  return Number((reply as unknown as [string, number])[1])
}

const publish = (channel: string, message: object): Promise<unknown> =>
  commands.publish(
    `philote:channel:${channel}`,
    JSON.stringify({ channel, event: 'message', ...message }),
  )

const say = (client: Client, channel: string, data: string): Promise<void> =>
  client.send(JSON.stringify({ channel, data, event: 'message' }))

const philoteConnections = async (): Promise<number> =>
  // Without the connection of this test.
  (await commands.sendCommand<string>(['CLIENT', 'LIST'])).trim().split('\n').length - 1

describe('an access key that Redis does not let read', () => {
  it('refuses the client without a word of what Redis says', async () => {
    const port = await startStandalone()
    await addKey('known', { read: ['a'] })
    const dial = async (token: string): Promise<string> => {
      const headers = { Origin: 'http://localhost' }
      const client = await Client.dial(token, `ws://127.0.0.1:${port}/${token}`, { headers })
      open.push(client)
      return JSON.parse((await client.next(9000)).text) as string
    }
    await commands.rPush('philote:access_key:list', 'x')
    expect(await dial('list')).toBe(
      'WRONGTYPE Operation against a key holding the wrong kind of value',
    )
    await commands.sendCommand(['ACL', 'SETUSER', 'default', '-get'])
    try {
      expect(await dial('known')).toBe('ERR the access key cannot be read')
    } finally {
      await commands.sendCommand(['ACL', 'SETUSER', 'default', '+@all'])
    }
  })
})

describe('clients without a key', () => {
  const dialNowhere = async (port: number): Promise<Client> => {
    const headers = { Origin: 'http://localhost' }
    const client = await Client.dial('stranger', `ws://127.0.0.1:${port}/nowhere`, { headers })
    open.push(client)
    return client
  }

  it('are let go as soon as they have answered the close', async () => {
    const port = await startStandalone()
    const stranger = await dialNowhere(port)
    const begun = performance.now()
    await until(() => stranger.ending !== undefined, 'the close', 2_500)
    expect(stranger.ending?.code).toBe(1008)
    expect(performance.now() - begun).toBeLessThan(2_000)
  })

  it('take no place from those who have one', async () => {
    const port = await freePort()
    const server = await startServer({
      philote_port: port,
      philote_redis_url: redis.url,
      philote_max_connections: 3,
    })
    closing.push(() => server.close())
    const strangers = await Promise.all([1, 2, 3].map(() => dialNowhere(port)))
    await until(() => strangers.every(({ inbox }) => inbox.length > 0), 'the refusals')
    const ann = await enter(port, 'ann', ['room'])
    expect(ann.isOpen).toBe(true)
    expect(ann.ending).toBeUndefined()
  })
})

describe('Redis behind a Philote server', () => {
  it('is held by two connections and one subscription a channel, however many sockets there are', async () => {
    const port = await startStandalone()
    for (let n = 0; n < 20; n++) await enter(port, `t${n}`, ['a'])
    expect(await philoteConnections()).toBe(2)
    expect(await subscribers('a')).toBe(1)
    for (const { socket } of open) socket.close()
    await until(async () => (await subscribers('a')) === 0, 'the subscription to end')
    const [again, other] = [await enter(port, 'again', ['a']), await enter(port, 'other', ['a'])]
    await say(again, 'a', 'x')
    expect(await other.nextJson()).toMatchObject({ data: 'x' })
  })

  it('may be restarted: sockets stay open, and what is written meanwhile is handed on', async () => {
    const port = await startStandalone()
    const writer = await enter(port, 'w', ['a'])
    const reader = await enter(port, 'r', ['a'])
    commands.destroy()
    await redis.halt()
    await say(writer, 'a', 'meanwhile')
    await redis.restart()
    commands = await redis.client()
    await until(async () => (await subscribers('a')) === 1, 'the subscription to be back')
    await say(writer, 'a', 'afterwards')
    await until(() => reader.inbox.some(({ text }) => text.includes('afterwards')), 'the message')
    expect([writer.isOpen, reader.isOpen]).toEqual([true, true])
    const late = await enter(port, 'late', ['a'])
    await say(late, 'a', 'hello')
    await until(() => writer.inbox.some(({ text }) => text.includes('hello')), 'the message')
  })

  it('may cut its connections: both come back, and nothing is told twice', async () => {
    const port = await startStandalone()
    const writer = await enter(port, 'w', ['a'])
    const reader = await enter(port, 'r', ['a'])
    await commands.sendCommand(['CLIENT', 'KILL', 'SKIPME', 'yes'])
    await until(async () => (await subscribers('a')) === 1, 'the subscription to be back')
    for (const data of ['1', '2', '3']) await say(writer, 'a', data)
    for (const data of ['1', '2', '3']) expect(await reader.nextJson()).toMatchObject({ data })
  })

  it('may pause: what was written waits, in order', async () => {
    const port = await startStandalone()
    const writer = await enter(port, 'w', ['a'])
    const reader = await enter(port, 'r', ['a'])
    await commands.sendCommand(['CLIENT', 'PAUSE', '500', 'ALL'])
    for (let n = 0; n < 50; n++) await say(writer, 'a', String(n))
    for (let n = 0; n < 50; n++) expect(await reader.nextJson()).toMatchObject({ data: String(n) })
  })

  it('may hold anything: what is no message is passed over', async () => {
    const port = await startStandalone()
    const reader = await enter(port, 'r', ['a'])
    const channel = 'philote:channel:a'
    const rubbish = [
      '',
      'null',
      '[]',
      '7',
      '{',
      '{"event":"message","data":5}',
      '\u0000',
      '"x"',
      '{"event":1}',
    ]
    for (const text of rubbish) await commands.publish(channel, text)
    await commands.sendCommand(['PUBLISH', channel, Buffer.from([0xff, 0xfe]) as unknown as string])
    await publish('a', { data: 'x' })
    expect(await reader.nextJson()).toMatchObject({ data: 'x' })
  })

  it('tells a client that comes while it is away, and closes it', async () => {
    const port = await startStandalone()
    commands.destroy()
    await redis.halt()
    const client = await Client.dial('c', `ws://127.0.0.1:${port}/t`, {
      headers: { Origin: 'http://a' },
    })
    expect(JSON.parse((await client.next(9000)).text)).toBe('ERR Redis cannot be reached')
    expect(await client.closed()).toMatchObject({ code: 1008 })
    await redis.restart()
    commands = await redis.client()
  }, 25_000)
})

describe('Redis beside the REST API', () => {
  const start = async () => {
    const port = await freePort()
    const server = await startServer({ philote_port: port, philote_redis_url: redis.url })
    closing.push(() => server.close())
    return { server, port, backend: new Backend(server) }
  }

  it('hears what a backend posts for everybody, once, and nothing private', async () => {
    const { port, backend } = await start()
    const reader = await enter(port, 'r', ['a'])
    const heard: unknown[] = []
    const listening = await redis.client()
    await listening.subscribe('philote:channel:a', (text) => heard.push(JSON.parse(text)))
    await backend.say('a', 'private', { pm_users: ['ann'] })
    await backend.say('a', 'not for ann', { exclude_users: ['ann'] })
    await backend.say('a', 'for everybody')
    await until(() => heard.length > 0, 'the message on Redis')
    expect(heard).toMatchObject([
      { issuer: 'backend', channel: 'a', data: '{"text":"for everybody"}', event: 'message' },
    ])
    await publish('a', { data: 'last' })
    const texts = [await reader.nextJson(), await reader.nextJson(), await reader.nextJson()]
    expect(texts.map(({ data }) => data)).toEqual([
      '{"text":"not for ann"}',
      '{"text":"for everybody"}',
      'last',
    ])
    listening.destroy()
  })

  it('hears a message to several channels in each of them, once', async () => {
    const { port, backend } = await start()
    await backend.call('POST /channel_config', { a: {}, b: {} })
    const reader = await enter(port, 'reader', ['a', 'b'])
    const list = [
      { user: 'ann', channels: ['a', 'b', 'a'], message: { text: 'to both' } },
      { user: 'ann', channel: 'b', message: { text: 'last' } },
    ]
    const far = await redis.client()
    const heard: string[] = []
    await far.subscribe(['philote:channel:a', 'philote:channel:b'], (text, topic) => {
      heard.push(`${topic} ${(JSON.parse(text) as { data: string }).data}`)
    })
    await backend.call('POST /message', list)
    await until(() => heard.length === 3, 'what is published on Redis')
    far.destroy()
    expect(heard).toEqual([
      'philote:channel:a {"text":"to both"}',
      'philote:channel:b {"text":"to both"}',
      'philote:channel:b {"text":"last"}',
    ])
    const told = [await reader.nextJson(), await reader.nextJson(), await reader.nextJson()]
    expect(told.map(({ channel, data }) => [channel, data])).toEqual([
      ['a', '{"text":"to both"}'],
      ['b', '{"text":"to both"}'],
      ['b', '{"text":"last"}'],
    ])
  })

  it('reaches WebSockets, which hear sockets and whoever publishes', async () => {
    const { server, port, backend } = await start()
    const listener = await Listener.open(server, await backend.connect('ann', ['a']))
    await until(async () => (await subscribers('a')) === 1, 'the subscription')
    const writer = await enter(port, 'w', [], ['a'])
    await say(writer, 'a', '{"text":"from a socket"}')
    await listener.heard('from a socket')
    await publish('a', { data: '{"text":"from Redis"}', issuer: 'someone' })
    await listener.heard('from Redis')
    expect(listener.texts).toEqual(['from a socket', 'from Redis'])
    expect(listener.of('message')[1]).toMatchObject({ user: 'someone' })
  })

  it('brings what a socket writes into the history, also where nobody listens', async () => {
    const { port, backend } = await start()
    await backend.call('POST /channel_config', { a: { store_history: true } })
    const writer = await enter(port, 'w', [], ['a'])
    await say(writer, 'a', 'kept')
    const history = async () => (await backend.info()).channels['a']?.history ?? []
    await until(async () => (await history()).length === 1, 'the history')
    expect(await history()).toMatchObject([{ message: { data: 'kept' } }])
    writer.socket.close()
    await until(async () => (await subscribers('a')) === 0, 'the subscription to end')
  })

  it('joins two servers', async () => {
    const [one, two] = [await start(), await start()]
    const listener = await Listener.open(one.server, await one.backend.connect('ann', ['a']))
    await until(async () => (await subscribers('a')) === 1, 'the subscription')
    const writer = await enter(two.port, 'w', [], ['a'])
    await say(writer, 'a', '{"text":"from a socket"}')
    await listener.heard('from a socket')
    await two.backend.connect('bob', ['a'])
    await two.backend.say('a', 'from a backend')
    await listener.heard('from a backend')
    expect(listener.texts).toEqual(['from a socket', 'from a backend'])
  })
})
