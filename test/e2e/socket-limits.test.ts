import { request as httpRequest, Agent } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { ConnectRequest } from '../../src/protocol/requests.ts'
import { EventStreamListener, closeStreams } from '../helpers/event-stream.ts'
import { Backend, pause, send, until } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import { refuseCrashes } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, RawClient, closeClients, handshake } from '../helpers/websocket.ts'
import { Client, signToken } from '../philote/client.ts'
import type { ConfigInput } from '../../src/config/load.ts'
import type { RefusalCounts } from '../../src/net/refusals.ts'
import type { Address, Answer } from '../helpers/http.ts'
import type { TestServer } from '../helpers/server.ts'

const SECRET = 'a-secret-of-philote'
const UNKNOWN = '00000000-0000-0000-0000-000000000000'
const GET = 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n'
/** Addresses of this machine that are on no list. */
const [CLIENT, OTHER] = ['127.0.0.2', '127.0.0.3']

const servers: TestServer[] = []
afterEach(async () => {
  closeClients()
  closeStreams()
  for (const server of servers.splice(0)) await server.close()
})

async function start(settings: ConfigInput): Promise<TestServer> {
  const server = await startServer(settings)
  servers.push(server)
  return server
}

/** Starts a server with the REST API and the port of Philote. */
async function startBoth(settings: ConfigInput): Promise<TestServer & { philote: Address }> {
  const port = await freePort()
  const server = await start({ philote_port: port, philote_secret: SECRET, ...settings })
  return { ...server, philote: { host: server.host, port } }
}

const openOf = ({ app }: TestServer): number => app.limits.figures.open
const refusedBy = ({ app }: TestServer): RefusalCounts => app.limits.figures.refused
const all = async (count: number, open: () => Promise<RawClient>): Promise<RawClient[]> =>
  Promise.all(Array.from({ length: count }, open))

/** Resolves when `open` sockets are open and only `addresses` addresses are still counted. */
async function settled(server: TestServer, open: number, addresses: number): Promise<void> {
  await until(
    () => openOf(server) === open && server.app.limits.addresses === addresses,
    `${open} sockets of ${addresses} addresses`,
  )
}

describe('max_sockets', () => {
  refuseCrashes()

  it('holds for both ports together; more are answered with 503, and there is room again', async () => {
    const server = await startBoth({ max_sockets: 4 })
    const clients = [
      ...(await all(2, () => RawClient.connect(server))),
      ...(await all(2, () => RawClient.connect(server.philote))),
    ]
    await settled(server, 4, 0)
    for (const address of [server, server.philote]) {
      const refused = await RawClient.connect(address)
      refused.write(GET)
      expect(await refused.answered()).toBe(503)
      expect(refused.text).toMatch(/^retry-after: 5\r$/im)
      await until(() => refused.isOver, 'the refused client to be let go of')
    }
    expect(refusedBy(server)).toEqual({ total: 2, open_files: 0, address: 0, rate: 0 })
    clients[0]?.destroy()
    clients[3]?.reset()
    await settled(server, 2, 0)
    expect((await send(server, 'GET /health')).status).toBe(200)
  })

  it('answers a refused client and a refused handshake as other errors are answered', async () => {
    const server = await start({ max_sockets: 1 })
    await RawClient.connect(server)
    await settled(server, 1, 0)
    for (const text of [GET, handshake(`/ws?conn_id=${UNKNOWN}`)]) {
      const refused = await RawClient.connect(server)
      refused.write(text)
      expect(await refused.answered()).toBe(503)
      expect(refused.body).toEqual({ request: 'The server is full. Try again.' })
      expect(refused.text).toMatch(/^x-channelstream-error: SERVER_FULL\r$/m)
    }
  })

  it('closes a flood at once, counts all of it, and goes on when it is over', async () => {
    const server = await start({ max_sockets: 10 })
    const backend = new Backend(server)
    const connId = await backend.connect('ann', ['room'])
    const listener = await Listener.open(server, connId)
    const flood = await all(300, () => RawClient.connect(server))
    await until(() => flood.filter(({ isOver }) => !isOver).length === 9, 'the others to be closed')
    expect(openOf(server)).toBe(10)
    expect(refusedBy(server).total).toBe(291)
    for (const client of flood) client.destroy()
    await settled(server, 1, 0)
    await backend.say('room', 'still there')
    await listener.heard('still there')
    const { text } = await backend.send('GET /metrics')
    expect(text).toContain('channelstream_refused_sockets_total{reason="total"} 291\n')
    expect(text).toContain('channelstream_max_sockets 10\n')
    expect(text).toMatch(/^channelstream_open_sockets [12]\n/m)
  })

  it('counts WebSockets and polls for as long as they last', async () => {
    const server = await start({ max_sockets: 3, wake_connections_after: 30 })
    const backend = new Backend(server)
    const ids = [await backend.connect('ann'), await backend.connect('bob')]
    await settled(server, 0, 0)
    const listener = await Listener.open(server, ids[0] ?? '')
    const cancel = new AbortController()
    const poll = send(server, `GET /listen?conn_id=${ids[1]}`, { signal: cancel.signal })
    await until(() => server.app.hub.openConnections === 2, 'the poll')
    expect(openOf(server)).toBe(2)
    cancel.abort()
    await expect(poll).rejects.toThrow()
    await settled(server, 1, 0)
    await listener.close()
    await settled(server, 0, 0)
  })

  it('of 0 is what the limit of open files allows', async () => {
    const { most } = (await start({})).app.limits.figures
    expect(most).toBeGreaterThan(100)
  })
})

