import { afterAll, describe, expect, it } from 'vitest'
import { EventStreamListener, closeStreams } from '../helpers/event-stream.ts'
import { Backend, send, signature, until } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { Listener, RawClient, closeClients, handshake } from '../helpers/websocket.ts'

afterAll(async () => {
  closeClients()
  closeStreams()
  await killProcesses()
})

interface Line {
  readonly msg: string
  readonly method: string
  readonly route?: string
  readonly status: number
  readonly ms: number
  readonly bytes: number
  readonly address: string
}

const start = (settings: Record<string, string | boolean> = {}): Promise<ServerProcess> =>
  ServerProcess.start({ settings: { access_log: true, trusted_proxies: '127.0.0.1', ...settings } })

/** The lines of the access log so far. */
const linesOf = ({ stderr }: ServerProcess): Line[] =>
  stderr
    .split('\n')
    .slice(0, -1)
    .map((line) => (line.startsWith('{') ? JSON.parse(line) : {}) as Line)
    .filter(({ msg }) => msg === 'request' || msg === 'WebSocket')

/** Resolves with the line of the log that `use` causes. */
async function lineAfter(server: ServerProcess, use: () => Promise<unknown>): Promise<Line> {
  const before = linesOf(server).length
  await use()
  await until(() => linesOf(server).length > before, 'a line of the log')
  const [line, ...more] = linesOf(server).slice(before)
  expect(more).toEqual([])
  return line as Line
}

const CLIENT = { 'x-forwarded-for': '203.0.113.9' }

describe('the access log', () => {
  it('is off by default', async () => {
    const server = await ServerProcess.start()
    await send(server, 'GET /health')
    server.signal('SIGTERM')
    await server.ended()
    expect(linesOf(server)).toEqual([])
  })

  it('has a line for each answered request, with what it was and how it ended', async () => {
    const server = await start()
    const json = { username: 'ann', channels: ['lobby'] }
    const headers = { ...signature(), 'x-forwarded-for': '127.0.0.1' }
    let bytes = 0
    const line = await lineAfter(server, async () => {
      const { text } = await send(server, 'POST /connect?x=hush', { json, headers })
      bytes = Buffer.byteLength(text)
    })
    const route = { method: 'POST', route: '/connect', status: 200, address: '127.0.0.1' }
    expect(line).toMatchObject({ ...route, bytes, msg: 'request' })
    expect(line.ms).toBeGreaterThan(0)
    expect(Object.keys(line).toSorted()).toEqual(
      ['address', 'bytes', 'level', 'method', 'ms', 'msg', 'route', 'status', 'time'].toSorted(),
    )
  })

  it.each<readonly [string, string, Partial<Line>]>([
    ['without a route', 'GET /hush/hush?hush', { status: 404 }],
    ['for a file', 'GET /client/channelstream.js', { status: 200, route: '/client/:name' }],
    ['without a signature', 'POST /connect', { status: 403, route: '/connect' }],
    ['without a body in the answer', 'HEAD /health', { status: 200, bytes: 0, route: '/health' }],
    ['from a page', 'OPTIONS /connect', { method: 'OPTIONS', status: 200, route: '/*' }],
  ])('has a request %s', async (_which, line, expected) => {
    const server = await start()
    const logged = await lineAfter(server, () => send(server, line, { headers: CLIENT }))
    if (expected.route?.includes(':name')) expect(logged.bytes).toBeGreaterThan(1000)
    const { route, ...rest } = expected
    expect(logged).toMatchObject({ address: '203.0.113.9', ...rest })
    expect(logged.route).toBe(route)
    expect(server.stderr).not.toContain('hush')
  })

  it('has a poll, an event stream and a WebSocket when they end, without their conn_ids', async () => {
    const server = await start({ wake_connections_after: '0.05' })
    const backend = new Backend(server)
    const ids: string[] = []
    const connect = async (): Promise<string> => {
      let id = ''
      await lineAfter(server, async () => {
        id = await backend.connect('ann', ['lobby'])
      })
      ids.push(id)
      return id
    }
    const poll = await connect()
    expect(
      await lineAfter(server, () => send(server, `GET /listen?conn_id=${poll}`)),
    ).toMatchObject({ route: '/listen', status: 200, bytes: 2 })
    const stream = await EventStreamListener.open(server, await connect())
    const closed = await lineAfter(server, () => {
      closeStreams()
      return Promise.resolve(stream)
    })
    expect(closed).toMatchObject({ route: '/sse', status: 200, msg: 'request' })
    const id = await connect()
    const socket = await lineAfter(server, async () => {
      const listener = await Listener.open(server, id, { headers: CLIENT })
      await listener.close()
    })
    const { bytes, ...rest } = socket
    const route = { method: 'GET', route: '/ws', status: 101, msg: 'WebSocket' }
    expect(rest).toMatchObject({ ...route, address: '203.0.113.9' })
    expect(bytes).toBeGreaterThan(100)
    for (const connId of ids) expect(server.stderr).not.toContain(connId)
  })

  it('has a refused handshake as a request', async () => {
    const server = await start()
    const line = await lineAfter(server, async () => {
      const client = await RawClient.connect(server)
      client.write(handshake('/ws?conn_id=hush', CLIENT))
      expect(await client.answered()).toBe(422)
      client.destroy()
    })
    expect(line).toMatchObject({
      route: '/ws',
      status: 422,
      msg: 'request',
      address: '203.0.113.9',
    })
    expect(server.stderr).not.toContain('hush')
  })

  it('counts each of several requests on one connection', async () => {
    const server = await start()
    const client = await RawClient.connect(server)
    const one = 'GET /health/live HTTP/1.1\r\nHost: test\r\n\r\n'
    client.write(one.repeat(3))
    await until(() => linesOf(server).length === 3, 'three lines')
    for (const { bytes, status } of linesOf(server))
      expect([status, bytes]).toEqual([200, '{"status":"ok"}'.length])
    client.destroy()
  })
})
