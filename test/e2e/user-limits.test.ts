/** Limits on users, as a backend sees them. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { Backend, send, until } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import type { ConfigInput } from '../../src/config/load.ts'
import type { Address, Answer } from '../helpers/http.ts'

async function start(settings: ConfigInput) {
  const server = await startServer(settings)
  onTestFinished(async () => {
    closeClients()
    await server.close()
  })
  return { server, backend: new Backend(server) }
}

const connect = (backend: Backend, username: string, more: object = {}) =>
  backend.send('POST /connect', { json: { username, ...more } })

const post = (backend: Backend, messages: readonly object[], headers: object = {}) =>
  backend.send('POST /message', {
    json: messages.map((message) => ({ user: 'ann', channel: 'room', ...message })),
    headers: { ...headers },
  })

/** Expects a 429 with this code and body. Returns the seconds of its `Retry-After`. */
function expectRefused(answer: Answer, code: string, body: object): number {
  expect(answer.body, answer.text).toEqual(body)
  expect(answer.status).toBe(429)
  expect(answer.headers['x-channelstream-error']).toBe(code)
  return Number(answer.headers['retry-after'])
}

async function refusals(server: Address): Promise<Record<string, number>> {
  const { text } = await send(server, 'GET /metrics')
  const lines = text.matchAll(/^channelstream_user_refusals_total\{limit="(\w+)"\} (\d+)$/gm)
  const counts: Record<string, number> = {}
  for (const [, limit = '', count] of lines) counts[limit] = Number(count)
  return counts
}

const TOO_MANY_CONNECTIONS = { username: ['A user may have 2 connections.'] }

describe('max_connections_per_user', () => {
  it('is answered with 429 and the field, and counted', async () => {
    const { server, backend } = await start({
      max_connections_per_user: 2,
      gc_conns_after: 20.5,
    })
    const first = await backend.connect('ann')
    await backend.connect('ann')
    const wait = expectRefused(
      await connect(backend, 'ann'),
      'TOO_MANY_CONNECTIONS',
      TOO_MANY_CONNECTIONS,
    )
    expect(wait).toBe(21)
    expect((await connect(backend, 'ann', { conn_id: first })).status).toBe(200)
    expect((await connect(backend, 'bob')).status).toBe(200)
    expect(await refusals(server)).toEqual({ connections: 1, channels: 0, messages: 0 })
    await backend.call('POST /disconnect', { conn_id: first })
    expect((await connect(backend, 'ann')).status).toBe(200)
  })

  it('leaves the connections that there are alone', async () => {
    const { server, backend } = await start({ max_connections_per_user: 1 })
    const listener = await Listener.open(server, await backend.connect('ann', ['room']))
    for (let n = 0; n < 3; n++)
      expect((await connect(backend, 'ann', { channels: ['room'] })).status).toBe(429)
    await backend.say('room', 'hello')
    await listener.heard('hello')
  })

  it('has room when a connection is over that no client opened', async () => {
    const { backend } = await start({ max_connections_per_user: 1, gc_conns_after: 0.3 })
    await backend.connect('ann')
    expect((await connect(backend, 'ann')).status).toBe(429)
    await until(async () => (await connect(backend, 'ann')).status === 200, 'room')
  })

  it('does not remember a refusal under the key of its request', async () => {
    const { backend } = await start({ max_connections_per_user: 1 })
    const conn_id = await backend.connect('ann')
    const again = () =>
      backend.send('POST /connect', {
        json: { username: 'ann' },
        headers: { 'idempotency-key': 'k' },
      })
    expect((await again()).status).toBe(429)
    await backend.call('POST /disconnect', { conn_id })
    const made = await again()
    expect(made.status).toBe(200)
    expect((await again()).body).toEqual(made.body)
  })
})

