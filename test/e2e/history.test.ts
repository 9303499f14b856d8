/** Histories and settings by prefix over HTTP, on one server in memory and on two that share a Redis. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend, send } from '../helpers/http.ts'
import { RedisServer } from '../helpers/redis.ts'
import { startServer } from '../helpers/server.ts'
import { Servers } from '../helpers/servers.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import type { ConfigInput } from '../../src/config/load.ts'
import type { ChannelsInfo, HistoryResponse } from '../../src/protocol/responses.ts'
import type { Address } from '../helpers/http.ts'

interface Site extends Address {
  close(): Promise<void>
}

const SITES: [string, (settings: ConfigInput) => Promise<Site>][] = [
  ['in memory', startServer],
  [
    'on Redis',
    async (settings) => {
      const redis = await RedisServer.start()
      const servers = await Servers.start(redis, 2, settings)
      return {
        host: servers.host,
        get port() {
          return servers.port
        },
        close: async () => {
          await servers.close()
          await redis.stop()
        },
      }
    },
  ],
]

const SECTIONS = JSON.stringify({
  'chat-*': { store_history: true, history_size: 5 },
  'chat-long-*': { store_history: true, history_size: 3_000, notify_presence: true },
  lobby: { store_history: true, history_size: 1_000 },
})

const textsOf = (history: HistoryResponse['history']) =>
  history.map((item) => (item.message as { text: string }).text)

describe.each(SITES)('a server %s', (_where, start) => {
  let site: Site
  let backend: Backend
  beforeAll(async () => {
    site = await start({
      channel_settings: SECTIONS,
      history_ttl: 3600,
      max_history_size: 100_000,
    })
    backend = new Backend(site)
    return () => site.close()
  }, 60_000)
  afterAll(closeClients)

  const page = (request: object) => backend.call<HistoryResponse>('POST /history', request)
  const settingsOf = async (channel: string) => {
    const { channels } = await backend.call<ChannelsInfo>('POST /info', {
      info: { channels: [channel] },
    })
    return channels[channel]?.settings
  }
  const post = (channel: string, first: number, last: number) =>
    backend.call(
      'POST /message',
      Array.from({ length: last - first + 1 }, (_, index) => ({
        user: 'bob',
        channel,
        message: { text: String(first + index) },
      })),
    )

  it('gives out a history page by page, while others write to it', async () => {
    const channel = 'chat-long-1'
    await backend.connect('ann', [channel])
    await post(channel, 1, 2_000)
    const read: string[] = []
    for (let [after, more, round] = [undefined as string | undefined, true, 0]; more; round++) {
      const answer = await page({ channel, limit: 300, ...(after !== undefined && { after }) })
      read.push(...textsOf(answer.history))
      const last = answer.history.at(-1)
      ;[after, more] = [last?.id, answer.more]
      if (round === 2) await post(channel, 2_001, 2_010)
      if (round > 4) continue
      const uuid = answer.history[10]?.uuid
      await backend.call('DELETE /message', [{ channel, uuid: last?.uuid }])
      await backend.call('PATCH /message', [{ channel, uuid, message: { text: 'edited' } }])
    }
    expect(read).toEqual(Array.from({ length: 2_010 }, (_, index) => String(index + 1)))
    const whole = await page({ channel, limit: 1_000, reverse: true })
    expect(textsOf(whole.history).slice(0, 3)).toEqual(['2010', '2009', '2008'])
    const { history } = await page({ channel, limit: 20 })
    expect(textsOf(history)[10]).toBe('edited')
  })

  it('refuses what is no page, with the field', async () => {
    const complaint = async (request: object) => {
      const { status, body } = await backend.send('POST /history', { json: request })
      return [status, body]
    }
    const channel = 'lobby'
    await backend.connect('ann', [channel])
    await post(channel, 1, 1)
    const [item] = (await page({ channel })).history
    const id = item?.id ?? ''
    const event = ['Not the id of an event.']
    expect(await complaint({ channel: 'loby' })).toEqual([422, { channel: ['Unknown channel'] }])
    expect(await complaint({ channel, before: 'x' })).toEqual([422, { before: event }])
    expect(await complaint({ channel, after: 7 })).toEqual([
      422,
      { after: ['Not a valid string.'] },
    ])
    expect(await complaint({ channel, limit: 0 })).toEqual([
      422,
      { limit: ['Must be greater than or equal to 1.'] },
    ])
    expect(await complaint({ channel, limit: 1001 })).toEqual([
      422,
      { limit: ['Must be less than or equal to 1000.'] },
    ])
    expect(await complaint({ channel, before: id, after: id })).toEqual([
      422,
      { before: ['Not together with after.'] },
    ])
    expect(await complaint({ channel, limits: 1 })).toEqual([422, { limits: ['Unknown field.'] }])
    expect(await complaint({})).toEqual([422, { channel: ['Missing data for required field.'] }])
    const lost = await backend.send('POST /history', { json: { channel, before: 'abc-1' } })
    expect([lost.status, lost.headers['x-channelstream-error']]).toEqual([410, 'OUTDATED_ID'])
    expect((await send(site, 'POST /history', { json: { channel } })).status).toBe(403)
  })

  it('shows a user of a page only what is for this user', async () => {
    const channel = 'chat-private'
    await backend.connect('ann', [channel])
    await backend.say(channel, 'for ann and bob', { pm_users: ['ann', 'bob'] })
    await backend.say(channel, 'for bob', { pm_users: ['bob'] })
    await backend.say(channel, 'for all')
    expect(textsOf((await page({ channel })).history)).toHaveLength(3)
    const { history } = await page({ channel, username: 'ann' })
    expect(history.map(({ message, pm_users }) => [message, pm_users])).toEqual([
      [{ text: 'for ann and bob' }, ['ann']],
      [{ text: 'for all' }, []],
    ])
  })

  it('limits the histories of /info and /connect', async () => {
    const channel = 'lobby'
    await backend.connect('ann', [channel])
    await post(channel, 1, 500)
    const limited = async (include_history: unknown) => {
      const { channels } = await backend.call<ChannelsInfo>('POST /info', {
        info: { channels: [channel], include_history },
      })
      return textsOf(channels[channel]?.history ?? []).length
    }
    expect(await limited({ limit: 3 })).toBe(3)
    expect(await limited({ limit: '250' })).toBe(250)
    expect(await limited({ limit: 0 })).toBe(0)
    expect(await limited('no')).toBe(0)
    expect(await limited(true)).toBeGreaterThanOrEqual(500)
    const connected = await backend.call<{ channels_info: ChannelsInfo }>('POST /connect', {
      username: 'cem',
      channels: [channel],
      info: { include_history: { limit: 2 } },
    })
    expect(textsOf(connected.channels_info.channels[channel]?.history ?? [])).toEqual([
      '499',
      '500',
    ])
    const refused = async (include_history: unknown) =>
      (await backend.send('POST /info', { json: { info: { include_history } } })).body
    expect(await refused('perhaps')).toEqual({
      info: { include_history: ['Not a valid boolean.'] },
    })
    expect(await refused(null)).toEqual({ info: { include_history: ['Field may not be null.'] } })
    expect(await refused({})).toEqual({
      info: { include_history: { limit: ['Missing data for required field.'] } },
    })
    expect(await refused({ limit: -1 })).toEqual({
      info: { include_history: { limit: ['Must be greater than or equal to 0.'] } },
    })
    expect(await refused({ limit: 1, more: 1 })).toEqual({
      info: { include_history: { more: ['Unknown field.'] } },
    })
  })

  it('gives new channels the settings of their section, however they are made', async () => {
    const conn_id = await backend.connect('ann', ['chat-1'])
    expect(await settingsOf('chat-1')).toMatchObject({ store_history: true, history_size: 5 })
    await backend.call('POST /subscribe', {
      conn_id,
      channels: ['chat-2', 'other'],
      channel_configs: { 'chat-2': { history_size: 7 } },
    })
    expect(await settingsOf('chat-2')).toMatchObject({ store_history: true, history_size: 7 })
    expect(await settingsOf('other')).toMatchObject({ store_history: false, history_size: 10 })
    await backend.call('POST /channel_config', { 'chat-3': { notify_state: true } })
    expect(await settingsOf('chat-3')).toMatchObject({ store_history: true, notify_state: true })
    // What is left out gets the value of the section again.
    await backend.call('POST /channel_config', { 'chat-2': {} })
    expect(await settingsOf('chat-2')).toMatchObject({ store_history: true, history_size: 5 })
    for (const name of ['chat-1', 'chat-2', 'chat-3', 'other'])
      expect((await settingsOf(name))?.history_ttl).toBe(3600)
    await backend.call('POST /channel_config', { other: { history_ttl: 0 } })
    expect((await settingsOf('other'))?.history_ttl).toBe(0)
  })

  it('does not change channels that there are', async () => {
    await backend.call('POST /channel_config', { 'chat-4': { store_history: false } })
    await backend.connect('ann', ['chat-4'])
    expect(await settingsOf('chat-4')).toMatchObject({ store_history: false })
  })
})

describe.each(SITES)('a server %s that knows its channels', (_where, start) => {
  let site: Site
  let backend: Backend
  beforeAll(async () => {
    site = await start({
      channel_settings: SECTIONS,
      allow_unlisted_channels: false,
      max_history_size: 100_000,
    })
    backend = new Backend(site)
    return () => site.close()
  }, 60_000)
  afterAll(closeClients)

  it('refuses others, with the field, and does nothing of the request', async () => {
    const conn_id = await backend.connect('ann', ['lobby'])
    const ann = await Listener.open(site, conn_id)
    const before = await backend.info()
    const unlisted = ['Not a listed channel.']
    const refusal = async (line: string, json: unknown) => {
      const { status, body } = await backend.send(line, { json })
      expect(status, line).toBe(422)
      return body
    }
    expect(await refusal('POST /connect', { username: 'b', channels: ['lobby', 'loby'] })).toEqual({
      channels: { 1: unlisted },
    })
    expect(
      await refusal('POST /connect', { username: 'b', channel_configs: { loby: {} } }),
    ).toEqual({ channel_configs: { loby: unlisted } })
    expect(await refusal('POST /subscribe', { conn_id, channels: ['caht-1'] })).toEqual({
      channels: { 0: unlisted },
    })
    expect(
      await refusal('POST /subscribe', { username: 'ann', channels: ['chat-1', 'chat'] }),
    ).toEqual({ channels: { 1: unlisted } })
    expect(await refusal('POST /channel_config', { lobby: {}, loby: {} })).toEqual({
      loby: unlisted,
    })
    const message = { user: 'b', channel: 'loby', message: { text: 'lost?' } }
    expect(await refusal('POST /message', [{ ...message, channel: 'lobby' }, message])).toEqual({
      1: { channel: unlisted },
    })
    const uuid = crypto.randomUUID()
    for (const line of ['PATCH /message', 'DELETE /message'])
      expect(await refusal(line, [{ channel: 'loby', uuid }])).toEqual({
        0: { channel: unlisted },
      })
    expect(await backend.info()).toEqual(before)
    await backend.say('lobby', 'all is well')
    await ann.heard('all is well')
    expect(ann.texts).toEqual(['all is well'])
  })

  it('lets everything else through', async () => {
    const conn_id = await backend.connect('ann', ['lobby', 'chat-1'])
    const listener = await Listener.open(site, conn_id)
    await backend.call('POST /unsubscribe', { conn_id, channels: ['loby', 'chat-1'] })
    await backend.call('POST /info', { info: { channels: ['loby'] } })
    await backend.call('POST /message', [
      { user: 'b', channel: null, pm_users: ['ann'], message: { text: 'private' } },
    ])
    await listener.heard('private')
  })
})
