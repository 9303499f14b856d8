import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { HEADERS_TIMEOUT_MS } from '../../src/net/server.ts'
import { Backend, send, signedHead, until } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import { ServerProcess, killProcesses, refuseCrashes } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import { RawClient, closeClients } from '../helpers/websocket.ts'
import type { TestServer } from '../helpers/server.ts'

const MEGABYTE = 1_048_576
const SOCKETS = 64
/** What each socket sends: chunks of one byte, which take six bytes each. */
const CHUNKS = Buffer.from('1\r\nx\r\n'.repeat(60_000))
const CHUNKED = { 'Transfer-Encoding': 'chunked' }

const head = (line: string, headers: Readonly<Record<string, string | number>>): string =>
  [
    `${line} HTTP/1.1`,
    'Host: test',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    '',
    '',
  ].join('\r\n')

describe('bodies in chunks of a byte, of which none ends', { timeout: 120_000 }, () => {
  let server: ServerProcess
  beforeAll(async () => {
    server = await ServerProcess.start({
      nodeArgs: ['--max-old-space-size=128', '--max-semi-space-size=16'],
      settings: { philote_port: await freePort(), philote_secret: 'secret' },
    })
  })
  afterEach(closeClients)
  afterAll(killProcesses)

  /**
   * Sends the chunks on many sockets. Returns the statuses of those that were answered. On a machine so slow that heads
   * wait for longer than the server waits for them, without those that it gave up.
   */
  async function flood(text: string, port = server.port): Promise<number[]> {
    const began = performance.now()
    const clients = await Promise.all(
      Array.from({ length: SOCKETS }, () => RawClient.connect({ host: server.host, port })),
    )
    for (const client of clients) {
      client.write(text)
      client.write(CHUNKS)
    }
    const before = await server.residentBytes()
    for (let looks = 0; looks < 5; looks++) {
      expect((await send(server, 'GET /health')).status).toBe(200)
      expect((await server.residentBytes()) - before).toBeLessThan(100 * MEGABYTE)
    }
    expect(server.exit, server.output).toBeUndefined()
    const isSlow = performance.now() - began > HEADERS_TIMEOUT_MS
    return clients
      .map(({ status }) => status)
      .filter((status) => status !== 0 && !(isSlow && status === 408))
  }

  it.each([
    ['POST /disconnect', 413, {}],
    ['POST /admin/sign_in', 413, {}],
    ['POST /nowhere', 404, {}],
    ['PUT /connect', 404, {}],
    ['GET /listen', 422, {}],
    ['OPTIONS /message', 200, {}],
    ['POST /message', 403, {}],
    ['POST /message', 401, { 'x-channelstream-secret': 'a.b.c' }],
  ])('%s is answered %i, and the server serves others', async (line, status, headers) => {
    const statuses = await flood(head(line, { ...headers, ...CHUNKED }))
    expect([...new Set(statuses)]).toEqual([status])
  })

  it('POST /message, signed, is read in little more memory than it has', async () => {
    expect(await flood(signedHead('POST /message', CHUNKED))).toEqual([])
  })

  it('GET /listen, which waits for events, holds little of what nobody reads', async () => {
    const connId = await new Backend(server).connect('ann', ['room'])
    await flood(head(`GET /listen?conn_id=${connId}`, CHUNKED))
  })

  it("at Philote's port are answered, and the server serves others", async () => {
    const [, port] = /Philote.*?:(\d+)/.exec(server.stdout) ?? []
    const statuses = await flood(head('POST /', CHUNKED), Number(port))
    expect([...new Set(statuses)]).toHaveLength(1)
  })
})

