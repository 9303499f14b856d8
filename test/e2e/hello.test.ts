/** Clients that ask the server for its intervals. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Hello } from '../../src/protocol/hello.ts'
import { Backend, send, until } from '../helpers/http.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import type { Answer } from '../helpers/http.ts'
import type { TestServer } from '../helpers/server.ts'

/** Polls that are not answered at once are answered after this time, which fails the test. */
const LONG_S = 300
const HELLO = { type: 'hello', heartbeat_interval: 0.3, wake_connections_after: LONG_S }
const NOBODY = '00000000-0000-4000-8000-000000000000'

describe('hello=1', () => {
  let server: TestServer
  let backend: Backend

  beforeAll(async () => {
    server = await startServer({ heartbeat_interval: 0.3, wake_connections_after: LONG_S })
    backend = new Backend(server)
  })
  afterAll(async () => {
    closeClients()
    await server.close()
  })

  const poll = (connId: string, query = '&hello=1'): Promise<Answer> =>
    send(server, `GET /listen?conn_id=${connId}${query}`)

  it('gets the settings in seconds, as a WebSocket’s first frame', async () => {
    const connId = await backend.connect('ann', ['stream'])
    await backend.say('stream', 'missed')
    const { events } = server.app.hub.traffic()
    const listener = await Listener.open(server, connId, { hello: '1' })
    await listener.heard('missed')
    expect(listener.frames[0]).toBe(JSON.stringify([HELLO]))
    expect(Hello.parse(listener.events[0])).toEqual(HELLO)
    await backend.say('stream', 'live')
    await listener.heard('live')
    expect(listener.texts).toEqual(['missed', 'live'])
    await until(() => listener.beats > 0, 'a heartbeat')
    expect(listener.of('hello')).toHaveLength(1)
    expect(server.app.hub.traffic().events - events).toBe(2)
  })

  it('answers a poll at once, with what is due', async () => {
    const connId = await backend.connect('ann', ['poll'])
    const { events } = server.app.hub.traffic()
    expect((await poll(connId)).body).toEqual([HELLO])
    expect(server.app.hub.traffic().events).toBe(events)
    await backend.say('poll', '1')
    await backend.say('poll', '2')
    const texts = [{ message: { text: '1' } }, { message: { text: '2' } }]
    expect((await poll(connId)).body).toMatchObject([HELLO, ...texts])
    expect((await poll(connId)).body).toEqual([HELLO])
  })

  it('comes with the first part of what was missed, if that is more than one answer', async () => {
    const connId = await backend.connect('ann', ['large'])
    const filling = 'x'.repeat(100_000)
    for (const text of ['1', '2']) await backend.say('large', text, { filling })
    expect((await poll(connId)).body).toMatchObject([HELLO, { message: { text: '1' } }])
    expect((await poll(connId)).body).toMatchObject([HELLO, { message: { text: '2' } }])
  })

  it('answers a poll beside a WebSocket, which still gets everything', async () => {
    const connId = await backend.connect('ann', ['both'])
    const listener = await Listener.open(server, connId)
    await backend.say('both', '1')
    await listener.heard('1')
    expect((await poll(connId)).body).toEqual([HELLO])
    await backend.say('both', '2')
    await listener.heard('2')
    expect(listener.texts).toEqual(['1', '2'])
  })

  it('comes as a script, too', async () => {
    const connId = await backend.connect('ann')
    const { text } = await poll(connId, '&hello=1&callback=got')
    expect(text).toBe(`got([${JSON.stringify(HELLO)}])`)
  })

  it('is not for a connection that the server does not know', async () => {
    expect((await poll(NOBODY)).status).toBe(401)
    const listener = await Listener.open(server, NOBODY, { hello: '1' })
    expect(await listener.closed).toEqual({ code: 1000, reason: 'unknown connection' })
    expect(listener.frames).toEqual([])
  })

  it.each([undefined, '', '0', 'true'])('is not %j', async (hello) => {
    const connId = await backend.connect('ann', ['without'])
    await backend.say('without', '1')
    const listener = await Listener.open(server, connId, hello === undefined ? {} : { hello })
    await until(() => listener.frames.length > 1, 'a heartbeat')
    expect(listener.of('hello')).toEqual([])
    await listener.close()
    const polled = await backend.connect('ann', ['without'])
    await backend.say('without', '2')
    const query = hello === undefined ? '' : `&hello=${hello}`
    expect((await poll(polled, query)).body).toMatchObject([{ message: { text: '2' } }])
  })
})
