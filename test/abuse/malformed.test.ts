import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend, send, until } from '../helpers/http.ts'
import { refuseCrashes } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, RawClient, closeClients, handshake } from '../helpers/websocket.ts'
import { signToken } from '../philote/client.ts'
import { SECRET, startPhilote } from '../philote/start.ts'
import type { Address } from '../helpers/http.ts'
import type { TestServer } from '../helpers/server.ts'
import type { PhiloteTestServer } from '../philote/start.ts'

const UNREADABLE = { request: 'The request cannot be read.' }

/** What is wrong with the request, its HTTP version, and its `Host` lines. */
const MALFORMED: readonly (readonly [string, string, readonly string[]])[] = [
  ['two hosts', 'HTTP/1.1', ['Host: a', 'Host: b']],
  ['the same host twice', 'HTTP/1.1', ['Host: a', 'X: y', 'hOST: a']],
  ['two hosts in HTTP/1.0', 'HTTP/1.0', ['Host: a', 'Host: b']],
  ['two hosts, far apart', 'HTTP/1.1', ['Host: a', ...Array<string>(1500).fill('a: b'), 'Host: b']],
  ['no host', 'HTTP/1.1', []],
  ['HTTP/0.9', 'HTTP/0.9', ['Host: a']],
  ['HTTP/0.9 without a version', '', ['Host: a']],
  ['HTTP/2.0', 'HTTP/2.0', ['Host: a']],
  ['HTTP/1.2', 'HTTP/1.2', ['Host: a']],
  ['HTTP/3.0', 'HTTP/3.0', ['Host: a']],
]

const textOf = (line: string, version: string, lines: readonly string[]): string =>
  [`${line} ${version}`.trim(), ...lines, '', ''].join('\r\n')

const UPGRADE = handshake('/').split('\r\n').slice(2, -2)

async function ask(server: Address, text: string): Promise<RawClient> {
  const client = await RawClient.connect(server)
  client.write(text)
  await client.answered()
  return client
}

const isOver = (client: RawClient): Promise<void> =>
  until(() => client.isOver, 'the connection to be closed')

describe('requests that are not proper HTTP', () => {
  refuseCrashes()
  let server: TestServer
  let backend: Backend
  let philote: PhiloteTestServer
  let philotePort: Address
  beforeAll(async () => {
    server = await startServer()
    backend = new Backend(server)
    philote = await startPhilote()
    philotePort = { host: '127.0.0.1', port: philote.port }
  })
  afterAll(async () => {
    closeClients()
    await server.close()
    await philote.close()
  })

  it.each(MALFORMED)('are refused with 400: %s', async (_name, version, lines) => {
    const client = await ask(server, textOf('GET /health', version, lines))
    expect(client.status).toBe(400)
    expect(client.body).toEqual(UNREADABLE)
    expect(client.text).toMatch(/^x-channelstream-error: UNREADABLE\r$/m)
    await isOver(client)
  })

  it.each(MALFORMED)('are refused with 400 as handshakes: %s', async (_name, version, lines) => {
    const connId = await backend.connect('ann')
    for (const path of [`/ws?conn_id=${connId}`, '/admin/live', '/nowhere']) {
      const client = await ask(server, textOf(`GET ${path}`, version, [...lines, ...UPGRADE]))
      expect(client.status).toBe(400)
      expect(client.body).toEqual(UNREADABLE)
      await isOver(client)
    }
    expect(server.app.hub.openConnections).toBe(0)
  })

  it.each(MALFORMED)(
    "are refused with 400 at Philote's port: %s",
    async (_name, version, lines) => {
      const token = signToken({ claims: { read: ['a'], write: ['a'] } }, SECRET)
      const plain = await ask(philotePort, textOf('GET /api/info', version, lines))
      const handshakes = [...lines, ...UPGRADE, `Authorization: Bearer ${token}`]
      const upgrade = await ask(philotePort, textOf('GET /', version, handshakes))
      for (const client of [plain, upgrade]) {
        expect(client.status).toBe(400)
        await isOver(client)
      }
      expect(philote.app.philote.connections).toBe(0)
    },
  )

  it('are refused behind others on the same connection, after those were answered', async () => {
    const good = textOf('GET /health', 'HTTP/1.1', ['Host: a'])
    const bad = textOf('GET /health', 'HTTP/1.1', ['Host: a', 'Host: b'])
    const client = await ask(server, good + bad + good)
    await isOver(client)
    const statuses = [...client.text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)
    expect(statuses).toEqual(['200', '400'])
  })

  it('are refused although they expect something', async () => {
    const expecting = ['Expect: the-unexpected']
    const client = await ask(server, textOf('GET /health', 'HTTP/1.1', expecting))
    expect(client.status).toBe(400)
    const proper = await ask(server, textOf('GET /health', 'HTTP/1.1', ['Host: a', ...expecting]))
    expect(proper.status).toBe(417)
  })

  it('are none in HTTP/1.0 without a host, nor with an empty host', async () => {
    for (const address of [server, philotePort]) {
      expect((await ask(address, textOf('GET /health', 'HTTP/1.0', []))).status).toBe(200)
      expect((await ask(address, textOf('GET /health', 'HTTP/1.1', ['Host:']))).status).toBe(200)
    }
  })

  it.each([
    ['bytes of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', 400],
    ['a line that is none', 'rubbish\r\n\r\n', 400],
    [
      'headers that are too large',
      `GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(100_000)}\r\n`,
      431,
    ],
    [
      'two lengths of the body',
      'POST /connect HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx',
      400,
    ],
  ])('are answered alike at both ports and let go of: %s', async (_name, text, status) => {
    for (const address of [server, philotePort]) {
      const client = await ask(address, text)
      expect(client.status).toBe(status)
      expect(client.text).toMatch(/^Connection: close\r$/m)
      await isOver(client)
    }
  })

  it('that break off at any point end nothing', async () => {
    const whole = textOf('GET /health', 'HTTP/1.1', ['Host: a', 'Host: b', ...UPGRADE])
    for (const address of [server, philotePort]) {
      const clients = await Promise.all(
        Array.from({ length: 40 }, async (_, n) => {
          const client = await RawClient.connect(address)
          client.write(whole.slice(0, n * 6))
          return client
        }),
      )
      clients.forEach((client, n) => (n % 2 === 0 ? client.reset() : client.end()))
      await Promise.all(clients.map(({ closed }) => closed))
    }
    expect((await send(server, 'GET /health')).status).toBe(200)
    const listener = await Listener.open(server, await backend.connect('bob', ['room']))
    await backend.say('room', 'still there')
    await listener.heard('still there')
  })
})

describe('requests that come too slowly', () => {
  it('are answered with 408 at both ports', async () => {
    const server = await startServer({ philote_port: 0 })
    const philote = await startPhilote()
    const clients = await Promise.all(
      [server, { host: '127.0.0.1', port: philote.port }].map(async (address) => {
        const client = await RawClient.connect(address)
        client.write('GET / HTTP/1.1\r\nX: ')
        return client
      }),
    )
    for (const client of clients) expect(await client.answered()).toBe(408)
    closeClients()
    await server.close()
    await philote.close()
  }, 60_000)
})
