import http from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EventStreamListener, ReturningListener, closeStreams } from '../helpers/event-stream.ts'
import { Backend, send, until, within } from '../helpers/http.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, RawClient, closeClients } from '../helpers/websocket.ts'
import type { TestServer } from '../helpers/server.ts'

const SHORT_GC_S = 1

/** What `/sse` says when a stream begins, before its events. */
const BEGINNING =
  /^retry: \d{4}\n\nevent: hello\nid: [0-9a-f]+-\d+\ndata: \{"type":"hello","heartbeat_interval":5,"wake_connections_after":0\.5\}\n\n/

const textsTo = (count: number): string[] => Array.from({ length: count }, (_, n) => String(n))

afterAll(() => {
  closeStreams()
  closeClients()
})

describe.concurrent('an event stream', () => {
  let server: TestServer
  let backend: Backend

  beforeAll(async () => {
    server = await startServer({ allow_cors: ['pages.test'], wake_connections_after: 0.5 })
    backend = new Backend(server)
  })
  afterAll(() => server.close())

  const sse = (connId: string, query = '', headers: Record<string, string> = {}) =>
    send(server, `GET /sse?conn_id=${connId}${query}`, { headers })

  it('has the headers that EventSource and proxies need', async () => {
    const agent = new http.Agent({ keepAlive: true })
    const connId = await backend.connect('ann')
    const { response } = await EventStreamListener.open(server, connId, { agent })
    expect(response?.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
      'access-control-allow-methods': expect.any(String) as string,
      'transfer-encoding': 'chunked',
      connection: 'keep-alive',
    })
    expect(response?.headers).not.toHaveProperty('content-length')
    expect(response?.headers).not.toHaveProperty('content-encoding')
  })

  it('begins with the time to come back and the intervals of the server', async () => {
    const stream = await EventStreamListener.open(server, await backend.connect('ann'))
    expect(stream.text).toMatch(BEGINNING)
    expect(stream.retryMs).toBeGreaterThanOrEqual(1_000)
    expect(stream.retryMs).toBeLessThanOrEqual(3_000)
  })

  it('has an id and a list of one element for each event', async () => {
    const stream = await EventStreamListener.open(server, await backend.connect('ann', ['form']))
    await backend.call('POST /message', [
      { user: 'bob', channel: 'form', message: { text: 'ü\n\r\u2028' } },
      { user: 'bob', channel: 'form', message: { text: 'plain' } },
    ])
    await stream.heard('plain')
    const [first, second] = stream.events
    const block = ({ id }: { id: string }, json: string): string => `id: ${id}\ndata: [${json}]\n\n`
    expect(first?.message?.text).toBe('ü\n\r\u2028')
    expect(stream.text.replace(BEGINNING, '')).toBe(
      [first, second].map((event) => block(event ?? { id: '' }, JSON.stringify(event))).join(''),
    )
  })

  it('has the same events as a WebSocket, live and missed', async () => {
    const [ann, bob] = await Promise.all(
      ['ann', 'bob'].map(async (user) =>
        backend.connect(user, ['same'], { channel_configs: { same: { notify_presence: true } } }),
      ),
    )
    const socket = await Listener.open(server, ann ?? '')
    const stream = await EventStreamListener.open(server, bob ?? '')
    await backend.say('same', 'live')
    await backend.connect('cem', ['same'])
    await backend.say('same', 'last')
    await Promise.all([socket.heard('last'), stream.heard('last')])
    const own = ({ events }: Pick<Listener, 'events'>) =>
      events.filter(({ user }) => user !== 'ann' && user !== 'bob')
    expect(own(stream)).toEqual(own(socket))

    const cursor = stream.of('message')[0]?.id ?? ''
    const [lateSocket, lateStream] = await Promise.all([
      Listener.open(server, ann ?? '', { cursor }),
      EventStreamListener.open(server, bob ?? '', { cursor }),
    ])
    await Promise.all([lateSocket.heard('last'), lateStream.heard('last')])
    expect(lateStream.events).toEqual(lateSocket.events)
    expect(lateStream.events.map(({ catchup }) => catchup)).toEqual([true, true])
  })

  it('continues after Last-Event-ID rather than after the cursor', async () => {
    const connId = await backend.connect('ann', ['both'])
    const first = await EventStreamListener.open(server, connId)
    const start = first.lastEventId
    await backend.say('both', '1')
    await backend.say('both', '2')
    await first.heard('2')
    const lastEventId = first.events[0]?.id ?? ''
    const second = await EventStreamListener.open(server, connId, { cursor: start, lastEventId })
    await second.heard('2')
    expect(second.texts).toEqual(['2'])
    const third = await EventStreamListener.open(server, connId, { cursor: start })
    await third.heard('2')
    expect(third.texts).toEqual(['1', '2'])
  })

  it('gives a client an id before any event, so that it can name it if that one is lost', async () => {
    const connId = await backend.connect('ann', ['first'])
    const first = await EventStreamListener.open(server, connId)
    expect(first.lastEventId).not.toBe('')
    await backend.say('first', 'lost')
    await first.heard('lost')
    const { lastEventId } = await EventStreamListener.open(server, connId)
    expect(lastEventId).toBe(first.lastEventId)

    const returned = await EventStreamListener.open(server, connId, {
      lastEventId: /id: (\S+)/.exec(first.text)?.[1] ?? '',
    })
    await returned.heard('lost')
    expect(returned.events).toHaveLength(1)
  })

  it('leaves the cursor of a client as it is until a gap has come', async () => {
    const connId = await backend.connect('ann', ['gap'])
    const stream = await EventStreamListener.open(server, connId, { cursor: 'other-7' })
    await until(() => stream.of('gap').length === 1, 'the gap')
    expect(stream.text).toMatch(/^retry: \d+\n\nevent: hello\ndata: .*\n\nid: \S+\ndata: \[.*gap/)
  })

  it.each([
    ['an unknown connection', 401, crypto.randomUUID(), '', {}],
    ['no UUID', 422, 'x', '', {}],
    ['an invalid cursor', 422, undefined, '&cursor=x', {}],
    ['an invalid Last-Event-ID', 422, undefined, '&cursor=a-1', { 'last-event-id': 'x' }],
    ['a page of another site', 403, undefined, '', { origin: 'https://other.test' }],
    ['a body', 400, undefined, '', { 'content-length': '1' }],
    ['a body in chunks', 400, undefined, '', { 'transfer-encoding': 'chunked' }],
  ])('is refused to %s with an ordinary response', async (_what, status, id, query, headers) => {
    const connId = id ?? (await backend.connect('ann'))
    const body = 'content-length' in headers ? '1' : undefined
    const answer = await send(server, `GET /sse?conn_id=${connId}${query}`, {
      headers,
      ...(body !== undefined && { body }),
    })
    expect(answer.status).toBe(status)
    expect(answer.headers['content-type']).toContain('application/json')
    expect(answer.body).toBeDefined()
  })

  it('is open to pages of allowed sites', async () => {
    const origin = 'https://pages.test'
    const stream = await EventStreamListener.open(server, await backend.connect('ann'), {
      headers: { origin },
    })
    expect(stream.response?.headers['access-control-allow-origin']).toBe('*')
  })

  it('ends with a reason when the connection ends', async () => {
    const connId = await backend.connect('ann', ['ended'])
    const stream = await EventStreamListener.open(server, connId)
    await backend.say('ended', 'last')
    await backend.call(`GET /disconnect?conn_id=${connId}`)
    await within(stream.closed, 'the end')
    expect(stream.texts).toEqual(['last'])
    expect(stream.isComplete).toBe(true)
    expect(stream.said.at(-1)).toEqual({ type: 'close', code: 1000, reason: 'connection ended' })
    expect((await sse(connId)).status).toBe(401)
  })

  it('takes over from an older stream, and polls get nothing while it is open', async () => {
    const connId = await backend.connect('ann', ['taken'])
    const socket = await Listener.open(server, connId)
    const stream = await EventStreamListener.open(server, connId)
    const poll = send(server, `GET /listen?conn_id=${connId}`)
    await backend.say('taken', 'to the stream')
    await stream.heard('to the stream')
    const later = await Listener.open(server, connId)
    expect(await socket.closed).toEqual({ code: 4509, reason: 'opened elsewhere' })
    await backend.say('taken', 'to the socket')
    await later.heard('to the socket')
    expect(stream.texts).toEqual(['to the stream'])
    expect((await poll).body).toEqual([])
    await EventStreamListener.open(server, connId)
    await within(stream.closed, 'the end of the first stream')
    expect(stream.said.at(-1)).toMatchObject({ type: 'close', code: 4509 })
    expect(stream.retryMs).toBeGreaterThanOrEqual(45_000)
  })

  it('serves HTTP/1.0, whose body ends with the connection', async () => {
    const connId = await backend.connect('ann', ['old'])
    const client = await RawClient.connect(server)
    client.write(`GET /sse?conn_id=${connId} HTTP/1.0\r\n\r\n`)
    await until(() => client.text.includes('event: hello'), 'the hello')
    await backend.say('old', 'plain')
    await until(() => client.text.includes('"text":"plain"}'), 'the event')
    await backend.call(`GET /disconnect?conn_id=${connId}`)
    await until(() => client.isEnded, 'the end')
    const [head = '', body = ''] = client.text.split('\r\n\r\n')
    expect(head.toLowerCase()).not.toContain('transfer-encoding')
    expect(body).toMatch(BEGINNING)
    expect(body).toMatch(/"code":1000,"reason":"connection ended"\}\n\n$/)
  })

  it('comes after the responses to earlier requests of its socket', async () => {
    const connId = await backend.connect('ann', ['piped'])
    const polled = await backend.connect('bob', ['polled'])
    const client = await RawClient.connect(server)
    const request = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`
    client.write(request(`/listen?conn_id=${polled}`) + request(`/sse?conn_id=${connId}`))
    await until(() => server.app.hub.traffic().connections >= 2, 'both requests')
    await backend.say('piped', 'while it waits')
    await backend.say('polled', 'the answer')
    await until(() => client.text.includes('while it waits'), 'the event')
    expect(client.text).toMatch(/the answer[\s\S]*event: hello[\s\S]*while it waits/)
    client.destroy()
  })
})

describe.concurrent('an event stream that reaches its end', () => {
  let server: TestServer
  let backend: Backend

  beforeAll(async () => {
    const settings = {
      gc_conns_after: SHORT_GC_S,
      heartbeat_interval: 0.1,
    }
    server = await startServer(settings)
    backend = new Backend(server)
  })
  afterAll(() => server.close())

  it('ends by itself before the client counts as gone, and asks it back at once', async () => {
    const began = performance.now()
    const stream = await EventStreamListener.open(server, await backend.connect('ann'))
    await within(stream.closed, 'the end')
    const tookMs = performance.now() - began
    expect(tookMs).toBeGreaterThan(SHORT_GC_S * 600 - 50)
    expect(stream.isComplete).toBe(true)
    expect(stream.said).toHaveLength(1)
    expect(stream.beats).toBeGreaterThan(0)
    expect(stream.retryMs).toBeGreaterThanOrEqual(50)
    expect(stream.retryMs).toBeLessThanOrEqual(250)
  })

  it('ends at another time than those that opened with it', async () => {
    const streams = await Promise.all(
      textsTo(8).map(async (n) =>
        EventStreamListener.open(server, await backend.connect(`together ${n}`)),
      ),
    )
    const ends: number[] = []
    await Promise.all(streams.map(({ closed }) => closed.then(() => ends.push(performance.now()))))
    expect(Math.max(...ends) - Math.min(...ends)).toBeGreaterThan(10)
  })

  it('goes on without a loss in the next one, on the same socket, and the user stays', async () => {
    const configs = { channel_configs: { ends: { notify_presence: true, store_frames: true } } }
    const watcher = await ReturningListener.open(
      server,
      await backend.connect('eve', ['ends'], configs),
    )
    const listener = await ReturningListener.open(server, await backend.connect('ann', ['ends']))
    let said = 0
    while (listener.opened < 4) {
      await backend.say('ends', String(said++))
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    await backend.say('ends', 'last')
    await Promise.all([listener.heard('last'), watcher.heard('last')])
    expect(listener.texts).toEqual([...textsTo(said), 'last'])
    expect(watcher.texts).toEqual(listener.texts.slice(-watcher.texts.length))
    expect(listener.of('gap')).toEqual([])
    expect(watcher.presenceOf('ann')).toEqual(['joined'])
    expect(listener.givenUp).toBeUndefined()
  })

  it('uses the socket again', async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    const connId = await backend.connect('ann')
    const first = await EventStreamListener.open(server, connId, { agent })
    const socket = first.response?.socket
    await within(first.closed, 'the end')
    const second = await EventStreamListener.open(server, connId, { agent })
    expect(second.response?.socket).toBe(socket)
    agent.destroy()
  })

  it.each([
    ['comes to its end', (stream: EventStreamListener) => stream.closed],
    ['is broken off', (stream: EventStreamListener) => stream.breakOff()],
  ])('is the last of a client that does not come back when it %s', async (_how, end) => {
    const channel = crypto.randomUUID()
    const configs = { channel_configs: { [channel]: { notify_presence: true } } }
    const watcher = await Listener.open(server, await backend.connect('eve', [channel], configs))
    const connId = await backend.connect('ann', [channel])
    const stream = await EventStreamListener.open(server, connId)
    await end(stream)
    const ended = performance.now()
    await until(() => watcher.presenceOf('ann').includes('parted'), 'the user to be gone')
    expect(performance.now() - ended).toBeGreaterThan(SHORT_GC_S * 1000 - 100)
    expect((await send(server, `GET /sse?conn_id=${connId}`)).status).toBe(401)
  })

  it('tells a client that another one has taken over, so that it does not take turns with it', async () => {
    const connId = await backend.connect('ann')
    const first = await EventStreamListener.open(server, connId)
    const second = await EventStreamListener.open(server, connId)
    await within(first.closed, 'the end')
    expect(first.said.at(-1)).toMatchObject({ type: 'close', code: 4509 })
    await within(second.closed, 'the end')
    expect(second.said).toHaveLength(1)
  })
})

describe('a client on a slow line', () => {
  it(
    'takes what it missed before its stream ends, and keeps its connection',
    { timeout: 60_000 },
    async () => {
      const server = await startServer({ gc_conns_after: 2, heartbeat_interval: 0.1 })
      const backend = new Backend(server)
      const connId = await backend.connect('ann', ['slow'])
      // More than systems buffer, and more than is read in the life of a stream and the time after it.
      const [count, seconds, filling] = [60, 6, 'x'.repeat(500_000)]
      for (const text of textsTo(count)) {
        await backend.say('slow', text, { filling })
        // So that the connection is not over before it is opened, on a machine on which this takes long.
        await backend.connect('ann', ['slow'], { conn_id: connId })
      }
      const stream = await EventStreamListener.open(server, connId)
      stream.slowDown((count * filling.length) / seconds)
      await within(stream.closed, 'the end')
      expect(stream.texts).toEqual(textsTo(count))
      expect(stream.isComplete).toBe(true)
      expect(stream.said).toHaveLength(1)
      const { lastEventId } = stream
      await EventStreamListener.open(server, connId, { lastEventId })
      await server.close()
    },
  )
})

describe('a server that stops', () => {
  it('asks the clients of event streams to come back, and does not wait for them', async () => {
    const server = await startServer({ shutdown_grace: 60 })
    const backend = new Backend(server)
    const agent = new http.Agent({ keepAlive: true })
    const streams = await Promise.all(
      textsTo(5).map(async (n) =>
        EventStreamListener.open(server, await backend.connect(n, ['stop']), { agent }),
      ),
    )
    // Another one takes over from it.
    const connId = await backend.connect('twice')
    streams.push(await EventStreamListener.open(server, connId, { agent }))
    const twice = await EventStreamListener.open(server, connId, { agent })
    await backend.say('stop', 'last words')
    await within(server.close(), 'the server to stop', 10_000)
    for (const stream of streams.slice(0, 5)) {
      await stream.closed
      expect(stream.texts).toEqual(['last words'])
      expect(stream.isComplete).toBe(true)
      expect(stream.said.at(-1)).toMatchObject({ type: 'close', code: 1012 })
      expect(stream.retryMs).toBeGreaterThanOrEqual(500)
      expect(stream.retryMs).toBeLessThanOrEqual(5_000)
    }
    await Promise.all([twice.closed, streams[5]?.closed])
    expect(twice.said.at(-1)).toMatchObject({ type: 'close', code: 1012 })
    expect(new Set(streams.map(({ retryMs }) => retryMs)).size).toBeGreaterThan(2)
    agent.destroy()
  })
})
