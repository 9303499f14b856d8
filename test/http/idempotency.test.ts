import { randomUUID } from 'node:crypto'
import net from 'node:net'
import fc from 'fast-check'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { IDEMPOTENCY_KEY_FORM } from '../../src/protocol/headers.ts'
import { ManualClock } from '../helpers/clock.ts'
import { Backend, send, signature, signedHead, until } from '../helpers/http.ts'
import { refuseCrashes } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import type { z } from 'zod'
import type { ConfigInput } from '../../src/config/load.ts'
import type * as Responses from '../../src/protocol/responses.ts'

refuseCrashes()
afterEach(closeClients)

/** Adds `count` users to a channel. */
async function fill(backend: Backend, channel: string, count: number): Promise<void> {
  const quietly = { info: { include_users: false } }
  const users = Array.from({ length: count }, (_, n) => `user ${n}`)
  while (users.length > 0)
    await Promise.all(users.splice(0, 50).map((user) => backend.connect(user, [channel], quietly)))
}

/** Starts a server on which ann listens in the lobby. */
async function start(settings: ConfigInput = {}) {
  // Connections without a socket stay, however slow the machine is.
  const server = await startServer({ gc_conns_after: 600, ...settings })
  onTestFinished(() => server.close())
  const backend = new Backend(server)
  const connId = await backend.connect('ann', ['lobby'])
  const ann = await Listener.open(server, connId)
  const said = (): unknown[] =>
    ann.events.filter(({ type }) => type === 'message').map(({ message }) => message?.text)
  const sayKeyed = (key: string, text: string) =>
    backend.send('POST /message', {
      json: [{ user: 'bob', channel: 'lobby', message: { text } }],
      headers: { 'idempotency-key': key },
    })
  /** Returns everything that ann received up to a final message. */
  const allSaid = async (): Promise<unknown[]> => {
    await backend.say('lobby', 'the end')
    await until(() => said().includes('the end'), 'the last message')
    return said().slice(0, -1)
  }
  return { server, backend, connId, sayKeyed, allSaid }
}

