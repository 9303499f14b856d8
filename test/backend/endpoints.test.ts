import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import { afterEach, describe, expect, expectTypeOf, it, onTestFinished } from 'vitest'
import { makeCertificate } from '../helpers/certificate.ts'
import { Backend, until } from '../helpers/http.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import { aClient, errorOf, json, startFake } from './fakes.ts'
import type { AddressInfo } from 'node:net'
import type { z } from 'zod'
import type { Channelstream, ChannelstreamError } from '../../src/backend/index.ts'
import type { ConfigInput } from '../../src/config/load.ts'
import type { HistoryRequest } from '../../src/protocol/history.ts'
import type * as Requests from '../../src/protocol/requests.ts'
import type * as Responses from '../../src/protocol/responses.ts'

afterEach(closeClients)

async function start(settings: ConfigInput = {}) {
  const server = await startServer(settings)
  onTestFinished(() => server.close())
  return { server, client: aClient(server.url) }
}

describe('a client', () => {
  it('connects a user, who hears of messages, edits and deletes', async () => {
    const { server, client } = await start()
    const connected = await client.connect({
      username: 'ann',
      channels: ['lobby'],
      user_state: { color: 'red' },
      state_public_keys: ['color'],
      channel_configs: { lobby: { store_history: true } },
    })
    expect(connected).toMatchObject({ username: 'ann', public_state: { color: 'red' } })
    const ann = await Listener.open(server, connected.conn_id)
    const [posted] = await client.message({ user: 'bob', channel: 'lobby', message: { text: 'a' } })
    const uuid = posted?.uuid ?? ''
    expect(await client.edit({ channel: 'lobby', uuid, message: { text: 'b' } })).toMatchObject([
      { uuid, message: { text: 'b' } },
    ])
    expect(await client.delete([{ channel: 'lobby', uuid }])).toMatchObject([{ uuid }])
    await until(() => ann.events.length === 3, 'three events')
    expect(ann.events.map((event) => [event.type, event['uuid'], event.message?.text])).toEqual([
      ['message', uuid, 'a'],
      ['message:edit', uuid, 'b'],
      ['message:delete', uuid, undefined],
    ])
  })

  it('posts lists in their order, with the uuids that are given', async () => {
    const { client } = await start()
    await client.channelConfig({ lobby: { store_history: true } })
    const uuid = '7f0c9b52-4a8e-4f0e-8a0e-6d2f0f6c1f11'
    const posted = await client.message([
      { user: 'bob', channel: 'lobby', uuid, extra: 1 },
      { user: 'bob', channel: 'lobby' },
    ])
    expect(posted).toMatchObject([{ uuid, extra: 1 }, { user: 'bob' }])
    const { channels } = await client.info({ channels: ['lobby'] })
    expect(channels['lobby']?.history.map((item) => item.uuid)).toEqual(posted.map((m) => m.uuid))
  })

  it('joins and leaves channels, and ends a connection', async () => {
    const { client } = await start()
    const conn_id = '3b8f2a6e-5d0c-4f7a-9a44-0f3f3c1f7d10'
    expect((await client.connect({ username: 'ann', conn_id })).conn_id).toBe(conn_id)
    const channels = ['news']
    expect(await client.subscribe({ conn_id, channels })).toMatchObject({ subscribed_to: channels })
    expect(await client.unsubscribe({ conn_id, channels })).toMatchObject({
      unsubscribed_from: channels,
    })
    expect(await client.disconnect(conn_id)).toBe(true)
    expect(await client.disconnect(conn_id)).toBe(false)
  })

  it('does the same with all connections of a user', async () => {
    const { client } = await start()
    const username = 'ann'
    const conn_ids = [
      (await client.connect({ username })).conn_id,
      (await client.connect({ username })).conn_id,
    ]
    const channels = ['news']
    expect(await client.subscribe({ username, channels })).toMatchObject({
      subscribed_to: channels,
      conn_ids: expect.toSatisfy(
        (ids: string[]) => ids.toSorted().join() === conn_ids.toSorted().join(),
      ) as string[],
    })
    const left = await client.unsubscribe({ username, channels })
    expect([left.unsubscribed_from, left.channels, left.conn_ids?.length]).toEqual([
      channels,
      [],
      2,
    ])
    const ended = await client.disconnectUser({ username, reason: 'signed out' })
    expect([ended.username, ended.conn_ids.toSorted()]).toEqual([username, conn_ids.toSorted()])
    expect(await client.disconnectUser({ username })).toEqual({ username, conn_ids: [] })
  })

  it('sets the state of users, and describes what there is', async () => {
    const { client } = await start()
    await client.connect({ username: 'ann', channels: ['lobby', 'news'] })
    expect(await client.userState({ user: 'ann', user_state: { color: 'blue' } })).toEqual({
      user_state: { color: 'blue' },
      changed_state: [{ key: 'color', value: 'blue' }],
      public_keys: [],
    })
    const all = await client.info()
    expect(Object.keys(all.channels)).toEqual(['lobby', 'news'])
    expect(all.users).toEqual([{ user: 'ann', state: { color: 'blue' } }])
    expect(Object.keys((await client.info({ channels: ['news'] })).channels)).toEqual(['news'])
    expect(await client.admin()).toMatchObject({ total_connections: 1, total_channels: 2 })
    expect(await client.health()).toEqual({ status: 'ok' })
  })

  it('reads a history page by page', async () => {
    const { client } = await start()
    await client.channelConfig({ lobby: { store_history: true } })
    const texts = ['1', '2', '3', '4', '5']
    await client.message(
      texts.map((text) => ({ user: 'bob', channel: 'lobby', message: { text } })),
    )
    const read: unknown[] = []
    for (let after: string | undefined, more = true; more;) {
      const given = after === undefined ? {} : { after }
      const page = await client.history({ channel: 'lobby', limit: 2, ...given })
      for (const { id, message } of page.history) {
        read.push((message as { text: string }).text)
        after = id
      }
      more = page.more
    }
    expect(read).toEqual(texts)
    const brief = await client.info({ channels: ['lobby'], include_history: { limit: 2 } })
    expect(brief.channels['lobby']?.history).toHaveLength(2)
  })

  it('posts to several channels, and learns for whom each message was', async () => {
    const { client } = await start()
    await client.connect({ username: 'ann', channels: ['lobby', 'news'] })
    await client.connect({ username: 'bob', channels: ['news'] })
    const channels = ['lobby', 'news', 'typo']
    const posted = await client.message({ user: 'cem', channels }, { recipients: true })
    expect(posted).toMatchObject([
      { channels, recipients: { connections: 3, users: 3, unknown_channels: ['typo'] } },
    ])
    const uuid = posted[0]?.uuid ?? ''
    expect(await client.edit({ channels, uuid, message: {} })).toMatchObject([{ channels, uuid }])
    expect(await client.delete({ channels, uuid })).toMatchObject([{ channels, uuid }])
    const [plain] = await client.message({ user: 'cem', channel: 'lobby' }, { deadlineMs: 10_000 })
    expect(plain).not.toHaveProperty('recipients')
  })

  it('counts users without listing them, and finds those who are online', async () => {
    const { client } = await start()
    await client.connect({ username: 'ann', channels: ['lobby', 'news'] })
    await client.connect({ username: 'ann', channels: ['lobby'] })
    const lobby = { total_connections: 2, total_users: 1 }
    const news = { total_connections: 1, total_users: 1 }
    expect(await client.counts()).toEqual({ lobby, news })
    expect(await client.counts({ channels: ['typo', 'news'] })).toEqual({ news })
    expect(await client.online(['bob', 'ann'])).toEqual([
      { user: 'ann', total_connections: 2, channels: ['lobby', 'news'] },
    ])
    const { channels } = await client.info({ include_users: false, counts: true })
    expect(channels['lobby']).toMatchObject({ ...lobby, users: [] })
  })

  it('signs the path that is called, for signature_scope = endpoint', async () => {
    const { client } = await start({ signature_scope: 'endpoint' })
    await client.connect({ username: 'ann' })
    expect((await client.admin()).total_connections).toBe(1)
    const [posted] = await client.message({ user: 'ann', channel: 'a' }, { recipients: true })
    expect(posted?.recipients?.unknown_channels).toEqual(['a'])
  })

  it('tells what is wrong with a call', async () => {
    const { client } = await start()
    const error: ChannelstreamError = await errorOf(client.userState({ user: 'nobody' }))
    expect(error.complaints).toEqual({ user: ['Unknown user'] })
  })
})

