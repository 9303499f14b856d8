/** Error texts of Redis are for the log only: they contain keys, scripts and users. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { Admin } from '../helpers/admin.ts'
import { endAll } from '../helpers/ending.ts'
import { Backend, send, within } from '../helpers/http.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { startServer } from '../helpers/server.ts'
import type { Answer } from '../helpers/http.ts'
import type { RedisClient } from '../helpers/redis.ts'
import type { TestServer } from '../helpers/server.ts'

let server: TestServer
let admin: Admin
let commands: RedisClient
let connId: string

/** Keys of the installation exist with a wrong type, so each script fails. */
beforeAll(async () => {
  const redis = await RedisServer.start()
  commands = await redis.client()
  const prefix = freshPrefix()
  server = await startServer({ redis_url: redis.url, redis_prefix: prefix, gc_conns_after: 600 })
  connId = await new Backend(server).connect('ann', ['room'], {
    channel_configs: { room: { store_history: true } },
  })
  admin = await Admin.signIn(server)
  const names = ['c:room', 'm:room', 'h:room', 'f:room', 'u:ann', 'v:ann', `n:${connId}`, 'a:key']
  for (const name of [...names, 'users', 'channels'])
    await commands.set(`{${prefix}}:${name}`, 'overwritten')
  for (const key of await commands.keys(`{${prefix}}:admin:*`)) await commands.set(key, 'too')
})
afterAll(async () => {
  commands.destroy()
  await server.close()
  await endAll()
})

const OF_REDIS = /WRONGTYPE|wrong kind|\bERR\b|script|lua|redis|evalsha|\{test-/i

function expectBland(answer: Answer, what: string): void {
  expect(answer.status, what).toBe(500)
  expect(answer.body, what).toEqual({ request: 'Internal error' })
  expect(JSON.stringify(answer.headers), what).not.toMatch(OF_REDIS)
}

describe('what Redis says', () => {
  it.each<[string, unknown]>([
    ['POST /connect', { username: 'ann', channels: ['room'] }],
    ['POST /message', [{ user: 'ann', channel: 'room', message: {} }]],
    ['PATCH /message', [{ uuid: crypto.randomUUID(), channel: 'room', message: {} }]],
    ['POST /channel_config', { room: { notify_presence: true } }],
    ['POST /user_state', { user: 'ann', user_state: { mood: 'good' } }],
    ['POST /info', { info: { channels: ['room'] } }],
    ['POST /admin/admin.json', undefined],
    ['GET /admin/users.json', undefined],
    ['GET /admin/channels.json', undefined],
  ])('is not in the answer to a signed %s', async (line, json) => {
    expectBland(await new Backend(server).send(line, { json }), line)
  })

  it('is not in the answer to calls about a connection', async () => {
    const json = { conn_id: connId, channels: ['room'] }
    for (const line of ['POST /subscribe', 'POST /unsubscribe', 'POST /disconnect'])
      expectBland(await new Backend(server).send(line, { json }), line)
    expectBland(await send(server, `GET /listen?conn_id=${connId}`), 'listen')
    const keyed = { json: [], headers: { 'idempotency-key': 'key' } }
    expectBland(await new Backend(server).send('POST /message', keyed), 'with a key')
  })

  it('is not in what somebody who is signed in sees', async () => {
    for (const path of ['/admin', '/admin/debug', '/api-explorer/', '/openapi.json'])
      expectBland(await admin.open(path), path)
    expectBland(await admin.call('POST /info'), 'a call')
    expectBland(await admin.signOut(), 'signing out')
  })

  it('is not in metrics', async () => {
    const { status, text } = await send(server, 'GET /metrics')
    expect(status).toBe(200)
    expect(text).toContain('\nchannelstream_store_up 0\n')
    expect(text).not.toMatch(/WRONGTYPE|wrong kind/)
  })

  it('is not why a WebSocket is closed or refused', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws?conn_id=${connId}`)
    socket.on('error', () => {}) // a close follows
    const closed = new Promise<[number, string]>((resolve) =>
      socket.on('close', (code, reason) => resolve([code, reason.toString()])),
    )
    const [code, reason] = await within(closed, 'the end')
    expect(code).toBe(4013)
    expect(reason).not.toMatch(OF_REDIS)

    const panel = new WebSocket(`ws://127.0.0.1:${server.port}/admin/live`, {
      headers: { cookie: admin.cookie, origin: server.url },
    })
    panel.on('error', () => {})
    const refused = new Promise<string>((resolve) =>
      panel.on('unexpected-response', (_, response) => {
        let text = `${response.statusCode} `
        response.on('data', (part: Buffer) => (text += part.toString()))
        response.on('end', () => resolve(text))
      }),
    )
    expect(await within(refused, 'the refusal')).toBe('500 {"request":"Internal error"}')
  })
})