describe('a request with an Idempotency-Key', () => {
  it('is answered as before when it is repeated, and not done again', async () => {
    const { sayKeyed, allSaid } = await start()
    const first = await sayKeyed('"k1"', 'hello')
    const second = await sayKeyed('"k1"', 'hello')
    expect(first.headers['idempotency-replayed']).toBeUndefined()
    expect(second.headers['idempotency-replayed']).toBe('true')
    expect([second.status, second.text]).toEqual([200, first.text])
    expect(second.headers['content-type']).toBe(first.headers['content-type'])
    expect(await allSaid()).toEqual(['hello'])
  })

  it('is done again if its answer was too long to be kept, also for those who wait', async () => {
    const { server, backend } = await start()
    await fill(backend, 'crowd', 1_100)
    const json = { conn_id: randomUUID(), username: 'one more', channels: ['crowd'] }
    const connect = () =>
      backend.send('POST /connect', { json, headers: { 'idempotency-key': 'k1' } })
    for (const answer of [...(await Promise.all([connect(), connect()])), await connect()]) {
      expect(answer.status).toBe(200)
      const body = answer.body as z.output<typeof Responses.ConnectResponse>
      expect(body.channels_info.channels['crowd']?.users).toHaveLength(1_101)
    }
    expect(server.app.hub.openConnections).toBe(1)
    expect((await backend.info()).channels['crowd']?.total_connections).toBe(1_101)
  })

  it('finds the connection that it made, also where the answer was too long to be kept', async () => {
    const { backend } = await start()
    await fill(backend, 'crowd', 1_100)
    const json = { username: 'one more', channels: ['crowd'] }
    const connect = async (key: string) => {
      const headers = { 'idempotency-key': key }
      const { body } = await backend.send('POST /connect', { json, headers })
      return (body as z.output<typeof Responses.ConnectResponse>).conn_id
    }
    const ids = [...(await Promise.all([connect('k1'), connect('k1')])), await connect('k1')]
    expect(new Set(ids).size).toBe(1)
    expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(await connect('k2')).not.toBe(ids[0])
    expect((await backend.info()).channels['crowd']?.total_connections).toBe(1_102)
  })

  it('is another one under another key', async () => {
    const { sayKeyed, allSaid } = await start()
    await sayKeyed('k1', 'hello')
    await sayKeyed('k2', 'hello')
    expect(await allSaid()).toEqual(['hello', 'hello'])
  })

  it('is done once, however many repeats come at once', async () => {
    const { sayKeyed, allSaid } = await start()
    const answers = await Promise.all(Array.from({ length: 50 }, () => sayKeyed('k1', 'hello')))
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
    expect(answers.filter(({ headers }) => headers['idempotency-replayed']).length).toBe(49)
    expect(await allSaid()).toEqual(['hello'])
  })

  it('is refused with 422 if its key was sent with another body, path, method or query', async () => {
    const { backend, connId, sayKeyed, allSaid } = await start()
    await sayKeyed('k1', 'hello')
    const headers = { 'idempotency-key': 'k1' }
    const uuid = '7f0c9b52-4a8e-4f0e-8a0e-6d2f0f6c1f11'
    const json = [{ user: 'bob', channel: 'lobby', message: { text: 'hello' } }]
    const others = [
      await sayKeyed('k1', 'hello!'),
      await backend.send('POST /info', { json, headers }),
      await backend.send('DELETE /message', { json: [{ uuid }], headers }),
      await backend.send(`POST /message?conn_id=${connId}`, { json, headers }),
      await backend.send('POST /message', { headers }),
    ]
    for (const { status, body, headers } of others) {
      expect([status, headers['x-channelstream-error']]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED'])
      expect(body).toEqual({ request: 'This Idempotency-Key was sent with another request.' })
    }
    expect(await allSaid()).toEqual(['hello'])
  })

  it('is the same one under a newer signature, in the header or in the query', async () => {
    const { server, allSaid } = await start()
    const sign = (secondsAgo: number): string =>
      signature({ value: `at-${secondsAgo}` })['x-channelstream-secret']
    const json = [{ user: 'bob', channel: 'lobby', message: { text: 'hello' } }]
    const headers = { 'idempotency-key': 'k1' }
    for (const signed of [sign(1), sign(2)])
      await send(server, `POST /message?secret=${encodeURIComponent(signed)}`, { json, headers })
    const withHeader = { ...headers, 'x-channelstream-secret': sign(3) }
    await send(server, 'POST /message', { json, headers: withHeader })
    expect(await allSaid()).toEqual(['hello'])
  })

  it('is done again after a 4xx, for nothing had changed', async () => {
    const { backend, connId } = await start()
    const conn_id = '3b8f2a6e-5d0c-4f7a-9a44-0f3f3c1f7d10'
    const subscribe = () =>
      backend.send('POST /subscribe', {
        json: { conn_id, channels: ['news'] },
        headers: { 'idempotency-key': 'k1' },
      })
    expect(connId).not.toBe(conn_id)
    expect((await subscribe()).status).toBe(422)
    await backend.connect('bob', [], { conn_id })
    const { status, body } = await subscribe()
    expect([status, (body as { subscribed_to: string[] }).subscribed_to]).toEqual([200, ['news']])
    expect((await subscribe()).text).toContain('"subscribed_to":["news"]')
  })

  it('is not done again after a 500: nobody knows what was done', async () => {
    const { server, sayKeyed } = await start()
    let calls = 0
    server.app.hub.postMessages = () => {
      calls++
      return Promise.reject(new Error('the store broke off'))
    }
    for (const replayed of [undefined, 'true']) {
      const { status, headers, body } = await sayKeyed('k1', 'hello')
      expect([status, body]).toEqual([500, { request: 'Internal error' }])
      expect(headers['x-channelstream-error']).toBe('INTERNAL')
      expect(headers['idempotency-replayed']).toBe(replayed)
    }
    expect(calls).toBe(1)
  })

  it('tells the first answer where a second try would be answered differently', async () => {
    const { backend, connId } = await start()
    const end = (key: string) =>
      backend.send('POST /disconnect', {
        json: { conn_id: connId },
        headers: { 'idempotency-key': key },
      })
    const answers = [await end('k1'), await end('k1'), await end('k2')]
    expect(answers.map(({ body }) => body)).toEqual([true, true, false])
  })

  it('is answered although whoever asked first went away', async () => {
    const { server, sayKeyed, allSaid } = await start()
    const { hub } = server.app
    const post = hub.postMessages.bind(hub)
    let goOn = (): void => {}
    const isBegun = new Promise<void>((begun) => {
      hub.postMessages = async (messages) => {
        hub.postMessages = post
        begun()
        await new Promise<void>((resolve) => (goOn = resolve))
        return post(messages)
      }
    })
    const body = JSON.stringify([{ user: 'bob', channel: 'lobby', message: { text: 'hello' } }])
    const socket = net.connect(server.port, server.host)
    const headers = { 'Idempotency-Key': 'k1', 'Content-Length': body.length }
    socket.write(signedHead('POST /message', headers) + body)
    await isBegun
    socket.destroy()
    const repeated = sayKeyed('k1', 'hello')
    goOn()
    const { status, headers: answered } = await repeated
    expect([status, answered['idempotency-replayed']]).toEqual([200, 'true'])
    expect(await allSaid()).toEqual(['hello'])
  })
})

describe('an Idempotency-Key', () => {
  it.each([
    { name: 'empty', key: '' },
    { name: 'two words', key: 'a b' },
    { name: 'too long', key: 'x'.repeat(256) },
    { name: 'huge', key: 'x'.repeat(8_000) },
    { name: 'not ASCII', key: 'é' },
    { name: 'with a tab', key: 'a\tb' },
  ])('that is $name is refused with 400, and nothing is done', async ({ key }) => {
    const { sayKeyed, allSaid } = await start()
    const { status, headers } = await sayKeyed(key, 'hello')
    expect([status, headers['x-channelstream-error']]).toEqual([400, 'BAD_IDEMPOTENCY_KEY'])
    expect(await allSaid()).toEqual([])
  })

  it('that is given twice is refused', async () => {
    const { backend, allSaid } = await start()
    const { status } = await backend.send('POST /message', {
      json: [{ user: 'bob', channel: 'lobby', message: { text: 'hello' } }],
      headers: { 'idempotency-key': ['k1', 'k2'] },
    })
    expect(status).toBe(400)
    expect(await allSaid()).toEqual([])
  })

  it('may be any that the form allows, names of objects too, and is answered for all others', async () => {
    const { sayKeyed } = await start()
    const key = fc.oneof(
      fc.string({ minLength: 1, maxLength: 300 }).filter((text) => /^[\x20-\x7e]*$/.test(text)),
      fc.constantFrom('__proto__', 'constructor', 'toString', '"'),
    )
    await fc.assert(
      fc.asyncProperty(key, async (text) => {
        const sent = text.trim() // as HTTP does
        const { status } = await sayKeyed(text, 'hello')
        expect(status).toBe(IDEMPOTENCY_KEY_FORM.test(sent) ? 200 : 400)
      }),
      { numRuns: 60 },
    )
  })

  it('is not looked at without a good signature', async () => {
    const { server, sayKeyed, connId } = await start()
    const json = [{ user: 'bob', channel: 'lobby', message: { text: 'hello' } }]
    await sayKeyed('k1', 'hello')
    const keyed = (key: string, signed: object) => ({
      json,
      headers: { 'idempotency-key': key, ...signed },
    })
    const unsigned = await send(server, 'POST /message', keyed('k1', {}))
    expect([unsigned.status, unsigned.body]).toEqual([403, { request: 'Forbidden' }])
    const wrong = keyed('k1', signature({ secret: 'wrong' }))
    expect((await send(server, 'POST /message', wrong)).status).toBe(401)
    const huge = keyed('x'.repeat(1000), {})
    expect((await send(server, 'POST /message', huge)).status).toBe(403)
    // Anyone may call it, but no answer is remembered: unsigned callers must not fill the memory.
    const end = () =>
      send(server, 'POST /disconnect', {
        json: { conn_id: connId },
        headers: { 'idempotency-key': 'k9' },
      })
    expect([(await end()).body, (await end()).body]).toEqual([true, false])
  })

  it('means nothing to GET, nor to pages for people', async () => {
    const { backend, connId } = await start()
    const headers = { 'idempotency-key': 'k1' }
    for (const line of ['GET /info', `GET /disconnect?conn_id=${connId}`, 'POST /admin/admin.json'])
      for (const time of [1, 2]) {
        const { status, headers: answered } = await backend.send(line, { headers })
        expect([time, line, status, answered['idempotency-replayed']]).toEqual([
          time,
          line,
          200,
          undefined,
        ])
      }
  })
})

describe('the memory of answers', () => {
  it('forgets after idempotency_window', async () => {
    const clock = new ManualClock()
    const server = await startServer(
      { idempotency_window: 10 },
      { ...systemClock, now: () => clock.now() },
    )
    onTestFinished(() => server.close())
    const backend = new Backend(server)
    const isReplayed = async (): Promise<boolean> => {
      const { headers } = await backend.send('POST /connect', {
        json: { username: 'ann' },
        headers: { 'idempotency-key': 'k1' },
      })
      return headers['idempotency-replayed'] === 'true'
    }
    expect(await isReplayed()).toBe(false)
    await clock.advance(9_999)
    expect(await isReplayed()).toBe(true)
    await clock.advance(1)
    expect(await isReplayed()).toBe(false)
  })

  it('stays within max_idempotency_bytes', async () => {
    const { sayKeyed } = await start({ max_idempotency_bytes: 2_000 })
    for (const key of ['a', 'b', 'c', 'd']) await sayKeyed(key, 'hello')
    const replayed = async (key: string): Promise<unknown> =>
      (await sayKeyed(key, 'hello')).headers['idempotency-replayed']
    expect(await replayed('d')).toBe('true')
    expect(await replayed('a')).toBeUndefined()
  })
})