describe('max_sockets_per_address', () => {
  refuseCrashes()

  const from = (server: Address, localAddress: string): Promise<Answer> =>
    send(server, 'GET /health', { localAddress })

  it('refuses more of one address with 429, and serves others', async () => {
    const server = await startBoth({ max_sockets_per_address: 3 })
    const agent = new Agent({ keepAlive: true, localAddress: CLIENT, maxSockets: 10 })
    const held = (address: Address): Promise<void> =>
      new Promise((resolve, reject) => {
        httpRequest({ ...address, agent, path: '/health' }, (response) => {
          response.resume().on('end', resolve)
        })
          .on('error', reject)
          .end()
      })
    await Promise.all([held(server), held(server)])
    await held(server.philote)
    expect(openOf(server)).toBe(3)
    for (const address of [server, server.philote]) {
      const refused = await from(address, CLIENT)
      expect(refused.status).toBe(429)
      expect(refused.headers['retry-after']).toBe('5')
    }
    expect((await from(server, CLIENT)).body).toEqual({
      request: 'This address has too many sockets open. Try again.',
    })
    expect((await from(server, OTHER)).status).toBe(200)
    expect(refusedBy(server)).toMatchObject({ address: 3, total: 0 })
    agent.destroy()
    await settled(server, 0, 0)
    expect((await from(server, CLIENT)).status).toBe(200)
  })

  it('does not hold for backends, unless everyone may post', async () => {
    const one = { max_sockets_per_address: 1 }
    const listed = await start(one)
    const open = await start({ ...one, allow_posting_from: '0.0.0.0' })
    for (const server of [listed, open]) await RawClient.connect(server)
    await settled(open, 1, 1)
    expect((await send(listed, 'GET /health')).status).toBe(200)
    expect((await send(open, 'GET /health')).status).toBe(429)
  })

  describe('behind a proxy that is trusted', () => {
    const behindProxy = { trusted_proxies: '127.0.0.1', allow_posting_from: '192.0.2.99' }
    const as = (address: string) => ({ 'x-forwarded-for': address })

    it('counts WebSockets by the address that the proxy tells, and not those of the proxy', async () => {
      const server = await start({ ...behindProxy, max_sockets_per_address: 2 })
      const open = async (address: string): Promise<RawClient> => {
        const client = await RawClient.connect(server)
        const target = `/ws?conn_id=${UNKNOWN}`
        client.write(handshake(target, { 'X-Forwarded-For': address }))
        return client
      }
      const idle = await all(20, () => RawClient.connect(server))
      const connId = await new Backend(server).send('POST /connect', {
        json: { username: 'ann', channels: ['room'] },
        headers: as('192.0.2.99'),
      })
      expect(connId.status).toBe(200)
      const id = (connId.body as { conn_id: string }).conn_id
      const listener = await Listener.open(server, id, { headers: as('203.0.113.1') })
      await settled(server, 21, 1)
      const silent = await RawClient.connect(server)
      silent.write(handshake(`/ws?conn_id=${UNKNOWN}`, { 'X-Forwarded-For': '203.0.113.1' }))
      // For an unknown connection the server sends a close frame, which this client does not answer.
      await until(() => silent.closeCode === 1000, 'the close frame')
      const refused = await open('203.0.113.1')
      expect(await refused.answered()).toBe(429)
      expect(refused.text).toMatch(/^x-channelstream-error: TOO_MANY_SOCKETS\r$/m)
      expect(refused.text).toMatch(/^retry-after: 5\r$/im)
      // Another client, and one without an address: the proxy itself.
      expect(await (await open('203.0.113.2')).answered()).toBe(101)
      for (let n = 0; n < 5; n++) expect((await send(server, 'GET /health')).status).toBe(200)
      silent.destroy()
      await until(() => server.app.limits.addresses <= 2, 'the second socket to be gone')
      await listener.breakOff()
      closeClients()
      await settled(server, 0, 0)
      expect(idle.every(({ isClosed }) => isClosed)).toBe(true)
      expect(refusedBy(server)).toMatchObject({ address: 1, total: 0 })
    })

    it('counts polls until they are answered, over however many connections they come', async () => {
      const server = await start({
        ...behindProxy,
        max_sockets_per_address: 2,
        wake_connections_after: 30,
      })
      const backend = async (name: string): Promise<string> => {
        const { body } = await new Backend(server).send('POST /connect', {
          json: { username: name, channels: ['room'] },
          headers: as('192.0.2.99'),
        })
        return (body as { conn_id: string }).conn_id
      }
      const ids = [await backend('a'), await backend('b'), await backend('c')]
      const poll = (id = ''): Promise<Answer> =>
        send(server, `GET /listen?conn_id=${id}`, { headers: as('203.0.113.1') })
      const polls = [poll(ids[0]), poll(ids[1])]
      await until(() => server.app.hub.openConnections === 2, 'the polls')
      expect((await poll(ids[2])).status).toBe(429)
      const said = await new Backend(server).send('POST /message', {
        json: [{ user: 'x', channel: 'room', message: {} }],
        headers: as('192.0.2.99'),
      })
      expect(said.status).toBe(200)
      for (const { status } of await Promise.all(polls)) expect(status).toBe(200)
      await settled(server, 0, 0)
      expect((await poll(ids[2])).status).toBe(200)
    })

    it('counts event streams until they end, and asks further ones to come back later', async () => {
      const server = await start({ ...behindProxy, max_sockets_per_address: 1 })
      const [one, other] = [await connectAs('ann', server), await connectAs('bob', server)]
      const headers = as('203.0.113.1')
      const stream = await EventStreamListener.open(server, one, { headers })
      const refused = await send(server, `GET /sse?conn_id=${other}`, { headers })
      expect(refused.status).toBe(200)
      expect(refused.headers['x-channelstream-error']).toBe('TOO_MANY_SOCKETS')
      expect(refused.text).toMatch(/^: .*\nretry: \d+\n\n$/)
      expect((await send(server, 'GET /health', { headers })).status).toBe(429)
      await stream.breakOff()
      await settled(server, 0, 0)
      await EventStreamListener.open(server, other, { headers })
    })

    it('does not count signed requests', async () => {
      const server = await start({
        trusted_proxies: '127.0.0.1',
        allow_posting_from: '0.0.0.0',
        max_sockets_per_address: 1,
        wake_connections_after: 30,
      })
      const headers = as('203.0.113.1')
      const backend = new Backend(server)
      const { body } = await backend.send('POST /connect', { json: { username: 'a' }, headers })
      const id = (body as { conn_id: string }).conn_id
      const cancel = new AbortController()
      const poll = send(server, `GET /listen?conn_id=${id}`, { headers, signal: cancel.signal })
      await until(() => server.app.hub.openConnections === 1, 'the poll')
      expect((await backend.send('POST /info', { headers })).status).toBe(200)
      expect((await send(server, 'GET /health', { headers })).status).toBe(429)
      cancel.abort()
      await expect(poll).rejects.toThrow()
      await settled(server, 0, 0)
    })

    it("counts Philote's clients too", async () => {
      const server = await startBoth({ ...behindProxy, max_sockets_per_address: 1 })
      const token = signToken({ claims: { read: ['a'], write: [] } }, SECRET)
      const url = `ws://127.0.0.1:${server.philote.port}/?auth=${token}`
      const first = await Client.dial('one', url, { headers: as('203.0.113.1') })
      const second = await Client.dial('two', url, { headers: as('203.0.113.1') })
      expect(second.refused).toMatchObject({ status: 429, headers: { 'retry-after': '5' } })
      const other = await Client.dial('three', url, { headers: as('203.0.113.2') })
      for (const { socket } of [first, other]) socket.terminate()
      await settled(server, 0, 0)
    })
  })
})

