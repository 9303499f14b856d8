/** `/info` with counts, and with users. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend, send } from '../helpers/http.ts'
import { SITES } from '../helpers/sites.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import type { ChannelsInfo } from '../../src/protocol/responses.ts'
import type { Site } from '../helpers/sites.ts'

const totals = (total_connections: number, total_users: number) => ({
  total_connections,
  total_users,
})
const names = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `room ${index}`)

describe.each(SITES)('counts %s', (_where, start) => {
  let site: Site
  let backend: Backend
  beforeAll(async () => {
    site = await start({ gc_conns_after: 600, max_counts_per_request: 5_000 })
    backend = new Backend(site)
    for (let from = 0; from < 5_000; from += 1_000) {
      const some = names(5_000).slice(from, from + 1_000)
      const configs = Object.fromEntries(some.map((name) => [name, { store_history: true }]))
      await backend.call('POST /channel_config', configs)
    }
    const channels = ['room 1', 'room 4999']
    await Listener.open(site.next(), await backend.connect('ann', channels))
    await backend.connect('ann', ['room 1'])
    await backend.connect('bob', ['room 1'])
    await backend.connect('cem')
    await backend.say('room 1', 'hello')
    return () => site.close()
  }, 60_000)
  afterAll(closeClients)

  const info = <Answer>(body: object): Promise<Answer> => backend.call('POST /info', body)

  it('are right in a description without users, if they are asked for', async () => {
    const options = { channels: ['room 1', 'room 2'], include_users: false }
    const plain = await info<ChannelsInfo>({ info: options })
    const counted = await info<ChannelsInfo>({ info: { ...options, counts: true } })
    expect(plain.channels['room 1']).toMatchObject({ ...totals(3, 0), users: [] })
    expect(counted).toEqual({
      users: [],
      channels: {
        'room 1': { ...plain.channels['room 1'], total_users: 2 },
        'room 2': plain.channels['room 2'],
      },
    })
    expect(counted.channels['room 1']?.history).toHaveLength(1)
    const listed = await info<ChannelsInfo>({ info: { channels: ['room 1'], counts: true } })
    expect(listed.channels['room 1']).toMatchObject({ ...totals(3, 2), users: ['ann', 'bob'] })
  })

  it('are right in the answers of /connect, /subscribe and /unsubscribe', async () => {
    const conn_id = crypto.randomUUID()
    const wanted = { channels: ['room 10'], info: { include_users: false, counts: true } }
    const answers = [
      await backend.call('POST /connect', { username: 'eve', conn_id, ...wanted }),
      await backend.call('POST /subscribe', { conn_id, ...wanted }),
      await backend.call('POST /unsubscribe', { conn_id, ...wanted, channels: ['room 11'] }),
    ]
    for (const answer of answers)
      expect(answer).toMatchObject({
        channels_info: { users: [], channels: { 'room 10': { ...totals(1, 1), users: [] } } },
      })
  })

  it('are totals and nothing else, without unknown channels', async () => {
    const channels = ['room 1', 'typo', 'room 2', 'room 1']
    expect(await info({ channels, counts: true })).toEqual({
      channels: { 'room 1': totals(3, 2), 'room 2': totals(0, 0) },
    })
    expect(await info({ channels: [], counts: 'yes' })).toEqual({ channels: {} })
    const put = await backend.send('PUT /info', { json: { channels, counts: true } })
    expect(put.body).toMatchObject({ channels: { 'room 1': totals(3, 2) } })
  })

  it('are of thousands of channels at once, and of all if none are named', async () => {
    const { channels } = await info<{ channels: object }>({ channels: names(5_000), counts: true })
    expect(Object.keys(channels)).toEqual(names(5_000))
    expect(channels).toMatchObject({ 'room 1': totals(3, 2), 'room 4999': totals(1, 1) })
    const all = await info<{ channels: object }>({ counts: true })
    expect(all.channels).toMatchObject(channels)
  })

  it('leave the older form as it was, and go with it', async () => {
    const plain = await info<ChannelsInfo>({ channels: ['room 2'] })
    expect(await info({ channels: ['room 2'], counts: false })).toEqual(plain)
    const options = { include_users: false, include_history: false }
    const told = await info({ channels: ['room 1'], counts: true, info: options })
    expect(told).toMatchObject({
      users: [],
      channels: { 'room 1': { ...totals(3, 2), users: [] } },
    })
  })

  it('say who is online, and where', async () => {
    expect(await info({ users: ['nobody', 'cem', 'ann', 'cem'] })).toEqual({
      users: [
        { user: 'cem', total_connections: 1, channels: [] },
        { user: 'ann', total_connections: 2, channels: ['room 1', 'room 4999'] },
      ],
    })
    expect(await info({ users: ['bob'], counts: true, channels: ['room 1'] })).toEqual({
      channels: { 'room 1': totals(3, 2) },
      users: [{ user: 'bob', total_connections: 1, channels: ['room 1'] }],
    })
    expect(await info({ users: [] })).toEqual({ users: [] })
  })

  it('follow a user who joins, leaves and goes', async () => {
    const where = async () => (await info<{ users: unknown }>({ users: ['zoe'] })).users
    const conn_id = await backend.connect('zoe', ['room 20'])
    await backend.call('POST /subscribe', { conn_id, channels: ['room 21'] })
    expect(await where()).toMatchObject([{ channels: ['room 20', 'room 21'] }])
    await backend.call('POST /unsubscribe', { conn_id, channels: ['room 20'] })
    expect(await where()).toMatchObject([{ channels: ['room 21'] }])
    await backend.call('POST /disconnect', { conn_id })
    expect(await where()).toEqual([])
  })

  it.each([
    [{ counts: true, channels: names(5_001) }, { channels: ['Longer than maximum length 5000.'] }],
    [{ users: names(5_001) }, { users: ['Longer than maximum length 5000.'] }],
    [{ users: ['ann'], channels: ['room 1'] }, { channels: ['Only together with counts.'] }],
    [{ users: ['ann'], info: {} }, { users: ['Unknown field.'] }],
    [{ counts: true, info: {} }, { counts: ['Unknown field.'] }],
    [{ counts: 'maybe' }, { counts: ['Not a valid boolean.'] }],
    [
      { counts: null, users: [''] },
      {
        counts: ['Field may not be null.'],
        users: { 0: ['Length must be between 1 and 512.'] },
      },
    ],
    [{ users: 'ann' }, { users: ['Not a valid list.'] }],
    [{ users: [], more: 1 }, { more: ['Unknown field.'] }],
    [{ info: { counts: 'maybe' } }, { info: { counts: ['Not a valid boolean.'] } }],
    [{ counts: false }, { info: ['Missing data for required field.'], counts: ['Unknown field.'] }],
  ])('are refused: %j', async (json, complaints) => {
    const { status, body } = await backend.send('POST /info', { json })
    expect([status, body]).toEqual([422, complaints])
  })

  it('need a signature', async () => {
    for (const json of [{ counts: true }, { users: ['ann'] }])
      expect((await send(site, 'POST /info', { json })).status).toBe(403)
  })
})