describe('max_channels_per_user', () => {
  it('is answered with 429 and the field by /connect and /subscribe, and counted', async () => {
    const { server, backend } = await start({ max_channels_per_user: 2 })
    const refused = { channels: ['A user may be in 2 channels.'] }
    const conn_id = await backend.connect('ann', ['a', 'b'])
    const answers = [
      await connect(backend, 'ann', { channels: ['a', 'c'] }),
      await backend.send('POST /subscribe', { json: { conn_id, channels: ['c'] } }),
      await backend.send('POST /subscribe', { json: { username: 'ann', channels: ['b', 'c'] } }),
    ]
    for (const answer of answers) expectRefused(answer, 'TOO_MANY_CHANNELS', refused)
    expect(Object.keys((await backend.info()).channels).toSorted()).toEqual(['a', 'b'])
    expect(await refusals(server)).toEqual({ connections: 0, channels: 3, messages: 0 })
    await backend.call('POST /unsubscribe', { conn_id, channels: ['a'] })
    await backend.call('POST /subscribe', { conn_id, channels: ['c'] })
  })
})

describe('message_rate_per_user', () => {
  const RATE = { message_rate_per_user: 0.001, message_burst_per_user: 3 }

  it('is answered with 429, Retry-After, the number of the message and the field', async () => {
    const { server, backend } = await start(RATE)
    const listener = await Listener.open(server, await backend.connect('listener', ['room']))
    expect((await post(backend, [{}, {}])).status).toBe(200)
    const refused = await post(backend, [
      { user: 'bob' },
      { message: { text: 'refused' } },
      { message: { text: 'refused' } },
    ])
    const [, seconds] = /Wait (\d+) seconds/.exec(refused.text) ?? []
    const wait = expectRefused(refused, 'TOO_MANY_MESSAGES', {
      1: { user: [`Too many messages. Wait ${seconds} seconds.`] },
    })
    expect(wait).toBe(Number(seconds))
    expect(wait).toBeGreaterThan(990)
    expect(wait).toBeLessThanOrEqual(1000)
    expect((await post(backend, [{ message: { text: 'last' } }])).status).toBe(200)
    await listener.heard('last')
    expect(listener.texts).not.toContain('refused')
    expect(await refusals(server)).toEqual({ connections: 0, channels: 0, messages: 1 })
  })

  it('has tokens again in time', async () => {
    const { backend } = await start({ message_rate_per_user: 10, message_burst_per_user: 2 })
    expect((await post(backend, [{}, {}])).status).toBe(200)
    expect((await post(backend, [{}, {}])).headers['retry-after']).toBe('1')
    await until(async () => (await post(backend, [{}, {}])).status === 200, 'two tokens')
  })

  it('refuses more messages than the burst in one request with 422', async () => {
    const { backend } = await start(RATE)
    const { status, body } = await post(backend, [{ user: 'bob' }, {}, {}, {}, {}])
    expect({ status, body }).toEqual({
      status: 422,
      body: { 1: { user: ['More than 3 messages of this user in one channel.'] } },
    })
    expect((await post(backend, [{}, {}, {}])).status).toBe(200)
  })

  it('does not count messages of unlimited_users, and messages that were sent twice with one key', async () => {
    const { backend } = await start({ ...RATE, unlimited_users: 'system,\n  a bot' })
    for (const user of ['system', 'a bot'])
      expect(
        (
          await post(
            backend,
            Array.from({ length: 20 }, () => ({ user })),
          )
        ).status,
      ).toBe(200)
    const key = { 'idempotency-key': 'k' }
    for (let n = 0; n < 5; n++) expect((await post(backend, [{}, {}], key)).status).toBe(200)
    expect((await post(backend, [{}])).status).toBe(200)
    expect((await post(backend, [{}], key)).status).toBe(422)
  })
})

describe('refusals', () => {
  it('are logged once, and then at most once a minute, with the user', async () => {
    const server = await ServerProcess.start({ settings: { max_connections_per_user: 1 } })
    onTestFinished(killProcesses)
    const backend = new Backend(server)
    await backend.connect('ann')
    for (let n = 0; n < 50; n++) expect((await connect(backend, 'ann')).status).toBe(429)
    const lines = () =>
      server.stderr.split('\n').filter((line) => line.includes('max_connections_per_user'))
    await until(() => lines().length > 0, 'the line')
    expect(lines()).toHaveLength(1)
    expect(JSON.parse(lines()[0] ?? '')).toMatchObject({
      level: 40,
      reason: 'connections',
      refused: 1,
      user: 'ann',
    })
    server.signal('SIGTERM')
    await server.exited
    expect(lines()).toHaveLength(2)
    expect(JSON.parse(lines()[1] ?? '')).toMatchObject({ refused: 49, user: 'ann' })
  })
})
