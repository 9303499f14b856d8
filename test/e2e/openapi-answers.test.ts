/** Real answers, by the schemas that the server describes them with. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EventStreamListener, closeStreams } from '../helpers/event-stream.ts'
import { Backend, send, until } from '../helpers/http.ts'
import { Description } from '../helpers/openapi.ts'
import { RedisServer, stopRedisServers } from '../helpers/redis.ts'
import { startServer } from '../helpers/server.ts'
import { WebhookReceiver } from '../helpers/webhook-receiver.ts'
import type { Answer } from '../helpers/http.ts'
import type { TestServer } from '../helpers/server.ts'

const ROOM = 'room'
const SETTINGS = {
  notify_presence: true,
  notify_state: true,
  store_history: true,
  broadcast_presence_with_user_lists: true,
}

describe.each(['memory', 'Redis'])('what a server with its store in %s answers', (kind) => {
  let server: TestServer
  let backend: Backend
  let description: Description
  let receiver: WebhookReceiver
  const answered = new Set<string>()
  const ann = crypto.randomUUID()

  /** Sends a signed request. Its answer has to be as described, and to have the status. */
  async function ask(line: string, json?: unknown, status = 200): Promise<Answer> {
    const answer = await backend.send(line, json === undefined ? {} : { json })
    expect(description.faultOf(line, answer), line).toBeUndefined()
    expect(answer.status, `${line}: ${answer.text}`).toBe(status)
    answered.add(description.at(line).line)
    return answer
  }

  beforeAll(async () => {
    receiver = await WebhookReceiver.start({ stopsWithTest: false })
    server = await startServer({
      wake_connections_after: 0.05,
      poll_gather: 0,
      webhook_url: [receiver.url],
      webhook_events: ['joined', 'channel_created', 'user_online', 'message'],
      ...(kind === 'Redis' && { redis_url: (await RedisServer.start()).url }),
    })
    backend = new Backend(server)
    description = await Description.of(server)
    await ask('POST /connect', {
      username: 'ann',
      conn_id: ann,
      channels: [ROOM],
      channel_configs: { [ROOM]: SETTINGS },
      user_state: { color: 'red', age: 7, vip: true, note: null },
      state_public_keys: ['color'],
    })
  })
  afterAll(async () => {
    closeStreams()
    await server.close()
    await receiver.stop()
    await stopRedisServers()
  })

  it('to requests about connections is as described', async () => {
    await ask('POST /connect', { username: 'bob', channels: [ROOM, 'other'] })
    await ask('POST /subscribe', { conn_id: ann, channels: ['news'] })
    await ask(`POST /subscribe?conn_id=${ann}`, { channels: ['more'] })
    await ask('POST /subscribe', { username: 'bob', channels: ['news'] })
    await ask('POST /unsubscribe', { conn_id: ann, channels: ['news'] })
    await ask('POST /unsubscribe', { username: 'bob', channels: ['news'] })
    await ask('POST /user_state', { user: 'ann', user_state: { color: 'blue', n: 1.5 } })
    await ask('POST /user_state', { user: 'ann', state_public_keys: [] })
    await ask('POST /channel_config', { [ROOM]: SETTINGS, made: { history_size: 3 } })
    // Its names are not checked, so lists may have them.
    await ask('POST /channel_config', { '': {}, ['x'.repeat(300)]: {} })
    await ask('GET /admin/channels.json')
    await ask('GET /info')
    await ask('POST /disconnect', { conn_id: crypto.randomUUID() })
    await ask('POST /disconnect', { username: 'bob' })
    await ask(`POST /disconnect?conn_id=${crypto.randomUUID()}`)
    await ask(`GET /disconnect?conn_id=${crypto.randomUUID()}`)
  })

  it('to messages, edits, deletes and questions about them is as described', async () => {
    const uuid = '00000000-0000-0000-0000-00000000000A'
    await ask('POST /message', [
      { user: 'ann', channel: ROOM, message: { text: 'hello' }, uuid, type: 'own', catchup: 'own' },
      { user: 'ann', channels: [ROOM, 'other'], timestamp: '2026-11-21 09:30+01:00' },
      { user: 'ann', pm_users: ['ann'], message: {}, extra: { any: [1, null] } },
      { user: 'ann' },
    ])
    await ask('POST /message?recipients=1', [{ user: 'ann', channels: [ROOM, 'unknown'] }])
    await ask('PATCH /message', [
      { channel: ROOM, uuid, message: { text: 'changed' }, user: 'eve', extra: 1 },
      { uuid, pm_users: ['ann'], timestamp: '2026-11-21T09:30:00', edited: '2026-11-21T09:31:00Z' },
    ])
    const [stored] = (
      (await ask('POST /history', { channel: ROOM, limit: 1 })).body as {
        history: { id: string }[]
      }
    ).history
    await ask('POST /history', { channel: ROOM, after: stored?.id, reverse: true })
    await ask('POST /history', { channel: ROOM, username: 'ann' })
    await ask('POST /info')
    await ask('POST /info', { info: { channels: [ROOM], include_history: { limit: 1 } } })
    await ask('POST /info', { counts: true, channels: [ROOM, 'unknown'] })
    await ask('POST /info', { users: ['ann', 'unknown'] })
    await ask('GET /info')
    await ask('DELETE /message', [
      { channel: ROOM, uuid },
      { uuid, channels: [ROOM] },
    ])
  })

  it('to clients is as described, with every type of event', async () => {
    const conn_id = await backend.connect('eve', [ROOM])
    const listen = `GET /listen?conn_id=${conn_id}`
    await ask(`${listen}&hello=1`)
    const uuid = crypto.randomUUID()
    const types = new Set<string>()
    const change = async (line: string, json: unknown): Promise<void> => {
      const before = types.size
      await backend.call(line, json)
      // A slow server answers a poll before it has heard of the change.
      await until(async () => {
        for (const { type } of (await ask(listen)).body as { type: string }[]) types.add(type)
        return types.size > before
      }, `an event for ${line}`)
    }
    const message = { user: 'bob', channel: ROOM, uuid, message: { text: 'hello' }, extra: [1] }
    await change('POST /message', [message])
    await change('PATCH /message', [{ channel: ROOM, uuid, message: { text: 'new' } }])
    await change('DELETE /message', [{ channel: ROOM, uuid }])
    await change('POST /user_state', {
      user: 'eve',
      user_state: { mood: 'good' },
      state_public_keys: ['mood'],
    })
    await change('POST /connect', { username: 'zoe', channels: [ROOM] })
    const wanted = ['message', 'message:edit', 'message:delete', 'presence', 'user_state_change']
    expect([...types].toSorted()).toEqual(wanted.toSorted())
    // A slow server answers the poll before it has read what was missed.
    await until(async () => {
      const [first] = (await ask(`${listen}&cursor=0-0`)).body as { type: string }[]
      return first?.type === 'gap'
    }, 'a gap')
    await ask(`${listen}&callback=app.got`)
    const { response } = await EventStreamListener.open(server, conn_id)
    const [type = ''] = response?.headers['content-type']?.split(';') ?? []
    expect(description.at('GET /sse').responses['200']?.content).toHaveProperty([type])
    answered.add('GET /sse')
  })

  it('to operators and administrators is as described', async () => {
    for (const path of ['/health', '/health/live', '/health/ready']) await ask(`GET ${path}`)
    await ask('GET /metrics')
    await ask('GET /admin/admin.json')
    await ask('POST /admin/admin.json')
    await ask('GET /admin/channels.json?limit=1&search=r&sort=last_active&order=desc')
    await ask('GET /admin/users.json')
    await ask(`GET /admin/users.json?channel=${ROOM}`)
    await ask('GET /admin/figures.json')
    await ask('GET /admin/webhooks.json')
  })

  it('is asked for at every route that is described', () => {
    const others = description.operations.filter(({ line }) => !answered.has(line))
    // These two open WebSockets. `openapi-refusals.test.ts` has their other answers.
    expect(others.map(({ line }) => line)).toEqual(['GET /ws', 'GET /admin/live'])
  })

  it('has no field that is not described', async () => {
    const answer = await backend.send('GET /health')
    const more = { ...answer, body: { status: 'ok', more: 1 } }
    expect(description.faultOf('GET /health', more)).toMatch(/additional properties/)
    expect(description.faultOf('GET /health', { ...answer, status: 418 })).toMatch(/not described/)
    const unsigned = await send(server, 'GET /info')
    const headers = { ...unsigned.headers, 'x-channelstream-error': 'OTHER' }
    expect(description.faultOf('GET /info', { ...unsigned, headers })).toMatch(/header/)
  })

  it('and what it posts to webhooks is as described', async () => {
    await until(() => receiver.events.some(({ type }) => type === 'message'), 'a webhook')
    expect(receiver.requests.length).toBeGreaterThan(0)
    for (const { body } of receiver.requests)
      expect(description.faultOfWebhook(body), JSON.stringify(body)).toBeUndefined()
  })
})
