import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend, until } from '../helpers/http.ts'
import { refuseCrashes } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, OPCODE, RawClient, clientFrame, closeClients } from '../helpers/websocket.ts'
import { expectNothingDone, expectRefusal } from './refusal.ts'
import type { TestServer } from '../helpers/server.ts'

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `c${i}`)
const UUID = '00000000-0000-4000-8000-000000000000'

describe('limits', { timeout: 90_000 }, () => {
  refuseCrashes()
  let server: TestServer
  let backend: Backend

  beforeAll(async () => {
    server = await startServer({
      gc_conns_after: 600,
      max_messages_per_request: 20,
      max_users_per_message: 5,
      max_channels_per_request: 10,
      max_channels_per_message: 7,
      max_counts_per_request: 30,
      max_state_bytes: 200,
      max_history_size: 50,
    })
    backend = new Backend(server)
  })
  afterAll(async () => {
    closeClients()
    await server.close()
  })

  const refuses = (line: string, json: unknown, field: string) =>
    expectNothingDone(backend, async () =>
      expectRefusal(await backend.send(line, { json }), 422, field),
    )

  describe('max_messages_per_request', () => {
    it.each([
      ['POST /message', { user: 'a', channel: 'room', message: {} }],
      ['PATCH /message', { uuid: UUID, channel: 'room' }],
      ['DELETE /message', { uuid: UUID, channel: 'room' }],
    ] as const)('%s takes as many and no more', async (line, message) => {
      const list = (count: number) => Array.from({ length: count }, () => message)
      expect((await backend.send(line, { json: list(20) })).status).toBe(200)
      await refuses(line, list(21), '_schema')
    })

    it('sends none of them', async () => {
      const listener = await Listener.open(server, await backend.connect('counter', ['counted']))
      const list = Array.from({ length: 21 }, () => ({ user: 'a', channel: 'counted' }))
      await refuses('POST /message', list, '_schema')
      await backend.say('counted', 'after')
      await listener.heard('after')
      expect(listener.of('message')).toHaveLength(1)
    })
  })

  it('max_users_per_message holds for every list of users of a message', async () => {
    for (const field of ['pm_users', 'exclude_users']) {
      const deleted = (count: number) => ({ uuid: UUID, [field]: names(count) })
      const message = (count: number) => ({ ...deleted(count), user: 'a' })
      for (const line of ['POST /message', 'PATCH /message'])
        await refuses(line, [message(5), message(6)], '1')
      await refuses('DELETE /message', [deleted(6)], '0')
      expect((await backend.send('POST /message', { json: [message(5)] })).status).toBe(200)
    }
  })

  it('max_channels_per_message holds, and each channel counts for max_messages_per_request', async () => {
    const to = (count: number) => ({ uuid: UUID, channels: names(count) })
    for (const line of ['POST /message', 'PATCH /message', 'DELETE /message']) {
      const list = (...counts: number[]) =>
        counts.map((count) => ({ ...to(count), ...(line === 'POST /message' && { user: 'a' }) }))
      expect((await backend.send(line, { json: list(7, 7, 6) })).status, line).toBe(200)
      await refuses(line, list(1, 8), '1')
      await refuses(line, list(7, 7, 7), '_schema')
    }
  })

  it('max_counts_per_request holds for channels and for users', async () => {
    for (const field of ['channels', 'users']) {
      const asked = (count: number) => ({ counts: true, [field]: names(count) })
      expect((await backend.send('POST /info', { json: asked(30) })).status).toBe(200)
      await refuses('POST /info', asked(31), field)
    }
  })

  it('a message has at most a thousand keys, those that are passed on included', async () => {
    const message = (count: number) => ({
      user: 'a',
      channel: 'room',
      ...Object.fromEntries(names(count - 2).map((key) => [key, 1])),
    })
    expect((await backend.send('POST /message', { json: [message(1_000)] })).status).toBe(200)
    await refuses('POST /message', [message(1_001)], '0')
    await refuses('PATCH /message', [{ ...message(1_000), uuid: UUID }], '0')
  })

  describe('max_channels_per_request', () => {
    it('holds for /connect, /subscribe, /unsubscribe and /channel_config', async () => {
      const conn_id = await backend.connect('collector', names(10))
      const configs = Object.fromEntries(names(11).map((name) => [name, {}]))
      await refuses('POST /connect', { username: 'b', channels: names(11) }, 'channels')
      await refuses('POST /subscribe', { conn_id, channels: names(11) }, 'channels')
      await refuses('POST /unsubscribe', { conn_id, channels: names(11) }, 'channels')
      await refuses('POST /channel_config', configs, '_schema')
    })

    it('holds for the settings of channels in /connect and /subscribe', async () => {
      const conn_id = await backend.connect('collector')
      const channel_configs = Object.fromEntries(names(11).map((name) => [name, {}]))
      await refuses('POST /connect', { username: 'b', channel_configs }, 'channel_configs')
      await refuses(
        'POST /subscribe',
        { conn_id, channels: ['c'], channel_configs },
        'channel_configs',
      )
    })

    it('holds for the channels that /info is asked for', async () => {
      await refuses('POST /info', { info: { channels: names(11) } }, 'info')
      await refuses('POST /info', { channels: names(11) }, 'info')
    })
  })

  describe('max_state_bytes', () => {
    const large = { key: 'x'.repeat(200) }

    it('refuses a state that is too large at once, and makes no user', async () => {
      await refuses('POST /connect', { username: 'large', user_state: large }, 'user_state')
      await refuses('POST /connect', { username: 'large', fresh_user_state: large }, 'user_state')
      const { status } = await backend.send('POST /user_state', { json: { user: 'large' } })
      expect(status).toBe(422)
    })

    it('refuses a state that grows too large bit by bit, and keeps what was there', async () => {
      await backend.connect('grower')
      const grow = (key: string) => ({ user: 'grower', user_state: { [key]: 'x'.repeat(80) } })
      await backend.call('POST /user_state', grow('one'))
      await backend.call('POST /user_state', grow('two'))
      await refuses('POST /user_state', grow('three'), 'user_state')
      const kept = await backend.call<{ user_state: object }>('POST /user_state', {
        user: 'grower',
      })
      expect(Object.keys(kept.user_state)).toEqual(['one', 'two'])
    })

    it('holds for the list of public keys as well', async () => {
      const state_public_keys = names(40)
      await refuses('POST /connect', { username: 'b', state_public_keys }, 'state_public_keys')
      await refuses('POST /user_state', { user: 'alice', state_public_keys }, 'state_public_keys')
      await backend.connect('listed', [], { state_public_keys: names(30) })
    })

    it('counts bytes, not characters', async () => {
      const state = { username: 'bytes', user_state: { key: '\u{1F600}'.repeat(60) } }
      await refuses('POST /connect', state, 'user_state')
    })
  })

  it('max_history_size: a channel may keep so many messages and no more', async () => {
    const config = (history_size: unknown) => ({ store_history: true, history_size })
    for (const size of [51, 1e9, 1e308, '99999999999999999999', 2 ** 53]) {
      await refuses('POST /channel_config', { big: config(size) }, 'history_size')
      const channel_configs = { big: config(size) }
      await refuses(
        'POST /connect',
        { username: 'a', channels: ['big'], channel_configs },
        'channel_configs',
      )
    }
    await backend.call('POST /channel_config', { kept: config(50) })
    for (let sent = 0; sent < 4; sent++) {
      const list = Array.from({ length: 20 }, () => ({ user: 'a', channel: 'kept' }))
      await backend.call('POST /message', list)
    }
    expect((await backend.info()).channels['kept']?.history).toHaveLength(50)
  })

  it('max_client_messages_per_second: a client that talks more is closed with 1008, others stay', async () => {
    const own = await startServer({ max_client_messages_per_second: 10, heartbeat_interval: 2 })
    const speaker = new Backend(own)
    const quiet = await Listener.open(own, await speaker.connect('quiet', ['room']))
    const loud = await Listener.open(own, await speaker.connect('loud', ['room']))
    for (let sent = 0; sent < 20; sent++) loud.send('x')
    await speaker.say('room', 'within the limit')
    await loud.heard('within the limit')
    for (let sent = 0; sent < 300; sent++) loud.send('x')
    expect((await loud.closed).code).toBe(1008)
    await speaker.say('room', 'to those who stayed')
    await quiet.heard('to those who stayed')
    await own.close()
  })

  it('max_client_messages_per_second: counts pings, pongs and binary frames alike', async () => {
    const own = await startServer({ max_client_messages_per_second: 5, heartbeat_interval: 2 })
    for (const opcode of [OPCODE.ping, OPCODE.pong, OPCODE.binary]) {
      const client = await RawClient.openWebSocket(own, await new Backend(own).connect('loud'))
      for (let sent = 0; sent < 100; sent++) client.write(clientFrame({ opcode }))
      await until(() => client.closeCode !== undefined, 'the close')
      expect(client.closeCode).toBe(1008)
    }
    await own.close()
  })

  it('max_frame_bytes: a larger frame closes the socket with 1009, one of that size does not', async () => {
    const own = await startServer({ max_frame_bytes: 1000 })
    const speaker = new Backend(own)
    const listener = await Listener.open(own, await speaker.connect('writer', ['room']))
    listener.send(Buffer.alloc(1000))
    await speaker.say('room', 'still here')
    await listener.heard('still here')
    listener.send(Buffer.alloc(1001))
    expect((await listener.closed).code).toBe(1009)
    await own.close()
  })

  it('forgets users and channels that nobody needs, however many came', async () => {
    const own = await startServer({ gc_conns_after: 0.5, gc_users_after: 0, gc_channels_after: 0 })
    const crowd = new Backend(own)
    const figures = async () => {
      const { total_channels, remembered_user_count, total_connections } =
        await crowd.call<Record<string, number>>('POST /admin/admin.json')
      return [total_channels, remembered_user_count, total_connections]
    }
    for (let round = 0; round < 50; round++) {
      const channels = names(200).map((name) => `${round} ${name}`)
      await crowd.connect(`user ${round}`, channels, { user_state: { key: 'x'.repeat(1000) } })
    }
    expect((await figures())[0]).toBeGreaterThan(1000)
    await until(
      async () => (await figures()).every((figure) => figure === 0),
      'an empty server',
      8_000,
    )
    await own.close()
  })

  describe('are told quickly, however much is wrong', () => {
    const wrong: readonly (readonly [string, string, string])[] = [
      ['500,000 numbers for messages', 'POST /message', `[${'1,'.repeat(500_000)}1]`],
      ['340,000 empty messages', 'POST /message', `[${'{},'.repeat(340_000)}{}]`],
      [
        '330,000 empty names of channels',
        'POST /connect',
        `{"username": "a", "channels": [${'"",'.repeat(330_000)}""]}`,
      ],
      [
        '60,000 unknown fields',
        'POST /connect',
        `{${names(60_000)
          .map((name) => `"${name}":1`)
          .join()}}`,
      ],
      [
        '100,000 channels',
        'POST /connect',
        JSON.stringify({ username: 'a', channels: names(100_000) }),
      ],
      [
        '60,000 settings that are none',
        'POST /channel_config',
        `{${names(60_000)
          .map((name) => `"${name}":1`)
          .join()}}`,
      ],
    ]
    it.each(wrong)('%s', async (_what, line, body) => {
      await backend.send('POST /info') // warm-up
      const began = process.cpuUsage()
      const answer = await backend.send(line, { body })
      // The server runs in this process. Processor time is measured, so that other load on the machine does not count.
      const { user, system } = process.cpuUsage(began)
      expect(answer.status).toBe(422)
      expect(answer.text.length).toBeLessThan(4 * body.length)
      expect((user + system) / 1000).toBeLessThan(1_000)
    })
  })
})
