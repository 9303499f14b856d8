import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend, send } from '../helpers/http.ts'
import { refuseCrashes } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import { RawClient, closeClients, handshake } from '../helpers/websocket.ts'
import { expectNothingDone, expectRefusal } from './refusal.ts'
import type { TestServer } from '../helpers/server.ts'

const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000'

const BAD_CURSORS = [
  '-1',
  '0',
  '-',
  'NaN',
  'epoch',
  'epoch-',
  'epoch--1',
  'epoch-NaN',
  'epoch-1.5',
  'epoch-1e3',
  'epoch-0x10',
  'epoch-01',
  'epoch-9007199254740992',
  'epoch-99999999999999999999',
  'epoch-1-1',
  ' epoch-1',
  'epoch-1\n',
  'epoch-\u0661',
  'e'.repeat(33) + '-1',
  `epoch-${'9'.repeat(8_000)}`,
  'null',
  '[object Object]',
  '__proto__',
]

describe('queries', () => {
  refuseCrashes()
  let server: TestServer
  let backend: Backend
  let connId: string

  beforeAll(async () => {
    server = await startServer({ gc_conns_after: 600, wake_connections_after: 0.05 })
    backend = new Backend(server)
    connId = await backend.connect('alice', ['room'])
  })
  afterAll(async () => {
    closeClients()
    await server.close()
  })

  /** Returns the answer to a refused handshake. */
  async function refusedHandshake(target: string) {
    const client = await RawClient.connect(server)
    client.write(handshake(target))
    const status = await client.answered()
    const text = client.text.slice(client.text.indexOf('\r\n\r\n') + 4)
    return { status, headers: {}, text, body: client.body }
  }

  describe('a cursor that is none is refused with 422', () => {
    it.each(BAD_CURSORS)('%j', async (cursor) => {
      const query = new URLSearchParams({ conn_id: connId, cursor }).toString()
      await expectNothingDone(backend, async () => {
        expectRefusal(await send(server, `GET /listen?${query}`), 422, 'cursor')
        expectRefusal(await refusedHandshake(`/ws?${query}`), 422, 'cursor')
      })
    })

    it('1 MB of it, with 431', async () => {
      const query = `conn_id=${connId}&cursor=${'9'.repeat(1_048_576)}`
      for (const text of [
        `GET /listen?${query} HTTP/1.1\r\nHost: x\r\n\r\n`,
        handshake(`/ws?${query}`),
      ]) {
        const client = await RawClient.connect(server)
        client.write(text)
        expect(await client.answered()).toBe(431)
      }
    })

    it('but one of another time, or ahead of this one, is a gap', async () => {
      for (const cursor of ['another-1', 'a-0', `${'z'.repeat(32)}-9007199254740991`]) {
        const answer = await send(server, `GET /listen?conn_id=${connId}&cursor=${cursor}`)
        expect(answer.status).toBe(200)
        expect(answer.body).toMatchObject([{ type: 'gap', channels: ['room'], private: true }])
      }
    })
  })

  describe('a conn_id that is none, or unknown, is refused', () => {
    const BAD = [
      '',
      'nonsense',
      '%00',
      '%ff%fe',
      '%',
      '%zz',
      '%F0%9F',
      '__proto__',
      'x'.repeat(8_000),
      '[]',
      UNKNOWN_ID.slice(1),
    ]

    it.each(BAD)('%j', async (spelling) => {
      await expectNothingDone(backend, async () => {
        const poll = await send(server, `GET /listen?conn_id=${spelling}`)
        expect([poll.status, poll.body]).toEqual([422, ['Wrong UUID format']])
        expectRefusal(await refusedHandshake(`/ws?conn_id=${spelling}`), 422, 'conn_id')
        expectRefusal(await send(server, `GET /disconnect?conn_id=${spelling}`), 422, 'conn_id')
        for (const path of ['subscribe', 'unsubscribe']) {
          const json = { channels: ['room'] }
          const answer = await backend.send(`POST /${path}?conn_id=${spelling}`, { json })
          expectRefusal(answer, 422, 'conn_id')
        }
      })
    })

    it('one that nobody has', async () => {
      await expectNothingDone(backend, async () => {
        const poll = await send(server, `GET /listen?conn_id=${UNKNOWN_ID}`)
        expectRefusal(poll, 401, 'request')
        const json = { conn_id: UNKNOWN_ID, channels: ['room', 'made on the way'] }
        expectRefusal(await backend.send('POST /subscribe', { json }), 422, 'conn_id')
        expectRefusal(await backend.send('POST /unsubscribe', { json }), 422, 'conn_id')
        const gone = await send(server, `GET /disconnect?conn_id=${UNKNOWN_ID}`)
        expect([gone.status, gone.body]).toEqual([200, false])
      })
    })

    it('one of another user', async () => {
      const json = { conn_id: connId, username: 'mallory', channels: ['made on the way'] }
      await expectNothingDone(backend, async () =>
        expectRefusal(await backend.send('POST /connect', { json }), 422, 'conn_id'),
      )
    })

    it('without any query, and with an empty one', async () => {
      for (const query of ['', '?', '?&', '?=', '?&&==&=', '?conn_id', `?CONN_ID=${connId}`]) {
        expect((await send(server, `GET /listen${query}`)).status).toBe(422)
        expect((await refusedHandshake(`/ws${query}`)).status).toBe(422)
        expect((await send(server, `GET /disconnect${query}`)).status).toBe(422)
      }
    })
  })

  describe('repeated parameters', () => {
    it('are never a list or an object to the server', async () => {
      for (const query of [
        'conn_id=nonsense&conn_id=nonsense',
        `conn_id[]=${connId}`,
        `conn_id[0]=${connId}`,
        `conn_id[a]=${connId}`,
        '__proto__=x&__proto__[conn_id]=y',
        `${'conn_id=x&'.repeat(1_000)}conn_id=x`,
        `${'a=1&'.repeat(3_000)}conn_id=x`,
      ]) {
        expect((await send(server, `GET /listen?${query}`)).status).toBe(422)
        expect((await refusedHandshake(`/ws?${query}`)).status).toBe(422)
        expect((await send(server, `GET /disconnect?${query}`)).status).toBe(422)
      }
    })

    it('count once', async () => {
      const query = `conn_id=${connId}&conn_id=${connId}`
      expect((await send(server, `GET /listen?${query}`)).status).toBe(200)
      const cursors = `conn_id=${connId}&cursor=nonsense&cursor=nonsense`
      expectRefusal(await send(server, `GET /listen?${cursors}`), 422, 'cursor')
    })
  })

  describe('a callback that is no name of a function is refused with 422', () => {
    it.each([
      '<script>',
      'a b',
      'a;b',
      'a(',
      'alert(1)//',
      'a\u2028b',
      '\u00e9',
      '1a',
      'a..b',
      'a['.repeat(50),
      'x'.repeat(129),
      'a.b[0]<',
      '%',
    ])('%j', async (callback) => {
      const query = new URLSearchParams({ conn_id: connId, callback }).toString()
      const answer = await send(server, `GET /listen?${query}`)
      expectRefusal(answer, 422, 'callback')
      expect(answer.headers['content-type']).toMatch(/^application\/json/)
      expect(answer.headers['x-content-type-options']).toBe('nosniff')
    })
  })

  describe('paths with junk in them are a 4xx with a body, on both kinds of request', () => {
    it.each([
      '/%',
      '/%zz',
      '/%ff%fe',
      '/%00',
      '/%c0%af',
      '/%F0%9F%98',
      '/connect%',
      '/..%2f..%2fetc%2fpasswd',
      '/../../etc/passwd',
      '/admin/../info',
      '/api-explorer/static/%2e%2e/%2e%2e/package.json',
      '/api-explorer/static/..%5c..%5cpackage.json',
      '//',
      '///',
      '//[',
      '//:99999/',
      '//a:b:c/ws',
      'http://',
      'http://[/ws',
      'ws://:x/ws',
      '/\\',
      '/listen/',
      '/ws/',
      '/WS',
      '/;/ws',
      `/${'a'.repeat(10_000)}`,
      `/${'a/'.repeat(4_000)}`,
      '*',
    ])('%s', async (target) => {
      const upgrade = await refusedHandshake(target)
      expect(upgrade.status, 'upgrade').toBeGreaterThanOrEqual(400)
      expect(upgrade.status, 'upgrade').toBeLessThan(500)
      expect(upgrade.body, 'upgrade').toEqual(expect.any(Object))

      for (const method of ['GET', 'POST', 'DELETE']) {
        const client = await RawClient.connect(server)
        client.write(`${method} ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`)
        const status = await client.answered()
        if (target.startsWith('/api-explorer') && method === 'GET') {
          expect([302, 400, 403, 404]).toContain(status)
          continue
        }
        expect(status, method).toBeGreaterThanOrEqual(400)
        expect(status, method).toBeLessThan(500)
        expect(client.body, method).toEqual(expect.any(Object))
      }
    })
  })

  it('methods that no route has are a 4xx, or cut off', async () => {
    for (const line of ['TRACE /info', 'CONNECT host:1', 'PUT /message', 'FOO /', 'GET', 'PRI *']) {
      const client = await RawClient.connect(server)
      client.write(`${line} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`)
      const status = await client.answered()
      expect(status === 0 || (status >= 400 && status < 500), `${line}: ${status}`).toBe(true)
    }
  })
})
