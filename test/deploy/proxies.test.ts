/** The files in `deploy/proxies/`, as they are but for addresses and ports, in real proxies in front of a server. */
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { endAll } from '../helpers/ending.ts'
import { EventStreamListener } from '../helpers/event-stream.ts'
import { Backend, send, until } from '../helpers/http.ts'
import { ServerProcess } from '../helpers/process.ts'
import { startCaddy, startHaproxy, startNginx } from '../helpers/proxies.ts'
import { Listener } from '../helpers/websocket.ts'
import type { Proxy, StartProxy } from '../helpers/proxies.ts'

const STRANGER = '127.0.0.2'
const MONITORING = '127.0.0.3'
const SETTINGS = { trusted_proxies: '127.0.0.1', allow_metrics_from: MONITORING }
/** What a client may send to seem another one. */
const FORGED = {
  'x-forwarded-for': MONITORING,
  'x-forwarded-proto': 'https',
  'x-scheme': 'https',
  'x-url-scheme': 'https',
  'x-script-name': '/evil',
}

const read = (name: string): Promise<string> =>
  readFile(new URL(`../../deploy/proxies/${name}`, import.meta.url), 'utf8')

const PROXIES: readonly [name: string, start: StartProxy, file: string, listens: string][] = [
  ['nginx', startNginx, 'nginx.conf', 'listen 80;'],
  ['Caddy', startCaddy, 'Caddyfile', 'push.example.com {'],
  ['HAProxy', startHaproxy, 'haproxy.cfg', 'bind :80'],
]
/** `listens` on a port of the test. */
const listensOn = (port: number): Readonly<Record<string, string>> => ({
  'listen 80;': `listen 127.0.0.1:${port};`,
  'push.example.com {': `http://127.0.0.1:${port} {`,
  'bind :80': `bind 127.0.0.1:${port}`,
})

describe.each(PROXIES)('behind %s', { timeout: 120_000 }, (_name, start, file, listens) => {
  let server: ServerProcess
  let proxy: Proxy
  let backend: Backend

  beforeAll(async () => {
    server = await ServerProcess.start({ settings: SETTINGS })
    const text = await read(file)
    expect(text).toContain(listens)
    expect(text).toContain('127.0.0.1:8000')
    proxy = await start((port) =>
      text
        .replaceAll('127.0.0.1:8000', `127.0.0.1:${server.port}`)
        .replace(listens, listensOn(port)[listens] ?? ''),
    )
    backend = new Backend(proxy)
  }, 300_000)
  afterAll(async () => {
    await proxy.stop()
    await endAll()
  })

  const openConnections = async (): Promise<number> => {
    const { text } = await send(server, 'GET /metrics', { localAddress: MONITORING })
    return Number(/^channelstream_open_connections (\d+)$/m.exec(text)?.[1])
  }

  it.each(['', '/push'])('each transport works, at "%s/"', async (prefix) => {
    const room = `room${prefix}`
    const connect = async (username: string): Promise<string> => {
      const json = { username, channels: [room] }
      const { body } = await backend.send(`POST ${prefix}/connect`, { json })
      return (body as { conn_id: string }).conn_id
    }
    const socket = await Listener.open(proxy, await connect('ann'), { prefix })
    const stream = await EventStreamListener.open(proxy, await connect('bob'), { prefix })
    const poll = send(proxy, `GET ${prefix}/listen?conn_id=${await connect('cem')}`)
    await until(async () => (await openConnections()) === 3, 'the poll to wait')
    await backend.say(room, 'hello')
    await socket.heard('hello')
    await stream.heard('hello')
    expect((await poll).body).toMatchObject([{ message: { text: 'hello' } }])
    await socket.close()
    await stream.breakOff()
    // Also for the proxy: it may not keep the stream of a client that is gone.
    await until(async () => (await openConnections()) === 0, 'the server to see that they are gone')
    const { headers } = await send(proxy, `GET ${prefix}/admin`)
    expect(headers.location).toBe(`${prefix}/admin/sign_in`)
  })

  it('the server learns the address of the client, which cannot forge another', async () => {
    const metrics = async (localAddress: string, headers = {}) =>
      (await send(proxy, 'GET /metrics', { localAddress, headers })).status
    expect(await metrics(MONITORING)).toBe(200)
    for (const forged of [{}, FORGED, { 'x-forwarded-for': `${MONITORING}, 127.0.0.1` }])
      expect(await metrics(STRANGER, forged)).toBe(403)
    const posted = (localAddress: string) =>
      backend.send('POST /info', { localAddress, headers: { 'x-forwarded-for': '127.0.0.1' } })
    expect((await posted('127.0.0.1')).status).toBe(200)
    expect((await posted(STRANGER)).status).toBe(403)
  })

  it('clients cannot choose the prefix and the scheme', async () => {
    const sent = { headers: FORGED, body: 'username=admin&password=admin_secret' }
    const { headers } = await send(proxy, 'POST /admin/sign_in', sent)
    expect(headers.location).toBe('/admin')
    expect(headers['set-cookie']?.[0]).toContain('Path=/;')
    expect(headers['set-cookie']?.[0]).not.toContain('Secure')
  })

  it('event streams come back while the server is not there', async () => {
    server.signal('SIGTERM')
    await server.exited
    for (const prefix of ['', '/push']) {
      const away = () => send(proxy, `GET ${prefix}/sse?conn_id=${crypto.randomUUID()}`)
      await until(async () => (await away()).text === 'retry: 3000\n\n', 'the answer')
      const { status, headers } = await away()
      expect(status).toBe(200)
      expect(headers['content-type']).toBe('text/event-stream')
      expect(headers['access-control-allow-origin']).toBe('*')
    }
    expect((await send(proxy, 'GET /health/ready')).status).toBeGreaterThan(501)
  })
})

