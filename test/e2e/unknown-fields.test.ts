/** Fields that a request has and the server does not know, and names that only `/channel_config` accepts. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend, send } from '../helpers/http.ts'
import { startServer } from '../helpers/server.ts'
import type { TestServer } from '../helpers/server.ts'

const UUID = '7f0c9b52-4a8e-4f0e-8a0e-6d2f0f6c1f11'
const UNKNOWN = { nope: 1, constructor: { deep: [] } }
const NESTED = {
  channel_configs: { room: { history_size: 3, ...UNKNOWN } },
  info: { include_users: true, ...UNKNOWN },
}

/** Each request with unknown fields wherever there may be fields. `connId` is a connection of ann. */
const requests = (connId: string): readonly (readonly [line: string, json: unknown])[] => [
  ['POST /connect', { username: 'ann', channels: ['room'], ...NESTED, ...UNKNOWN }],
  ['POST /subscribe', { conn_id: connId, channels: ['room'], ...NESTED, ...UNKNOWN }],
  [`POST /subscribe?conn_id=${connId}`, { channels: ['room'], ...NESTED, ...UNKNOWN }],
  ['POST /subscribe', { username: 'ann', channels: ['room'], ...NESTED, ...UNKNOWN }],
  ['POST /unsubscribe', { conn_id: connId, channels: ['other'], ...NESTED, ...UNKNOWN }],
  ['POST /user_state', { user: 'ann', user_state: { a: 1 }, ...UNKNOWN }],
  ['POST /channel_config', { room: { notify_state: true, ...UNKNOWN } }],
  ['POST /info', { info: { channels: ['room'], ...UNKNOWN }, ...UNKNOWN }],
  ['PUT /info', { info: { channels: ['room'], ...UNKNOWN }, ...UNKNOWN }],
  ['POST /info', { channels: ['room'], info: { ...UNKNOWN }, ...UNKNOWN }],
  ['POST /info', { counts: true, users: ['ann'], ...UNKNOWN }],
  ['DELETE /message', [{ channel: 'room', uuid: UUID, ...UNKNOWN }]],
  ['POST /disconnect', { username: 'bob', ...UNKNOWN }],
]

