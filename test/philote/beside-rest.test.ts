import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Backend } from '../helpers/http.ts'
import { send } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import { refuseCrashes } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import { Client, signToken } from './client.ts'
import type { TestServer } from '../helpers/server.ts'

const SECRET = 'philote secret'
const FORMER_SECRET = 'former, with a comma'

let server: TestServer
let port: number
let backend: Backend
const open: Client[] = []

refuseCrashes()
beforeAll(async () => {
  port = await freePort()
  const philote = { philote_port: port, philote_secret: SECRET }
  server = await startServer({ ...philote, philote_secret_fallbacks: FORMER_SECRET })
})
beforeEach(() => (backend = new Backend(server)))
afterEach(() => {
  closeClients()
  for (const { socket } of open.splice(0)) socket.terminate()
})
afterAll(() => server.close())

/** A Philote client that may read and write these channels. */
async function philote(
  name: string,
  read: string[],
  write: string[] = read,
  secret = SECRET,
): Promise<Client> {
  const token = signToken({ claims: { read, write } }, secret)
  const client = await Client.dial(name, `ws://127.0.0.1:${port}/?auth=${token}`)
  open.push(client)
  expect(client.isOpen).toBe(true)
  return client
}

/** A channel that only one test uses. */
let channels = 0
const newChannel = (): string => `bridge-${++channels}`

const historyOf = async (channel: string) =>
  (await backend.info()).channels[channel]?.history.map(({ user, message }) => ({ user, message }))

describe('a token', () => {
  it('may be signed with a former secret as long as that is listed', async () => {
    const channel = newChannel()
    const reader = await philote('reader', [channel], [], FORMER_SECRET)
    await backend.say(channel, 'hello')
    expect((await reader.next()).text).toContain('hello')
    const token = signToken({ claims: { read: [channel] } }, 'another')
    const refused = await Client.dial('stranger', `ws://127.0.0.1:${port}/?auth=${token}`)
    expect(refused.refused).toMatchObject({ status: 200, body: 'signature is invalid' })
  })
})

describe('what a backend posts', () => {
  it('reaches Philote readers of the channel, as JSON, or as the text that is all of it', async () => {
    const channel = newChannel()
    const reader = await philote('reader', [channel])
    await backend.call('POST /message', [
      { user: 'ann', channel, message: { text: 'one <b>' } },
      { user: 'ann', channel, message: { data: 'two ☃' } },
      { user: 'ann', channel },
    ])
    expect((await reader.next()).text).toBe(
      `{"issuer":"ann","channel":"${channel}","data":"{\\"text\\":\\"one \\u003cb\\u003e\\"}"}\n`,
    )
    expect((await reader.next()).text).toBe(
      `{"issuer":"ann","channel":"${channel}","data":"two ☃"}\n`,
    )
    expect((await reader.next()).text).toBe(`{"issuer":"ann","channel":"${channel}"}\n`)
  })

  it('reaches no Philote reader where it is private, edited, deleted or presence', async () => {
    const channel = newChannel()
    const reader = await philote('reader', [channel])
    await backend.connect('ann', [channel], {
      channel_configs: { [channel]: { notify_presence: true } },
    })
    const uuid = '00000000-0000-4000-8000-000000000001'
    await backend.say(channel, 'private', { pm_users: ['ann'], uuid })
    await backend.call('PATCH /message', [{ uuid, channel, message: { text: 'changed' } }])
    await backend.call('DELETE /message', [{ uuid, channel }])
    await backend.say(channel, 'for everybody')
    expect((await reader.nextJson())['data']).toBe('{"text":"for everybody"}')
  })

  it('reaches the one Philote reader that it is addressed to, and not the one that it leaves out', async () => {
    const channel = newChannel()
    const [one, two] = [await philote('one', [channel]), await philote('two', [channel])]
    await one.say(channel, 'hello')
    const issuer = String((await two.nextJson())['issuer'])
    await backend.say(channel, 'private', { pm_users: [issuer] })
    await backend.say(channel, 'not for one', { exclude_users: [issuer] })
    await backend.say(channel, 'for both')
    expect((await one.nextJson())['data']).toBe('{"text":"private"}')
    expect((await one.nextJson())['data']).toBe('{"text":"for both"}')
    expect((await two.nextJson())['data']).toBe('{"text":"not for one"}')
  })
})