describe('a url', () => {
  it('may have a path, under which a proxy has the server', async () => {
    const { server } = await start({ signature_scope: 'endpoint', trusted_proxies: '127.0.0.1' })
    const fake = await startFake((socket, request) => {
      const line = net.connect(server.port, server.host)
      line.pipe(socket)
      socket.on('close', () => line.destroy())
      line.write(request.replace('\r\n', '\r\nX-Script-Name: /push\r\n'))
    })
    for (const url of [`${fake.url}/push`, `${fake.url}/push/`])
      expect((await aClient(url).connect({ username: 'ann' })).username).toBe('ann')
    expect(fake.requests[0]).toMatch(/^POST \/push\/connect HTTP/)
  })

  it('may name an IPv6 address', async (context) => {
    const server = await startServer({ host: '::1', allow_posting_from: '::1' }).catch(() => null)
    if (!server) return context.skip('this machine has no ::1')
    onTestFinished(() => server.close())
    const client = aClient(`http://[::1]:${server.port}`)
    expect((await client.connect({ username: 'ann' })).username).toBe('ann')
  })

  it('may be https, with a certificate authority of its own', async () => {
    const { server } = await start()
    const { key, cert } = makeCertificate()
    const front = https.createServer({ key, cert }, (request, response) => {
      const { method, url = '', headers } = request
      const { host, port } = server
      const onward = http.request({ host, port, method, path: url, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 0, answer.headers)
        answer.pipe(response)
      })
      request.pipe(onward)
    })
    await new Promise<void>((resolve) => void front.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      front.closeAllConnections()
      front.close()
    })
    const url = `https://127.0.0.1:${(front.address() as AddressInfo).port}`
    const client = aClient(url, { tls: { ca: cert } })
    expect((await client.connect({ username: 'ann' })).username).toBe('ann')
    const error = await errorOf(aClient(url).info())
    expect(error).toMatchObject({ code: 'BAD_ANSWER', attempts: 1, retryable: false })
    expect(error.message).toContain('self-signed')
  })
})