describe('behind a proxy that the server does not trust', { timeout: 120_000 }, () => {
  afterAll(endAll)

  it.each(PROXIES)('the metrics are still refused (%s)', async (_name, start, file, listens) => {
    const server = await ServerProcess.start()
    const text = await read(file)
    const proxy = await start((port) =>
      text
        .replaceAll('127.0.0.1:8000', `127.0.0.1:${server.port}`)
        .replace(listens, listensOn(port)[listens] ?? ''),
    )
    expect((await send(server, 'GET /metrics')).status).toBe(200)
    expect((await send(proxy, 'GET /metrics')).status).toBe(403)
    await proxy.stop()
  })
})

describe('the files for Traefik', () => {
  interface Static {
    readonly entryPoints: object
    readonly providers: { readonly file: { readonly filename: string } }
  }
  interface Router {
    readonly entryPoints: readonly string[]
    readonly middlewares: readonly string[]
    readonly service: string
  }
  interface Dynamic {
    readonly http: {
      readonly routers: Readonly<Record<string, Router>>
      readonly middlewares: Readonly<
        Record<string, { headers: { customRequestHeaders: Readonly<Record<string, string>> } }>
      >
      readonly services: Readonly<Record<string, { loadBalancer: { serversTransport: string } }>>
      readonly serversTransports: object
    }
  }

  it('refer only to what is there, and set or remove each header of proxies', async () => {
    const { entryPoints, providers } = parse(await read('traefik/traefik.yaml')) as Static
    expect(providers.file.filename).toBe('/etc/traefik/channelstream.yaml')
    const { http } = parse(await read('traefik/channelstream.yaml')) as Dynamic
    for (const router of Object.values(http.routers)) {
      expect(Object.keys(entryPoints)).toEqual(expect.arrayContaining([...router.entryPoints]))
      expect(Object.keys(http.services)).toContain(router.service)
      const set = router.middlewares.map((name) => http.middlewares[name]?.headers)
      const headers = Object.assign({}, ...set.map((one) => one?.customRequestHeaders)) as object
      expect(Object.keys(headers).toSorted()).toEqual(['X-Scheme', 'X-Script-Name', 'X-URL-Scheme'])
    }
    for (const { loadBalancer } of Object.values(http.services))
      expect(Object.keys(http.serversTransports)).toContain(loadBalancer.serversTransport)
  })
})