describe('max_new_sockets_per_second', () => {
  it('refuses what comes faster with 503, and later there is room again', async () => {
    const server = await start({ max_new_sockets_per_second: 5, allow_posting_from: '192.0.2.99' })
    const answers = await Promise.all(
      Array.from({ length: 40 }, () => send(server, 'GET /health').catch(() => undefined)),
    )
    const statuses = answers.map((answer) => answer?.status)
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(5)
    expect(statuses).toContain(503)
    expect(refusedBy(server).rate).toBeGreaterThan(10)
    await until(async () => (await send(server, 'GET /health')).status === 200, 'room for one more')
    await settled(server, 0, 0)
  })
})

/** Waits a short time, or until this client has received something. */
const heard = (client: RawClient): Promise<unknown> =>
  Promise.race([until(() => client.text !== '' || client.isOver, 'an answer'), pause(100)])

/** Connects a user without a socket that would be counted. */
const connectAs = async (username: string, { app }: TestServer): Promise<string> =>
  (await app.hub.connect(ConnectRequest.parse({ username }))).conn_id

describe('the counters of sockets', { timeout: 90_000 }, () => {
  refuseCrashes()

  it.each([
    ['of clients', {}],
    ['of a trusted proxy', { trusted_proxies: '127.0.0.1' }],
  ])('are back at nothing after sockets %s that end in any phase, in any order', async (_, who) => {
    const server = await startBoth({
      max_sockets: 60,
      max_sockets_per_address: 5,
      max_new_sockets_per_second: 500,
      allow_posting_from: '192.0.2.99',
      wake_connections_after: 0.2,
      ...who,
    })
    const webSocketId = await connectAs('ann', server)
    const pollId = await connectAs('bob', server)
    const streamId = await connectAs('cem', server)
    const from = (text: string): string =>
      text.replaceAll('Host: a\r\n', 'Host: a\r\nX-Forwarded-For: 203.0.113.1\r\n')
    const shake = (path: string): string =>
      handshake(path, { Host: 'a', 'X-Forwarded-For': '203.0.113.1' })
    const poll = `GET /listen?conn_id=${pollId} HTTP/1.1\r\nHost: a\r\n\r\n`
    const stream = `GET /sse?conn_id=${streamId} HTTP/1.1\r\nHost: a\r\n\r\n`
    const texts = [
      '',
      'GET /hea',
      GET,
      GET + GET + GET,
      shake(`/ws?conn_id=${UNKNOWN}`),
      shake(`/ws?conn_id=${webSocketId}`),
      shake(`/ws?conn_id=${webSocketId}`).slice(0, 90),
      shake('/ws?conn_id=wrong'),
      'rubbish\r\n\r\n',
      'GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
      'POST /disconnect HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc',
      `GET /listen?conn_id=${UNKNOWN} HTTP/1.1\r\nHost: a\r\n\r\n`,
      poll,
      poll + GET + shake(`/ws?conn_id=${webSocketId}`),
      `GET /sse?conn_id=${UNKNOWN} HTTP/1.1\r\nHost: a\r\n\r\n`,
      stream,
      stream.replace('HTTP/1.1', 'HTTP/1.0'),
      poll + stream + stream + GET,
    ].map(from)
    const endings: ((client: RawClient) => void)[] = [
      (client) => client.reset(),
      (client) => client.destroy(),
      (client) => client.end(),
      (client) => void setImmediate(() => client.reset()),
      (client) => void setImmediate(() => client.destroy()),
    ]
    for (let round = 0; round < 20; round++) {
      const clients = await all(30, () =>
        RawClient.connect(Math.random() < 0.5 ? server : server.philote),
      )
      // The server learns little about sockets that close before they are accepted.
      if (round % 2 === 0) await until(() => openOf(server) >= 5, 'some to be accepted')
      for (const client of clients)
        client.write(texts[Math.floor(Math.random() * texts.length)] ?? '')
      if (round % 3 === 0) await Promise.all(clients.slice(0, 3).map((client) => heard(client)))
      for (const client of clients.toSorted(() => Math.random() - 0.5)) {
        endings[Math.floor(Math.random() * endings.length)]?.(client)
      }
    }
    closeClients()
    await settled(server, 0, 0)
    expect(refusedBy(server).address).toBeGreaterThan(0)
    expect((await send(server, 'GET /health')).status).toBe(200)
  })

  it('are back at nothing after pipelined polls of a proxy that breaks off', async () => {
    const server = await start({
      max_sockets_per_address: 50,
      trusted_proxies: '127.0.0.1',
      allow_posting_from: '127.0.0.1',
      wake_connections_after: 30,
    })
    const backend = new Backend(server)
    const ids = [await backend.connect('a'), await backend.connect('b'), await backend.connect('c')]
    const polls = ids.map(
      (id) =>
        `GET /listen?conn_id=${id} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.1\r\n\r\n`,
    )
    const client = await RawClient.connect(server)
    client.write(polls.join(''))
    await until(() => server.app.hub.openConnections > 0, 'the polls')
    expect(server.app.limits.addresses).toBe(1)
    client.reset()
    await settled(server, 0, 0)
  })
})
