/** Headers that tell browsers, caches and proxies how to treat answers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Admin } from '../helpers/admin.ts'
import { EventStreamListener, closeStreams } from '../helpers/event-stream.ts'
import { Backend, send, until } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import { startServer } from '../helpers/server.ts'
import { RawClient, closeClients, handshake } from '../helpers/websocket.ts'
import type { Answer } from '../helpers/http.ts'
import type { TestServer } from '../helpers/server.ts'

let server: TestServer
let admin: Admin
let backend: Backend
let philotePort: number

beforeAll(async () => {
  philotePort = await freePort()
  server = await startServer({
    ...{ wake_connections_after: 0.05, philote_host: '127.0.0.1', philote_port: philotePort },
    philote_secret: 'philote',
  })
  admin = await Admin.signIn(server)
  backend = new Backend(server)
})
afterAll(async () => {
  closeClients()
  closeStreams()
  await server.close()
})

const expectUnkept = (answer: Answer, what: string): void =>
  expect(answer.headers['cache-control'], what).toBe('no-store')

describe('an answer that a cache must not keep', () => {
  it.each([
    'GET /admin',
    'HEAD /admin',
    'GET /admin/admin.json',
    'POST /admin/admin.json',
    'GET /admin/debug',
    'GET /admin/channels.json',
    'GET /admin/users.json',
    'GET /admin/users.json?limit=x',
    'GET /admin/figures.json',
    'GET /admin/live',
    'GET /admin/sign_in',
    'HEAD /admin/sign_in',
    'GET /admin/sign_out',
    'GET /openapi.json',
    'GET /api-explorer',
    'GET /api-explorer/',
    'GET /api-explorer/json',
    'GET /api-explorer/explorer.js',
  ])('is that of the admin pages to %s, whoever asks', async (line) => {
    expectUnkept(await admin.call(line), 'signed in')
    expectUnkept(await send(server, line, { headers: { accept: 'text/html' } }), 'nobody')
    expectUnkept(await send(server, line, { headers: { 'x-channelstream-secret': 'x' } }), 'bad')
  })

  it.each([
    'POST /connect',
    'POST /info',
    'GET /info',
    'HEAD /info',
    'POST /history',
    'POST /message',
    'POST /channel_config',
    'POST /disconnect',
    'GET /health',
    'GET /metrics',
    'GET /nowhere',
    'GET /%',
    'OPTIONS /info',
    'GET /ws',
    'GET /listen',
    'GET /sse',
  ])('is that of the API to %s, signed or not', async (line) => {
    expectUnkept(await backend.send(line, { json: {} }), 'signed')
    expectUnkept(await send(server, line), 'unsigned')
    expectUnkept(await backend.send(line, { body: 'no JSON' }), 'unreadable')
  })

  it('is that of a poll, as JSON and as JSONP', async () => {
    const path = `/listen?conn_id=${await backend.connect('ann', ['room'])}`
    expectUnkept(await send(server, `GET ${path}`), 'JSON')
    expectUnkept(await send(server, `GET ${path}&callback=told`), 'JSONP')
  })

  it('is an event stream, which no proxy may change either', async () => {
    const connId = await backend.connect('ann', ['room'])
    const { response } = await EventStreamListener.open(server, connId)
    expect(response?.headers['cache-control']).toBe('no-store, no-transform')
  })

  it('is a handshake that is refused, and what is no HTTP', async () => {
    for (const bytes of [
      handshake('/ws?conn_id=x'),
      handshake('/admin/live'),
      'GET / HTTP/9\r\n\r\n',
    ]) {
      const client = await RawClient.connect(server)
      client.write(bytes)
      expect(await client.answered()).toBeGreaterThanOrEqual(400)
      expect(client.text.toLowerCase(), bytes).toContain('\r\ncache-control: no-store\r\n')
    }
  })

  it('is that of the port of Philote', async () => {
    const philote = { host: '127.0.0.1', port: philotePort }
    for (const path of ['/', '/api/info?auth=x.y.z'])
      expectUnkept(await send(philote, `GET ${path}`), path)
  })
})

describe('a page', () => {
  it.each(['/admin', '/admin/sign_in', '/admin/sign_out', '/api-explorer/'])(
    'lets nobody frame it, guess its type or learn where its readers come from: %s',
    async (path) => {
      const { status, headers } = await (await Admin.signIn(server)).open(path)
      expect(status).toBe(200)
      expect(headers['content-type']).toMatch(/^text\/html/)
      const policy = String(headers['content-security-policy'])
      expect(policy).toMatch(/^default-src 'none'/)
      expect(policy).toContain("frame-ancestors 'none'")
      expect(policy).toContain("base-uri 'none'")
      expect(policy).toMatch(/form-action '(self|none)'/)
      expect(headers['x-content-type-options']).toBe('nosniff')
      expect(headers['referrer-policy']).toMatch(/^(same-origin|no-referrer)$/)
    },
  )
})

describe('an upgrade that is refused', () => {
  it.each(['/ws', '/ws?conn_id=x', '/nowhere', '/admin', '/admin/live', '/info', '/%'])(
    'is answered on %s as other requests are, and closed',
    async (path) => {
      const client = await RawClient.connect(server)
      client.write(handshake(path, { Origin: 'http://page.test' }))
      expect(await client.answered()).toBeGreaterThanOrEqual(400)
      expect(client.status).toBeLessThan(500)
      expect(client.text).toMatch(/^access-control-allow-origin: \*\r$/im)
      expect(client.text).toMatch(/^cache-control: no-store\r$/im)
      expect(client.text).toMatch(/^connection: close\r$/im)
      await until(() => client.isOver, 'the end of the socket')
    },
  )
})