describe('methods', () => {
  /** Calls each method once. The answers do not matter. */
  const CALLS: Record<Exclude<keyof Channelstream, 'close'>, (client: Channelstream) => unknown> = {
    connect: (client) => client.connect({ username: 'ann' }),
    subscribe: (client) => client.subscribe({ conn_id: '', channels: [] }),
    unsubscribe: (client) => client.unsubscribe({ conn_id: '', channels: [] }),
    disconnect: (client) => client.disconnect(''),
    disconnectUser: (client) => client.disconnectUser({ username: '' }),
    message: (client) => client.message([]),
    edit: (client) => client.edit([]),
    delete: (client) => client.delete([]),
    userState: (client) => client.userState({ user: 'ann' }),
    channelConfig: (client) => client.channelConfig({}),
    info: (client) => client.info(),
    history: (client) => client.history({ channel: 'lobby' }),
    counts: (client) => client.counts(),
    online: (client) => client.online([]),
    admin: (client) => client.admin(),
    health: (client) => client.health(),
  }

  /** Endpoints for browsers, and endpoints that do the same as one that has a method. */
  const WITHOUT_METHOD = [
    'GET /metrics',
    'GET /health/live',
    'GET /health/ready',
    'GET /admin/channels.json',
    'GET /admin/figures.json',
    'GET /admin/webhooks.json',
    'GET /admin/live',
    'GET /admin/users.json',
    'GET /ws',
    'GET /listen',
    'GET /sse',
    'GET /info',
    'GET /disconnect',
    'POST /admin/admin.json',
  ]

  it('are there for every operation of the OpenAPI document', async () => {
    const { server } = await start()
    const openApi = await new Backend(server).call<{
      paths: Record<string, Record<string, unknown>>
    }>('GET /openapi.json')
    const offered = Object.entries(openApi.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    )
    const fake = await startFake((socket) => socket.write(json({})))
    const client = aClient(fake.url)
    await Promise.allSettled(Object.values(CALLS).map((call) => call(client)))
    const called = fake.requests.map((request) => request.split(' ').slice(0, 2).join(' '))
    expect([...new Set(called), ...WITHOUT_METHOD].toSorted()).toEqual(offered.toSorted())
  })

  it('send a key with whatever changes something, and with nothing else', async () => {
    const fake = await startFake((socket) => socket.write(json({})))
    const client = aClient(fake.url)
    const reads = ['info', 'history', 'counts', 'online', 'admin', 'health']
    for (const [name, call] of Object.entries(CALLS)) {
      await Promise.allSettled([call(client)])
      expect([name, /^idempotency-key: /im.test(fake.requests.at(-1) ?? '')]).toEqual([
        name,
        !reads.includes(name),
      ])
    }
  })

  it('take what the schemas of the server take, and answer what they answer', () => {
    type Takes<Name extends keyof typeof CALLS> = Parameters<Channelstream[Name]>[0]
    type Answers<Name extends keyof typeof CALLS> = Awaited<ReturnType<Channelstream[Name]>>
    type OneOrMore<Element> = Element | readonly Element[]
    type Message = z.input<typeof Requests.MessageRequest>
    type Edit = z.input<typeof Requests.EditRequest>
    type Delete = z.input<typeof Requests.DeleteRequest>

    expectTypeOf<Takes<'connect'>>().toEqualTypeOf<z.input<typeof Requests.ConnectRequest>>()
    expectTypeOf<Takes<'subscribe'>>().toEqualTypeOf<z.input<typeof Requests.SubscribeRequest>>()
    expectTypeOf<Takes<'unsubscribe'>>().toEqualTypeOf<
      z.input<typeof Requests.UnsubscribeRequest>
    >()
    expectTypeOf<Takes<'message'>>().toEqualTypeOf<OneOrMore<Message>>()
    expectTypeOf<Takes<'edit'>>().toEqualTypeOf<OneOrMore<Edit>>()
    expectTypeOf<Takes<'delete'>>().toEqualTypeOf<OneOrMore<Delete>>()
    expectTypeOf<Takes<'userState'>>().toEqualTypeOf<z.input<typeof Requests.UserStateRequest>>()
    expectTypeOf<Takes<'channelConfig'>>().toEqualTypeOf<
      z.input<typeof Requests.ChannelConfigRequest>
    >()
    expectTypeOf<Takes<'info'>>().toEqualTypeOf<z.input<typeof Requests.InfoOptions> | undefined>()
    expectTypeOf<Takes<'history'>>().toEqualTypeOf<z.input<typeof HistoryRequest>>()

    expectTypeOf<Answers<'connect'>>().toEqualTypeOf<z.output<typeof Responses.ConnectResponse>>()
    expectTypeOf<Answers<'message'>>().toEqualTypeOf<z.output<typeof Responses.MessagesResponse>>()
    expectTypeOf((client: Channelstream) =>
      client.message([], { recipients: true }),
    ).returns.resolves.toEqualTypeOf<z.output<typeof Responses.CountedMessagesResponse>>()
    expectTypeOf<Answers<'online'>>().toEqualTypeOf<Responses.OnlineUser[]>()
    expectTypeOf<Answers<'info'>>().toEqualTypeOf<Responses.ChannelsInfo>()
    expectTypeOf<Answers<'history'>>().toEqualTypeOf<Responses.HistoryResponse>()
    expectTypeOf<Answers<'admin'>>().toEqualTypeOf<z.output<typeof Responses.AdminResponse>>()
    expectTypeOf<Answers<'disconnect'>>().toEqualTypeOf<boolean>()

    // The types are useful: fields are not `unknown`, and missing or misspelt fields are errors.
    expectTypeOf<Takes<'connect'>['channels']>().toEqualTypeOf<string[] | undefined>()
    expectTypeOf<Message['pm_users']>().toEqualTypeOf<string[] | undefined>()
    expectTypeOf<Delete['uuid']>().toEqualTypeOf<string>()
    expectTypeOf<{ channels: string[] }>().not.toExtend<Takes<'connect'>>()
    // @ts-expect-error: misspelt
    expectTypeOf<Takes<'connect'>>().toExtend<{ chanels: string[] }>()
  })
})
