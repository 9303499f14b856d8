import { afterAll, describe, expect, it } from 'vitest'
import { Backend, send, signature, signedHead } from '../helpers/http.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, RawClient, closeClients, handshake } from '../helpers/websocket.ts'
import type { ConfigInput } from '../../src/config/load.ts'
import type { Answer } from '../helpers/http.ts'

/** Runs `use` with a new server. */
async function withServer(
  settings: ConfigInput,
  use: (server: Awaited<ReturnType<typeof startServer>>, backend: Backend) => Promise<void>,
): Promise<void> {
  const server = await startServer(settings)
  await use(server, new Backend(server)).finally(() => server.close())
}

/** Returns the status of a handshake. */
async function shakeHands(
  server: { host: string; port: number },
  target: string,
  headers: Record<string, string> = {},
): Promise<number> {
  const client = await RawClient.connect(server)
  client.write(handshake(target, headers))
  const status = await client.answered()
  client.destroy()
  return status
}

describe('behind a proxy', () => {
  afterAll(closeClients)

  describe('under a path', () => {
    const headers = { 'x-script-name': '/push' }

    it('every request works with the prefix, sockets and polls included', () =>
      withServer({ wake_connections_after: 0.05 }, async (server, backend) => {
        const json = { username: 'ann', channels: ['room'] }
        const connected = await backend.send('POST /push/connect', { json, headers })
        expect(connected.status).toBe(200)
        const { conn_id } = connected.body as { conn_id: string }
        const poll = await send(server, `GET /push/listen?conn_id=${conn_id}`, { headers })
        expect([poll.status, poll.body]).toEqual([200, []])
        const listener = await Listener.open(server, conn_id, { prefix: '/push', headers })
        await backend.say('room', 'hello')
        await listener.heard('hello')
        const stream = await send(server, 'GET /push/sse?conn_id=x', { headers })
        expect(stream.body).toEqual({ conn_id: ['Not a valid UUID.'] })
        await listener.close()
        expect(await shakeHands(server, `/pushed/ws?conn_id=${conn_id}`, headers)).toBe(404)
        expect(await shakeHands(server, `/push/ws?conn_id=${conn_id}`)).toBe(404)
        expect((await backend.send('POST /pushed/info', { headers })).status).toBe(404)
        expect((await backend.send('POST /push/info')).status).toBe(404)
      }))

    it('links, forms and cookies carry it', () =>
      withServer({}, async (server) => {
        const redirect = await send(server, 'GET /push/admin', { headers })
        expect(redirect.headers.location).toBe('/push/admin/sign_in')
        const form = await send(server, 'GET /push/admin/sign_in', { headers })
        // The form goes to the address of the page, which the browser has with its prefix.
        expect(form.text).toContain('<form method="post">')
        const body = 'username=admin&password=admin_secret'
        const signedIn = await send(server, 'POST /push/admin/sign_in', { headers, body })
        expect(signedIn.headers['set-cookie']?.[0]).toContain('Path=/push;')
      }))

    it('counts from this machine, or from the trusted proxies if there are any, and from nobody else', async () => {
      const status = async (settings: ConfigInput, localAddress: string) => {
        let answer: Answer | undefined
        await withServer(settings, async (_server, backend) => {
          answer = await backend.send('POST /push/info', { headers, localAddress })
        })
        return answer?.status
      }
      const everyone = { allow_posting_from: '0.0.0.0' }
      expect(await status(everyone, '127.0.0.1')).toBe(200)
      expect(await status({ ...everyone, trusted_proxies: '127.0.0.2' }, '127.0.0.2')).toBe(200)
      expect(await status({ ...everyone, trusted_proxies: '127.0.0.2' }, '127.0.0.1')).toBe(404)
    })
  })

  describe('that ends TLS', () => {
    const https = { 'x-scheme': 'https' }

    it('redirects stay on https and cookies are Secure', () =>
      withServer({}, async (server) => {
        const { headers } = await send(server, 'GET /admin', { headers: https })
        expect(headers.location).toBe(`https://${server.host}:${server.port}/admin/sign_in`)
        const named = { headers: { ...https, host: 'example.com' } }
        expect((await send(server, 'GET /admin', named)).headers.location).toBe('/admin/sign_in')
        const body = 'username=admin&password=admin_secret'
        const signedIn = await send(server, 'POST /admin/sign_in', { headers: https, body })
        expect(signedIn.headers['set-cookie']?.[0]).toContain('; Secure')
        const plain = await send(server, 'POST /admin/sign_in', { body })
        expect(plain.headers['set-cookie']?.[0]).not.toContain('Secure')
      }))

    it('enforce_https refuses what did not come by it with 406, on every kind of request', () =>
      withServer({ enforce_https: true, wake_connections_after: 0.05 }, async (server, backend) => {
        const json = { username: 'ann' }
        const refused = await backend.send('POST /connect', { json })
        expect(refused).toMatchObject({
          status: 406,
          body: { request: 'This server requires https.' },
        })
        const accepted = await backend.send('POST /connect', { json, headers: https })
        const { conn_id } = accepted.body as { conn_id: string }
        const [listen, ws] = [`/listen?conn_id=${conn_id}`, `/ws?conn_id=${conn_id}`]
        expect((await send(server, `GET ${listen}`)).status).toBe(406)
        expect((await send(server, `GET ${listen}`, { headers: https })).status).toBe(200)
        expect(await shakeHands(server, ws)).toBe(406)
        expect(await shakeHands(server, ws, { 'X-Scheme': 'http' })).toBe(406)
        expect(await shakeHands(server, ws, { 'X-Scheme': 'wss' })).toBe(101)
        for (const line of ['GET /admin/sign_in', 'GET /api-explorer', 'GET /nowhere'])
          expect((await send(server, line)).status, line).toBe(406)
      }))

    it('X-Forwarded-Proto counts from trusted proxies only, and the last one does', async () => {
      const status = async (settings: ConfigInput, headers: Record<string, string>) => {
        let answer: Answer | undefined
        await withServer({ enforce_https: true, ...settings }, async (_server, backend) => {
          answer = await backend.send('POST /info', { headers })
        })
        return answer?.status
      }
      const proto = (value: string) => ({ 'x-forwarded-proto': value })
      const trusting = { trusted_proxies: '127.0.0.1', allow_posting_from: '0.0.0.0' }
      expect(await status({}, proto('https'))).toBe(406)
      expect(await status(trusting, proto('https'))).toBe(200)
      expect(await status(trusting, proto('http, https'))).toBe(200)
      expect(await status(trusting, proto('https, http'))).toBe(406)
      // `http_scheme` is for links; it does not prove that a request came by https.
      expect(await status({ http_scheme: 'https' }, {})).toBe(406)
    })
  })

  describe('callers', () => {
    const from = async (settings: ConfigInput, sending: object) => {
      let answer: Answer | undefined
      await withServer(settings, async (_server, backend) => {
        answer = await backend.send('POST /info', sending)
      })
      return answer?.status
    }

    it('may post from the addresses and ranges of allow_posting_from', async () => {
      const range = { allow_posting_from: '10.0.0.0/8, 127.0.0.4/30' }
      for (const [localAddress, status] of [
        ['127.0.0.3', 403],
        ['127.0.0.4', 200],
        ['127.0.0.7', 200],
        ['127.0.0.8', 403],
      ] as const)
        expect(await from(range, { localAddress }), localAddress).toBe(status)
      expect(await from({ allow_posting_from: '0.0.0.0' }, { localAddress: '127.0.0.9' })).toBe(200)
      expect(await from({}, { localAddress: '127.0.0.2' })).toBe(403)
    })

    it('are whom the trusted proxies say they are, past all of them', async () => {
      const settings = {
        trusted_proxies: '127.0.0.1, 10.0.0.0/24',
        allow_posting_from: '192.0.2.7',
      }
      const forwarded = (value: string) => ({ headers: { 'x-forwarded-for': value } })
      expect(await from(settings, forwarded('192.0.2.7'))).toBe(200)
      expect(await from(settings, forwarded('192.0.2.7, 10.0.0.9'))).toBe(200)
      expect(await from(settings, forwarded('192.0.2.7, 203.0.113.1'))).toBe(403)
      expect(await from(settings, forwarded('192.0.2.7, 203.0.113.1, 10.0.0.9'))).toBe(403)
      expect(await from(settings, forwarded('garbage'))).toBe(403)
      expect(await from(settings, {})).toBe(403)
      const other = { ...forwarded('192.0.2.7'), localAddress: '127.0.0.2' }
      expect(await from(settings, other)).toBe(403)
    })
  })

  it('pages of other sites are refused on /ws and /listen, and programs are not', () =>
    withServer(
      { allow_cors: 'good.example', wake_connections_after: 0.05 },
      async (server, backend) => {
        const connId = await backend.connect('ann')
        const listen = (headers: object) =>
          send(server, `GET /listen?conn_id=${connId}`, { headers: { ...headers } })
        const refused = await listen({ origin: 'https://evil.example' })
        expect(refused).toMatchObject({
          status: 403,
          body: { request: 'This origin is not allowed.' },
        })
        const allowed = await listen({ origin: 'https://www.good.example' })
        expect(allowed.status).toBe(200)
        expect(allowed.headers['access-control-allow-origin']).toBe('*')
        expect((await listen({})).status).toBe(200)
        const ws = `/ws?conn_id=${connId}`
        expect(await shakeHands(server, ws, { Origin: 'https://evil.example' })).toBe(403)
        expect(await shakeHands(server, ws, { Origin: 'https://good.example' })).toBe(101)
        expect(await shakeHands(server, ws)).toBe(101)
        const preflight = await send(server, 'OPTIONS /listen', {
          headers: { origin: 'https://evil.example', 'access-control-request-method': 'GET' },
        })
        expect(preflight.status).toBe(200)
        expect(preflight.headers).not.toHaveProperty('access-control-allow-origin')
      },
    ))

  it('a request that offers HTTP/2 is served as it is, its body included', () =>
    withServer({}, async (server, backend) => {
      const headers = {
        connection: 'Upgrade, HTTP2-Settings',
        upgrade: 'h2c',
        'http2-settings': 'AAMAAABkAAQAAP__',
      }
      const json = { username: 'ann', channels: ['room'] }
      const answer = await backend.send('POST /connect', { json, headers })
      expect(answer).toMatchObject({ status: 200, body: { username: 'ann' } })
      const client = await RawClient.connect(server)
      const body = '[{"user": "a", "channel": "room"}]'
      const chunked = { Connection: 'Upgrade', Upgrade: 'h2c', 'Transfer-Encoding': 'chunked' }
      client.write(signedHead('POST /message', chunked))
      client.write(`${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`)
      expect(await client.answered()).toBe(200)
      // The connection still works as HTTP/1.1.
      client.write('GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n')
      const { headers: plain } = await send(server, 'GET /info', {
        headers: { ...signature(), ...headers },
      })
      expect(plain['content-type']).toMatch(/json/)
    }))
})