describe('a body that ends', { timeout: 60_000 }, () => {
  refuseCrashes()
  let server: TestServer
  beforeEach(async () => void (server = await startServer()))
  afterEach(async () => {
    closeClients()
    await server.close()
  })

  it('is read, though it comes a byte a chunk and is as long as it may be', async () => {
    const client = await RawClient.connect(server)
    client.write(signedHead('POST /message', CHUNKED))
    const body = `[${' '.repeat(300_000)}]`
    client.write([...body].map((byte) => `1\r\n${byte}\r\n`).join(''))
    client.write('0\r\n\r\n')
    expect(await client.answered(20_000)).toBe(200)
    client.write(signedHead('POST /info', { 'Content-Length': 0 }))
    await until(() => client.text.includes('"channels"'), 'the next answer')
  })

  it.each([
    ['POST /nowhere', 404],
    ['POST /message', 403],
    ['GET /health', 200],
    ['OPTIONS /message', 200],
  ])('of %s leaves the connection open, if it is short', async (line, status) => {
    const client = await RawClient.connect(server)
    const parts = [
      head(line, CHUNKED) + '5\r\nhello\r\n0\r\n\r\n',
      head(line, { 'Content-Length': 5 }) + 'hello',
      head('GET /health', {}),
    ]
    for (const [n, part] of parts.entries()) {
      client.write(part)
      await until(() => client.text.split('HTTP/1.1 ').length === n + 2, 'an answer')
    }
    const statuses = [...client.text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, found]) =>
      Number(found),
    )
    expect(statuses).toEqual([status, status, 200])
    expect(client.isOver).toBe(false)
  })

  it('of a kilobyte ends a connection, unsigned; a longer one has to be signed', async () => {
    const connId = await new Backend(server).connect('ann')
    const body = (size: number) => JSON.stringify({ conn_id: connId }).padEnd(size)
    expect((await send(server, 'POST /disconnect', { body: body(1025) })).status).toBe(413)
    expect((await send(server, 'POST /disconnect', { body: body(1024) })).body).toBe(true)
    const signed = await new Backend(server).send('POST /disconnect', { body: body(100_000) })
    expect(signed.body).toBe(false)
  })

  it('is answered before it has come, where nobody reads it; the client is told before the end', async () => {
    const client = await RawClient.connect(server)
    client.write(head('POST /nowhere', { 'Content-Length': 1_000_000 }))
    expect(await client.answered()).toBe(404)
    expect(client.text).toContain('connection: close')
    client.write(Buffer.alloc(900_000))
    await until(() => client.isOver, 'the end')
    expect(client.body).toHaveProperty('request')
  })
})

const PLAIN: { headers: Record<string, string | number>; prefix: string } = {
  headers: { 'Content-Length': 95_000 },
  prefix: '',
}

describe('the memory for all bodies', { timeout: 60_000 }, () => {
  refuseCrashes()
  let server: TestServer
  beforeEach(async () => {
    server = await startServer({ max_body_bytes: 100_000, max_bodies_bytes: 250_000 })
  })
  afterEach(async () => {
    closeClients()
    await server.close()
  })

  /** Sends 90 kB of a body and then stops. */
  async function begin({ headers, prefix } = PLAIN): Promise<RawClient> {
    const client = await RawClient.connect(server)
    client.write(signedHead('POST /message', headers))
    client.write(`${prefix}${' '.repeat(90_000)}`)
    return client
  }
  const tooMany = async (): Promise<boolean> => {
    const body = '[]'.padEnd(95_000)
    const answer = await new Backend(server).send('POST /message', { body })
    if (answer.status !== 503) return false
    expect(answer.headers).toMatchObject({
      'retry-after': '1',
      'x-channelstream-error': 'BUSY',
      connection: 'close',
    })
    return true
  }
  async function fill(how = PLAIN): Promise<RawClient[]> {
    const clients = await Promise.all([begin(how), begin(how)])
    await until(tooMany, 'too many bodies')
    return clients
  }

  it('is given back when a client breaks off', async () => {
    const clients = await fill()
    clients[0]?.destroy()
    clients[1]?.reset()
    await until(async () => !(await tooMany()), 'room')
  })

  it('is given back when a body has come', async () => {
    const [client] = await fill()
    client?.write('[]'.padEnd(5_000))
    expect(await client?.answered()).toBe(200)
    await until(async () => !(await tooMany()), 'room')
  })

  it('is given back when a body is refused', async () => {
    const [client] = await fill({ headers: CHUNKED, prefix: `${(90_001).toString(16)}\r\n` })
    client?.write(' not the length of a chunk\r\n')
    expect(await client?.answered()).toBeGreaterThanOrEqual(400)
    await until(async () => !(await tooMany()), 'room')
  })

  it('is given back when a body comes too slowly', async () => {
    server.app.http.server.headersTimeout = 500
    server.app.http.server.requestTimeout = 800
    const clients = await fill()
    await until(() => clients.every(({ isOver }) => isOver), 'the end of both')
    expect(clients.map(({ status }) => status)).toEqual([408, 408])
    await until(async () => !(await tooMany()), 'room')
  })

  it('leaves room for requests without a long body', async () => {
    await fill()
    expect((await new Backend(server).send('POST /info', { json: { info: {} } })).status).toBe(200)
  })
})