describe('unknown_fields', () => {
  let refusing: TestServer
  let ignoring: TestServer
  beforeAll(async () => {
    refusing = await startServer()
    ignoring = await startServer({ unknown_fields: 'ignore' })
  })
  afterAll(() => Promise.all([refusing.close(), ignoring.close()]))

  it('are refused by every request, unless the setting says otherwise', async () => {
    const backend = new Backend(refusing)
    for (const [line, json] of requests(await backend.connect('ann', ['room']))) {
      const { status, text } = await backend.send(line, { json })
      expect([status, line], text).toEqual([422, line])
      expect(text).toContain('"nope":["Unknown field."]')
    }
  })

  it('are ignored by every request with unknown_fields = ignore', async () => {
    const backend = new Backend(ignoring)
    for (const [line, json] of requests(await backend.connect('ann', ['room']))) {
      const { status, text } = await backend.send(line, { json })
      expect([status, line], text).toEqual([200, line])
      expect(text).not.toContain('nope')
    }
    const { channels } = await backend.info()
    expect(channels['room']?.settings).toMatchObject({ notify_state: true, history_size: 10 })
  })

  it('do not hide other faults', async () => {
    const backend = new Backend(ignoring)
    const { status, body } = await backend.send('POST /connect', {
      json: { username: 7, nope: 1, channel_configs: { a: { history_size: -1, nope: 1 } } },
    })
    expect(status).toBe(422)
    expect(body).toEqual({
      username: ['Not a valid string.'],
      channel_configs: {
        a: { value: { history_size: ['Must be greater than or equal to 0.'] } },
      },
    })
    const missing = await backend.send('POST /user_state', { json: { username: 'ann' } })
    expect(missing).toMatchObject({
      status: 422,
      body: { user: ['Missing data for required field.'] },
    })
    expect((await send(ignoring, 'POST /disconnect', { json: { username: 'a' } })).status).toBe(403)
  })

  it('of messages and edits are passed on either way', async () => {
    for (const server of [refusing, ignoring]) {
      const backend = new Backend(server)
      const json = [{ user: 'a', channel: 'room', colour: 'red' }]
      expect(await backend.call('POST /message', json)).toMatchObject(json)
      const edits = [{ uuid: UUID, channel: 'room', colour: 'red' }]
      const { status, body } = await backend.send('PATCH /message', { json: edits })
      expect({ status, body }).toMatchObject({ status: 200, body: edits })
    }
  })

  it('a username beside a conn_id is one of them, as it was before there were requests by user', async () => {
    const backend = new Backend(ignoring)
    const one = await backend.connect('zoe', ['one'])
    const two = await backend.connect('zoe', ['two'])
    for (const line of [`POST /subscribe?conn_id=${one}`, 'POST /subscribe']) {
      const json = { channels: ['three'], username: 'somebody else' }
      const inBody = line.includes('?') ? {} : { conn_id: one }
      const { channels } = await backend.call<{ channels: string[] }>(line, { ...json, ...inBody })
      expect(channels).toEqual(['one', 'three'])
    }
    const { channels, conn_ids } = await backend.call<Record<string, string[]>>(
      'POST /unsubscribe',
      { username: 'zoe', channels: ['three'] },
    )
    expect(channels).toEqual(['one', 'two'])
    expect(conn_ids).toEqual(expect.arrayContaining([one, two]))
    const both = { conn_id: one, username: 'zoe', channels: ['three'] }
    expect(await new Backend(refusing).send('POST /subscribe', { json: both })).toMatchObject({
      status: 422,
      body: { username: ['Not together with conn_id.'] },
    })
  })
})

describe('channel_config_names', () => {
  const LONG = 'x'.repeat(257)
  const CONFIGS = { '': {}, [LONG]: {}, room: {} }

  it('of any kind are accepted by default, as by the Python server', async () => {
    const server = await startServer()
    const backend = new Backend(server)
    const { channels } = await backend.call<{ channels: object }>('POST /channel_config', CONFIGS)
    expect(Object.keys(channels)).toHaveLength(3)
    await server.close()
  })

  it('are checked like all other names with "checked", and nothing is configured then', async () => {
    const server = await startServer({ channel_config_names: 'checked' })
    const backend = new Backend(server)
    const { status, body, headers } = await backend.send('POST /channel_config', { json: CONFIGS })
    expect({ status, body }).toEqual({
      status: 422,
      body: {
        '': ['Length must be between 1 and 256.'],
        [LONG]: ['Length must be between 1 and 256.'],
      },
    })
    expect(headers['x-channelstream-error']).toBe('INVALID')
    expect((await backend.info()).channels).toEqual({})
    const fits = { ['é'.repeat(256)]: {} }
    expect((await backend.send('POST /channel_config', { json: fits })).status).toBe(200)
    await server.close()
  })

  it('no other request makes a channel with an empty name', async () => {
    const server = await startServer()
    const backend = new Backend(server)
    const conn_id = await backend.connect('ann', ['room'], { channel_configs: { '': {} } })
    const json = { conn_id, channels: ['other'], channel_configs: { '': {} } }
    expect((await backend.send('POST /subscribe', { json })).status).toBe(200)
    for (const [line, refused] of [
      ['POST /connect', { username: 'ann', channels: [''] }],
      ['POST /subscribe', { conn_id, channels: [''] }],
      ['POST /message', [{ user: 'ann', channel: '' }]],
      ['PATCH /message', [{ uuid: UUID, channel: '' }]],
    ] as const)
      expect((await backend.send(line, { json: refused })).status, line).toBe(422)
    expect(Object.keys((await backend.info()).channels).toSorted()).toEqual(['other', 'room'])
    await server.close()
  })
})
