import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { signText } from '../conformance/signing.ts'
import { Backend, send, signature, until } from '../helpers/http.ts'
import { ServerProcess, killProcesses, refuseCrashes } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import { RawClient, closeClients, handshake } from '../helpers/websocket.ts'
import { expectNothingDone, expectRefusal } from './refusal.ts'
import type { TestServer } from '../helpers/server.ts'

const now = (): number => Math.floor(Date.now() / 1000)

describe('callers', { timeout: 90_000 }, () => {
  refuseCrashes()
  let server: TestServer
  let backend: Backend
  let connId: string

  beforeAll(async () => {
    server = await startServer({
      gc_conns_after: 600,
      wake_connections_after: 0.05,
      allow_cors: ['good.example', 'https://app.example.org:8443'],
    })
    backend = new Backend(server)
    connId = await backend.connect('alice', ['room'])
  })
  afterAll(async () => {
    closeClients()
    await server.close()
    await killProcesses()
  })

  describe('with a signature', () => {
    const status = async (text: string): Promise<number> =>
      (await send(server, 'POST /info', { headers: { 'x-channelstream-secret': text } })).status

    it('have a minute, by their own clock or half a minute ahead', async () => {
      for (const [atSeconds, expected] of [
        [now(), 200],
        [now() - 55, 200],
        [now() - 65, 401],
        [now() - 300, 401],
        [now() + 25, 200],
        [now() + 40, 401],
        [now() + 300, 401],
        [0, 401],
      ] as const) {
        const text = signText('test', { secret: 'secret', atSeconds })
        expect(await status(text), `${atSeconds - now()} s`).toBe(expected)
      }
    })

    it('that is not good are refused with 401, whatever its form, where none is needed too', async () => {
      const good = signText('test', { secret: 'secret' })
      const [value, time, digest = ''] = good.split('.')
      const bad = [
        'x',
        '.',
        '..',
        '...',
        `${good}x`,
        good.slice(0, -1),
        good.slice(1),
        `${value}.${time}.`,
        `${value}..${digest}`,
        `.${time}.${digest}`,
        `${value}.${time}.${digest.slice(0, 5)}`,
        `${value}.${time}.${digest}${digest}`,
        `${value}.${time}.${'A'.repeat(27)}`,
        signText('test', { secret: 'Secret' }),
        signText('test', { secret: 'secre' }),
        `${good}, ${good}`,
        'A'.repeat(9_000),
        `${'.'.repeat(5_000)}`,
        'null',
        '__proto__',
        'x\u00e9',
      ]
      for (const text of bad) {
        expect(await status(text), text.slice(0, 60)).toBe(401)
        const query = `conn_id=${connId}&secret=${encodeURIComponent(text)}`
        expectRefusal(await send(server, `GET /listen?${query}`), 401, 'request')
        // Channelstream does not check signatures on /ws: none is needed there, and it has no effect.
        const client = await RawClient.connect(server)
        client.write(handshake(`/ws?${query}`))
        expect(await client.answered(), text.slice(0, 60)).toBe(101)
      }
    })

    it('that is missing or empty are refused with 403, before the body is looked at', async () => {
      for (const headers of [{}, { 'x-channelstream-secret': '' }]) {
        for (const line of ['POST /connect', 'POST /message', 'GET /info', 'PATCH /message']) {
          expectRefusal(await send(server, line, { headers, body: 'no JSON' }), 403, 'request')
        }
      }
    })
  })

  describe('on pages of other sites', () => {
    const FOREIGN = [
      'https://evil.example',
      'https://good.example.evil.tld',
      'https://evilgood.example',
      'https://good.example@evil.tld',
      'https://evil.tld/good.example',
      'https://evil.tld#good.example',
      'https://evil.tld:80good.example',
      'http://app.example.org:8443',
      'https://app.example.org',
      'https://app.example.org:84431',
      'https://sub.app.example.org:8443',
      'null',
      '',
      '*',
      'good.example',
      'https://good.example.',
      'https://good.example, https://evil.tld',
      'x'.repeat(5_000),
      'https://g\u00f6od.example',
    ]
    const OWN = [
      'https://good.example',
      'http://sub.good.example:81',
      'https://app.example.org:8443',
    ]
    const opened = async (origin: string): Promise<number> => {
      const id = await backend.connect('visitor')
      const client = await RawClient.connect(server)
      client.write(handshake(`/ws?conn_id=${id}`, { Origin: origin }))
      return client.answered()
    }
    const polled = (origin: string) =>
      send(server, `GET /listen?conn_id=${connId}`, { headers: { origin } })

    it.each(FOREIGN)('%j is refused on the socket and on the poll', async (origin) => {
      const latin = Buffer.from(origin).toString('latin1')
      expect(await opened(latin)).toBe(403)
      const poll = await polled(latin)
      expectRefusal(poll, 403, 'request')
      expect(poll.headers).not.toHaveProperty('access-control-allow-origin')
    })

    it.each(OWN)('%s may listen, without credentials', async (origin) => {
      expect(await opened(origin)).toBe(101)
      const poll = await polled(origin)
      expect(poll.status).toBe(200)
      expect(poll.headers['access-control-allow-origin']).toBe('*')
      expect(poll.headers).not.toHaveProperty('access-control-allow-credentials')
    })
  })

  describe('that claim to come by way of a proxy', () => {
    const claims = {
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-real-ip': '127.0.0.1',
      forwarded: 'for=127.0.0.1;proto=https',
    }

    it('change nothing: not who may post, not how a request came', async () => {
      const strict = await startServer({ allow_posting_from: ['10.9.9.9'] })
      for (const address of ['10.9.9.9', '10.9.9.9, 10.9.9.9', '::ffff:10.9.9.9']) {
        const headers = { ...claims, 'x-forwarded-for': address }
        const answer = await new Backend(strict).send('POST /info', { headers })
        expectRefusal(answer, 403, 'request')
      }
      await strict.close()
      const secure = await startServer({ enforce_https: true })
      const answer = await new Backend(secure).send('POST /info', { headers: claims })
      expectRefusal(answer, 406, 'request')
      await secure.close()
    })

    it('from elsewhere than the trusted proxies change neither scheme nor prefix', async () => {
      const behind = await startServer({ enforce_https: true, trusted_proxies: ['10.9.9.9'] })
      const headers = { ...claims, 'x-scheme': 'https', 'x-url-scheme': 'https' }
      expect((await new Backend(behind).send('POST /info', { headers })).status).toBe(406)
      await behind.close()
      const open = await startServer({ trusted_proxies: ['10.9.9.9'] })
      const prefixed = { headers: { 'x-script-name': '/push' } }
      expect((await new Backend(open).send('POST /push/info', prefixed)).status).toBe(404)
      await open.close()
    })

    it('with a prefix that is none get no other page, and no other host', async () => {
      for (const prefix of [
        '//evil.tld',
        '/a/../..',
        '/<script>',
        '/a"b',
        'evil',
        '/'.repeat(300),
      ]) {
        const headers = { 'x-script-name': prefix }
        const answer = await send(server, 'GET /admin', { headers })
        expect(answer.status).toBe(302)
        expect(answer.headers.location).toBe('/admin/sign_in')
        const form = await send(server, 'GET /admin/sign_in', { headers })
        // The form goes to the address of the page, whatever the prefix.
        expect(form.text).toContain('<form method="post">')
      }
    })
  })

  it('that name each other in X-Forwarded-For do not guess passwords faster', async () => {
    const attempt = (i: number) =>
      send(server, 'POST /admin/sign_in', {
        headers: { host: 'x', 'x-forwarded-for': `10.0.0.${i}` },
        body: 'username=admin&password=wrong',
      })
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => attempt(i)))
    const count = (status: number) => answers.filter((answer) => answer.status === status).length
    expect([count(200), count(429)]).toEqual([10, 10])
  })

  it('learn nothing of the inside from errors', async () => {
    const wrong = [
      send(server, 'GET /nowhere?secret=HUNTER2'),
      send(server, 'GET /%?secret=HUNTER2'),
      send(server, 'GET /info?secret=HUNTER2'),
      send(server, 'GET /listen?secret=HUNTER2'),
      send(server, 'GET /listen?conn_id=HUNTER2&callback=HUNTER2('),
      send(server, 'POST /connect', { headers: { 'x-channelstream-secret': 'HUNTER2' } }),
      backend.send('POST /connect', { json: { username: 7, conn_id: 'HUNTER2' } }),
      backend.send('POST /connect', { body: 'x', headers: { 'content-type': 'HUNTER2 HUNTER2' } }),
      send(server, 'POST /admin/sign_in', { body: 'username=HUNTER2&password=HUNTER2' }),
    ]
    for (const answer of await Promise.all(wrong)) {
      expect(answer.status).toBeGreaterThanOrEqual(400)
      expect(answer.status).toBeLessThan(500)
      expect(answer.text).not.toMatch(/HUNTER2|\bat \S+ \(|\.[jt]s:\d+|node_modules|\/work\//)
    }
  })

  it('that break a request within leave nothing half done', async () => {
    await expectNothingDone(backend, async () => {
      const body = JSON.stringify({ username: 'half', channels: ['half made'] })
      const [name, text] = Object.entries(signature())[0] ?? []
      const head = `POST /connect HTTP/1.1\r\nHost: x\r\n${name}: ${text}\r\nContent-Length: ${body.length}\r\n\r\n`
      for (const length of [0, 1, body.length - 1]) {
        const client = await RawClient.connect(server)
        client.write(head + body.slice(0, length))
        await new Promise((resolve) => setImmediate(resolve))
        client.destroy()
      }
    })
  })

  describe('whose secrets pass through the log', () => {
    const SECRETS = {
      secret: 'TOPSECRET-1',
      admin_secret: 'TOPSECRET-2',
      cookie_secret: 'TOPSECRET-3',
    }

    it.each(['info', 'trace'])(
      'leave neither secret nor signature there, at level %s',
      async (level) => {
        const settings = { ...SECRETS, log_level: level, host: '127.0.0.1' }
        const own = await ServerProcess.start({ settings })
        const signed = signText('value', { secret: SECRETS.secret })
        const bad = signText('value', { secret: 'WRONGSECRET' })
        const [, , digest = ''] = signed.split('.')
        const [, , badDigest = ''] = bad.split('.')
        for (const text of [signed, bad]) {
          const header = { headers: { 'x-channelstream-secret': text } }
          await send(own, 'POST /info', header)
          await send(own, 'POST /connect', { ...header, body: 'no JSON' })
          await send(own, 'POST /connect', { ...header, body: '{"username": 7}' })
          await send(own, 'GET /nowhere', header)
          await send(own, 'GET /%', header)
          await send(own, `GET /%?secret=${text}`)
          for (const path of ['info', 'listen', 'nowhere', 'admin', 'ws', 'disconnect'])
            await send(own, `GET /${path}?secret=${text}`)
          const raw = [
            handshake(`/ws?secret=${text}`),
            handshake(`//?secret=${text}`),
            `GET /info?secret=${text} HTTP/9.9\r\nX-Channelstream-Secret: ${text}\r\n\r\n`,
            `GET /info HTTP/1.1\r\nHost: x\r\nX-Channelstream-Secret: ${text}\r\nBad Header\r\n\r\n`,
            `POST /info HTTP/1.1\r\nHost: x\r\nX-Channelstream-Secret: ${text}\r\nContent-Length: x\r\n\r\n`,
            `POST /info?secret=${text} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
            `GET /info?secret=${text} HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
          ]
          for (const request of raw) {
            const client = await RawClient.connect(own)
            client.write(request)
            await until(() => client.status > 0 || client.isOver, 'an answer')
            client.destroy()
          }
        }
        const form = new URLSearchParams({ username: 'admin', password: SECRETS.admin_secret })
        const { headers } = await send(own, 'POST /admin/sign_in', { body: form.toString() })
        const cookie = headers['set-cookie']?.[0]?.split(';')[0] ?? ''
        await send(own, 'GET /admin', { headers: { cookie } })
        own.signal('SIGTERM')
        await own.exited

        const log = readable(own.output)
        expect(log).toContain('listens on')
        for (const text of [
          ...Object.values(SECRETS),
          digest,
          badDigest,
          cookie.split('=')[1] ?? '',
        ])
          expect(log).not.toContain(text)
      },
    )

    /** Converts lists of bytes in the log to text. */
    const readable = (log: string): string =>
      log.replaceAll(/\[((?:\d{1,3},)+\d{1,3})\]/g, (_all, bytes: string) =>
        Buffer.from(bytes.split(',').map(Number)).toString('latin1'),
      )
  })
})
