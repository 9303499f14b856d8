/** Each method of examples/python/channelstream_client.py against a real server. */
import { afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { Channelstream } from '../../src/backend/index.ts'
import { json, startFake } from '../backend/fakes.ts'
import { INSTALL_TIMEOUT_MS, setup } from '../helpers/debian-packages.ts'
import { until } from '../helpers/http.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import { PythonClient, runPython } from './client-driver.ts'
import type { ConfigInput } from '../../src/config/load.ts'

beforeAll(setup, INSTALL_TIMEOUT_MS)
afterEach(closeClients)

async function start(settings: ConfigInput = {}) {
  const server = await startServer(settings)
  onTestFinished(() => server.close())
  return { server, client: await PythonClient.start({ url: server.url }) }
}

const UUID = '7f0c9b52-4a8e-4f0e-8a0e-6d2f0f6c1f11'
const ANY_UUID = expect.stringMatching(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/) as string

describe('the client in Python', () => {
  it('connects a user, who hears of messages, edits and deletes', async () => {
    const { server, client } = await start()
    const connected = (await client.call('connect', ['ann'], {
      channels: ['lobby'],
      user_state: { color: 'red', age: 7 },
      fresh_user_state: { color: 'blue', new: true },
      state_public_keys: ['color'],
      channel_configs: { lobby: { store_history: true } },
      info: { return_public_state: true },
    })) as { conn_id: string }
    expect(connected).toMatchObject({
      conn_id: ANY_UUID,
      username: 'ann',
      state: { color: 'red', age: 7, new: true },
      public_state: { color: 'red' },
      channels: ['lobby'],
      channels_info: {
        channels: { lobby: { settings: { store_history: true } } },
        users: [{ user: 'ann', state: { color: 'red' } }],
      },
    })
    const ann = await Listener.open(server, connected.conn_id)
    const message = {
      user: 'bob',
      channel: 'lobby',
      message: { text: 'ä 秘密 🔑 \ud800' },
      icon: 1,
    }
    const [posted] = (await client.call('message', [message])) as [{ uuid: string }]
    expect(posted).toMatchObject({ ...message, uuid: ANY_UUID })
    const { uuid } = posted
    const edit = { channel: 'lobby', uuid, message: { text: 'b' } }
    expect(await client.call('edit', [edit])).toMatchObject([edit])
    expect(await client.call('delete', [[{ channel: 'lobby', uuid }]])).toMatchObject([{ uuid }])
    await until(() => ann.events.length === 3, 'three events')
    expect(ann.events.map((event) => [event.type, event['uuid'], event.message?.text])).toEqual([
      ['message', uuid, message.message.text],
      ['message:edit', uuid, 'b'],
      ['message:delete', uuid, undefined],
    ])
  })

  it('posts lists in their order, with the uuids that are given, and learns for whom', async () => {
    const { client } = await start()
    await client.call('connect', ['ann'], { channels: ['lobby', 'news'] })
    const channels = ['lobby', 'news', 'typo']
    const messages = [
      { user: 'bob', channel: 'lobby', uuid: UUID },
      { user: 'bob', channels },
    ]
    const unknown_channels = ['typo']
    expect(await client.call('message', [messages], { recipients: true })).toMatchObject([
      { uuid: UUID, recipients: { connections: 1, users: 1, unknown_channels: [] } },
      { channels, recipients: { connections: 2, users: 2, unknown_channels } },
    ])
    const [plain] = (await client.call('message', [messages])) as [object]
    expect(plain).not.toHaveProperty('recipients')
    expect(await client.call('message', [[]])).toEqual([])
  })

  it('joins and leaves channels, and ends connections', async () => {
    const { client } = await start()
    const conn_id = '3b8f2a6e-5d0c-4f7a-9a44-0f3f3c1f7d10'
    expect(await client.call('connect', ['ann'], { conn_id })).toMatchObject({ conn_id })
    const channels = ['news']
    expect(await client.call('subscribe', [channels], { conn_id })).toMatchObject({
      subscribed_to: channels,
    })
    expect(await client.call('unsubscribe', [channels], { conn_id })).toMatchObject({
      unsubscribed_from: channels,
    })
    const config = { channel_configs: { games: { history_size: 7 } } }
    const joined = await client.call('subscribe', [['games']], { username: 'ann', ...config })
    expect(joined).toMatchObject({
      conn_ids: [conn_id],
      channels_info: { channels: { games: { settings: { history_size: 7 } } } },
    })
    const left = await client.call('unsubscribe', [['games']], {
      username: 'ann',
      info: { include_users: false },
    })
    expect(left).toMatchObject({ conn_ids: [conn_id], channels: [] })
    expect(await client.call('disconnect', [conn_id])).toBe(true)
    expect(await client.call('disconnect', [conn_id])).toBe(false)
    await client.call('connect', ['ann'], { conn_id })
    const ended = { username: 'ann', conn_ids: [conn_id] }
    expect(await client.call('disconnect_user', ['ann'], { reason: 'out' })).toEqual(ended)
    expect(await client.call('disconnect_user', ['ann'])).toMatchObject({ conn_ids: [] })
  })

  it('sets states and settings, and describes what there is', async () => {
    const { client } = await start()
    await client.call('connect', ['ann'], { channels: ['lobby', 'news'] })
    const state = ['ann', { color: 'blue' }]
    expect(await client.call('user_state', state, { state_public_keys: ['color'] })).toEqual({
      user_state: { color: 'blue' },
      changed_state: [{ key: 'color', value: 'blue' }],
      public_keys: ['color'],
    })
    expect(
      await client.call('channel_config', [{ rules: { store_history: true, history_size: 2 } }]),
    ).toMatchObject({ channels: { rules: { settings: { history_size: 2 } } } })
    type Info = { channels: Record<string, object>; users: unknown[] }
    const all = (await client.call('info')) as Info
    expect(Object.keys(all.channels)).toEqual(['lobby', 'news', 'rules'])
    expect(all.users).toEqual([{ user: 'ann', state: { color: 'blue' } }])
    const some = (await client.call('info', [], {
      channels: ['lobby', 'news', 'typo'],
      exclude_channels: ['news'],
      include_history: { limit: 1 },
      include_users: false,
      return_public_state: true,
      counts: true,
    })) as Info
    expect(Object.keys(some.channels)).toEqual(['lobby'])
    expect(some.channels['lobby']).toMatchObject({ users: [], total_users: 1 })
    const lobby = { total_connections: 1, total_users: 1 }
    expect(await client.call('counts', [['typo', 'lobby']])).toEqual({ lobby })
    expect(Object.keys((await client.call('counts')) as object)).toHaveLength(3)
    expect(await client.call('counts', [[]])).toEqual({})
    expect(await client.call('online', [['bob', 'ann']])).toEqual([
      { user: 'ann', total_connections: 1, channels: ['lobby', 'news'] },
    ])
    expect(await client.call('admin')).toMatchObject({ total_connections: 1, total_channels: 3 })
    expect(await client.call('health')).toEqual({ status: 'ok' })
  })

  it('reads a history page by page', async () => {
    const { client } = await start()
    await client.call('channel_config', [{ lobby: { store_history: true } }])
    const texts = ['1', '2', '3', '4', '5']
    const posts = texts.map((text) => ({ user: 'bob', channel: 'lobby', message: { text } }))
    await client.call('message', [posts])
    type Page = { history: { id: string; message: { text: string } }[]; more: boolean }
    const read: Page['history'] = []
    for (let more = true; more;) {
      const after = read.at(-1)?.id ?? null
      const page = (await client.call('history', ['lobby'], { limit: 2, after })) as Page
      read.push(...page.history)
      more = page.more
    }
    expect(read.map(({ message }) => message.text)).toEqual(texts)
    const back = await client.call('history', ['lobby'], {
      ...{ before: read[2]?.id, limit: 1, reverse: true, username: 'ann' },
    })
    expect(back).toMatchObject({ history: [{ message: { text: '2' } }], more: true })
  })

  it('signs the path that is called, for signature_scope = endpoint', async () => {
    const { client } = await start({ signature_scope: 'endpoint' })
    await client.call('connect', ['ann'], { channels: ['a'] })
    expect(await client.call('admin')).toMatchObject({ total_connections: 1 })
    const posted = await client.call('message', [{ user: 'ann', channel: 'a' }], {
      recipients: true,
    })
    expect(posted).toMatchObject([{ recipients: { users: 1 } }])
  })

  it('has the methods of the library for Node.js, and calls the same', async () => {
    const calls: Record<string, readonly [unknown[], string]> = {
      connect: [['ann'], 'POST /connect'],
      subscribe: [[['a']], 'POST /subscribe'],
      unsubscribe: [[['a']], 'POST /unsubscribe'],
      disconnect: [['a'], 'POST /disconnect'],
      disconnect_user: [['ann'], 'POST /disconnect'],
      message: [[{ user: 'ann' }], 'POST /message'],
      edit: [[{ uuid: UUID }], 'PATCH /message'],
      delete: [[{ uuid: UUID }], 'DELETE /message'],
      user_state: [['ann'], 'POST /user_state'],
      channel_config: [[{}], 'POST /channel_config'],
      info: [[], 'POST /info'],
      history: [['a'], 'POST /history'],
      counts: [[], 'POST /info'],
      online: [[['ann']], 'POST /info'],
      admin: [[], 'GET /admin/admin.json'],
      health: [[], 'GET /health'],
    }
    const names = Object.getOwnPropertyNames(Channelstream.prototype)
    const ofNode = names.filter((name) => name !== 'constructor' && name !== 'close')
    const inPython = ofNode.map((name) => name.replace(/[A-Z]/g, (x) => `_${x.toLowerCase()}`))
    expect(Object.keys(calls).toSorted()).toEqual(inPython.toSorted())

    const fake = await startFake((socket) => socket.write(json(7)))
    const client = await PythonClient.start({ url: fake.url })
    const reads = ['info', 'history', 'counts', 'online', 'admin', 'health']
    for (const [name, [args, line]] of Object.entries(calls)) {
      expect(await client.error(name, args)).toMatchObject({ kind: 'BadAnswer', attempts: 1 })
      const request = fake.requests.at(-1) ?? ''
      expect([name, request.split(' HTTP')[0]]).toEqual([name, line])
      const hasKey = /^idempotency-key: "[\da-f-]{36}"\r$/im.test(request)
      expect([name, hasKey]).toEqual([name, !reads.includes(name)])
    }
    expect(fake.connections).toBe(1)
  })
})

it('integers of any size go through unchanged, as do UUIDs and times', async () => {
  const { server } = await start()
  const script = `
import datetime, json, sys, types, uuid
from channelstream_client import Channelstream

sent = [2**53 + 1, -2**63, 2**64, 10**4000 + 7, 0.1, 1e300, True, None]
with Channelstream(sys.argv[1], "secret") as client:
    client.channel_config({"lobby": {"store_history": True}})
    identity, at = uuid.uuid4(), datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    message = {"user": "ann", "channel": "lobby", "uuid": identity, "timestamp": at, "message": {"n": sent}}
    [posted] = client.message(message)
    [stored] = client.history("lobby")["history"]
    client.connect("ann", user_state=types.MappingProxyType({"n": 2**70}))
    state = client.user_state("ann", {"m": -(2**70)})["user_state"]
    assert message["uuid"] is identity
for item in (posted, stored):
    assert item["uuid"] == str(identity)
    got = item["message"]["n"]
    assert got == sent and [type(each) for each in got] == [type(each) for each in sent], got
assert state == {"n": 2**70, "m": -(2**70)}, state
print(json.dumps([posted["timestamp"], stored["timestamp"]]))
`
  const [posted, stored] = (await runPython(script, [server.url])) as [string, string]
  expect([posted, stored]).toEqual([posted, posted])
  expect(Date.parse(posted)).toBe(Date.UTC(2026, 0, 2, 3, 4, 5))
})

it('an integer with more digits than Python converts is read as a Decimal, and is not sent', async () => {
  const digits = '9'.repeat(100_000)
  const body = `{"status": "ok", "n": [${digits}, -${digits}]}`
  const fake = await startFake((socket) =>
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`),
  )
  const script = `
import decimal, json, sys
from channelstream_client import Channelstream

with Channelstream(sys.argv[1], "secret") as client:
    numbers = client.health()["n"]
    assert all(isinstance(number, decimal.Decimal) for number in numbers)
    try:
        client.message({"user": "ann", "message": {"n": 10**5000}})
    except ValueError as error:
        print(json.dumps([*map(str, numbers), str(error)]))
`
  const [one, other, error] = (await runPython(script, [fake.url])) as string[]
  expect([one === digits, other === `-${digits}`]).toEqual([true, true])
  expect(error).toContain('limit')
  expect(fake.requests).toHaveLength(1)
})