describe('what a Philote client writes', () => {
  it('reaches WebSockets and polls as a message, and not itself', async () => {
    const channel = newChannel()
    const listener = await Listener.open(server, await backend.connect('ann', [channel]))
    const polling = await backend.connect('bob', [channel])
    const writer = await philote('writer', [channel])
    const reader = await philote('reader', [channel])
    await writer.say(channel, '{"text": "hello", "n": 1}')
    await writer.say(channel, 'just text')
    await listener.heard('hello')
    const { issuer } = await reader.nextJson()
    expect(listener.of('message')).toMatchObject([
      { channel, user: issuer, message: { text: 'hello', n: 1 }, edited: null, catchup: false },
      { channel, user: issuer, message: { data: 'just text' } },
    ])
    for (const event of listener.of('message'))
      expect(Object.keys(event).sort()).toEqual([
        'catchup',
        'channel',
        'date',
        'edited',
        'id',
        'message',
        'timestamp',
        'type',
        'user',
        'uuid',
      ])
    const { body } = await send(server, `GET /listen?conn_id=${polling}`)
    expect(body).toMatchObject([
      { message: { text: 'hello', n: 1 } },
      { message: { data: 'just text' } },
    ])
    expect(writer.inbox).toEqual([])
  })

  it('comes out at other Philote readers as it went in, in the order of everybody else', async () => {
    const channel = newChannel()
    const writer = await philote('writer', [channel])
    const reader = await philote('reader', [channel])
    const texts = ['{"data":"x"}', '{ "a" : 1.0 }', '<&>\u2028\u0001\b\f\n"\\', '', 'ünï 🎉', '{}']
    for (const text of texts) await writer.say(channel, text)
    for (const text of texts) expect((await reader.nextJson())['data'] ?? '').toBe(text)
  })

  it('lands in the history where the channel keeps one, and shows in /info and admin', async () => {
    const [kept, unkept] = [newChannel(), newChannel()]
    await backend.call('POST /channel_config', { [kept]: { store_history: true } })
    const before = await backend.call<{ total_unique_messages: number }>('POST /admin/admin.json')
    const writer = await philote('writer', [kept, unkept])
    const reader = await philote('reader', [kept, unkept])
    await writer.say(kept, '{"text": "kept"}')
    await writer.say(unkept, 'not kept')
    const { issuer } = await reader.nextJson()
    await reader.next()
    expect(await historyOf(kept)).toEqual([{ user: issuer, message: { text: 'kept' } }])
    expect(await historyOf(unkept)).toEqual([])
    const after = await backend.call<{ total_unique_messages: number }>('POST /admin/admin.json')
    expect(after.total_unique_messages - before.total_unique_messages).toBe(2)
    expect(JSON.stringify(await backend.info())).not.toContain('philote"')
  })

  it('is caught up by WebSockets that return', async () => {
    const channel = newChannel()
    const connId = await backend.connect('ann', [channel])
    const listener = await Listener.open(server, connId)
    await listener.breakOff()
    const writer = await philote('writer', [channel])
    await writer.say(channel, '{"text": "missed"}')
    const again = await Listener.open(server, connId)
    await again.heard('missed')
    expect(again.of('message')).toMatchObject([{ catchup: true, message: { text: 'missed' } }])
  })

  it('may be said in a channel of any name, also one that backends cannot name', async () => {
    const names = ['', 'x'.repeat(300), '__proto__', 'constructor', 'a\u0000b', 'é', 'e\u0301']
    const writer = await philote('writer', [], names)
    const reader = await philote('reader', names)
    for (const name of names) await writer.say(name, 'x')
    for (const name of names) expect((await reader.nextJson())['channel'] ?? '').toBe(name)
    expect((await backend.send('POST /info')).status).toBe(200)
  })

  it('is dropped where it may not write, and told if it asked to be told', async () => {
    const channel = newChannel()
    const token = signToken({ claims: { read: [channel] } }, SECRET)
    const before = server.app.philote?.refusedWrites ?? 0
    const url = `ws://127.0.0.1:${port}/?auth=${token}`
    const [asks, quiet] = [
      await Client.dial('asks', `${url}&errors=1`),
      await Client.dial('quiet', url),
    ]
    open.push(asks, quiet)
    const listener = await Listener.open(server, await backend.connect('ann', [channel]))
    await asks.say(channel, 'x')
    await quiet.say(channel, 'x')
    expect(await asks.nextJson()).toEqual({ error: 'not permitted', channel })
    await backend.say(channel, 'hello')
    expect((await quiet.nextJson())['issuer']).toBe('backend')
    await listener.heard('hello')
    expect(listener.of('message')).toHaveLength(1)
    expect((server.app.philote?.refusedWrites ?? 0) - before).toBe(2)
  })
})

describe('a Philote reader', () => {
  it('keeps its channels, makes no user and no presence, and is no connection of the channel', async () => {
    const channel = newChannel()
    const listener = await Listener.open(
      server,
      await backend.connect('ann', [channel], {
        channel_configs: { [channel]: { notify_presence: true } },
      }),
    )
    const reader = await philote('reader', [channel])
    await reader.say(channel, '{"text":"x"}')
    await listener.heard('x')
    expect(listener.of('presence').filter(({ user }) => user !== 'ann')).toEqual([])
    const info = await backend.info()
    expect(info.channels[channel]).toMatchObject({ total_connections: 1, users: ['ann'] })
  })

  it('is closed with 1012 when the server stops, and so is its port', async () => {
    const ownPort = await freePort()
    const own = await startServer({ philote_port: ownPort })
    const token = signToken({ claims: { read: ['a'] } }, '')
    const client = await Client.dial('client', `ws://127.0.0.1:${ownPort}/?auth=${token}`)
    await own.close()
    expect(await client.closed()).toEqual({
      code: 1012,
      reason: expect.stringMatching(/^server is restarting; retry-after=\d+\.\d\d$/) as string,
    })
    const late = await Client.dial('late', `ws://127.0.0.1:${ownPort}/?auth=${token}`)
    expect(late.isOpen).toBe(false)
  })
})
