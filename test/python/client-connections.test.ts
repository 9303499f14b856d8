/** Connections of examples/python/channelstream_client.py that end while they are idle, or before an answer. */
import net from 'node:net'
import { afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { headerOf, json, listen, reply, startFake } from '../backend/fakes.ts'
import { INSTALL_TIMEOUT_MS, setup } from '../helpers/debian-packages.ts'
import { until } from '../helpers/http.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import { PythonClient, runPython } from './client-driver.ts'
import type { Address } from '../helpers/http.ts'

beforeAll(setup, INSTALL_TIMEOUT_MS)
afterEach(closeClients)

const MESSAGE = { user: 'bob', channel: 'lobby', message: { text: 'hello' } }
const OK = { status: 'ok' }

const aClient = (url: string, options: Record<string, unknown> = {}) =>
  PythonClient.start({ url, ...options })

describe('an idle connection of the client in Python', () => {
  it('is used again', async () => {
    const fake = await startFake((socket) => socket.write(json(OK)))
    const client = await aClient(fake.url)
    for (let call = 0; call < 5; call++) await client.call('health')
    expect([fake.connections, fake.requests.length]).toEqual([1, 5])
  })

  it('is not used if the server has closed it meanwhile', async () => {
    let isClosed = Promise.resolve()
    const fake = await startFake((socket) => {
      isClosed = new Promise((resolve) => void socket.once('finish', () => resolve()))
      socket.end(json([{ uuid: 'a' }]))
    })
    const client = await aClient(fake.url, { retries: 0 })
    for (let call = 1; call <= 3; call++) {
      await client.call('message', [MESSAGE])
      await isClosed
      expect([fake.connections, fake.requests.length]).toEqual([call, call])
    }
  })

  it.each([
    { says: 'timeout=9', after: 7, connections: 1 },
    { says: 'timeout=9', after: 8.1, connections: 2 },
    { says: 'timeout=1', after: 0, connections: 2 },
    { says: '', after: 29, connections: 1 },
    { says: '', after: 30, connections: 2 },
  ])('is used for less time than the server says: $says, $after s', async (given) => {
    const { says, after, connections } = given
    const fake = await startFake((socket) =>
      socket.write(reply('200 OK', { 'keep-alive': says }, JSON.stringify(OK))),
    )
    const script = `
import json, sys, time
from channelstream_client import Channelstream

with Channelstream(sys.argv[1], "secret") as client:
    client.health()
    now = time.monotonic
    time.monotonic = lambda: now() + float(sys.argv[2])
    print(json.dumps(client.health()))
`
    expect(await runPython(script, [fake.url, String(after)])).toEqual(OK)
    expect([fake.connections, fake.requests.length]).toEqual([connections, 2])
  })

  /** Closes the second request of each connection without an answer, as if it had crossed the close of the server. */
  const closingUsed = async (answer: unknown) => {
    const used = new Set<net.Socket>()
    return startFake((socket) => {
      if (used.has(socket)) return socket.destroy()
      used.add(socket)
      socket.write(json(answer))
    })
  }

  it('that is closed while a request is sent has no effect: the request is sent again at once', async () => {
    const fake = await closingUsed([{ uuid: 'a' }])
    const client = await aClient(fake.url, { retries: 1 })
    for (let call = 0; call < 3; call++) await client.call('message', [MESSAGE])
    const keys = fake.requests.map((request) => headerOf(request, 'idempotency-key'))
    expect(keys[2]).toBe(keys[1])
    expect(new Set(keys).size).toBe(3)
    expect([fake.connections, fake.requests.length]).toEqual([3, 5])
  })

  it('that is closed while a request is sent is an error without retries, unless the request changes nothing', async () => {
    const writes = await closingUsed([{ uuid: 'a' }])
    const writing = await aClient(writes.url, { retries: 0 })
    await writing.call('message', [MESSAGE])
    expect(await writing.error('message', [MESSAGE])).toMatchObject({ kind: 'Unavailable' })
    expect(writes.requests.length).toBe(2)
    const reads = await closingUsed(OK)
    const reading = await aClient(reads.url, { retries: 0 })
    await reading.call('health')
    expect(await reading.call('health')).toEqual(OK)
    expect(reads.requests.length).toBe(3)
  })
})

/**
 * Loses two of three answers of a server, after it has run the request: the first on a connection that was idle, the second
 * on a new one.
 */
async function startLosingProxy(server: Address) {
  const seen = { requests: 0, lost: 0 }
  const { port } = await listen((socket) => {
    const line = net.connect(server.port, server.host)
    let isLost = false
    socket.on('data', (data: Buffer) => {
      if (data.includes('HTTP/1.1\r\n')) isLost = seen.requests++ % 3 !== 2
      line.write(data)
    })
    line.on('data', (data: Buffer) => {
      if (!isLost) return socket.write(data)
      seen.lost++
      return socket.destroy()
    })
    socket.on('close', () => line.destroy())
    line.on('close', () => socket.destroy())
    line.on('error', () => {}) // a close follows
  })
  return { url: `http://127.0.0.1:${port}`, seen }
}

it('what the client in Python repeats is done once, if the answers of the server are lost', async () => {
  const server = await startServer()
  onTestFinished(() => server.close())
  const { url, seen } = await startLosingProxy(server)
  const client = await aClient(url)
  const named = { channels: ['lobby'], channel_configs: { lobby: { notify_presence: true } } }
  const watcher = (await client.call('connect', ['eve'], named)) as { conn_id: string }
  const eve = await Listener.open(server, watcher.conn_id)
  const ann = (await client.call('connect', ['ann'], { channels: ['lobby'] })) as typeof watcher
  const texts = Array.from({ length: 10 }, (_, n) => `text ${n}`)
  const post = (text: string) => client.call('message', [{ ...MESSAGE, message: { text } }])
  for (const text of texts) await post(text)
  const joined = await client.call('subscribe', [['news']], { conn_id: ann.conn_id })
  expect(joined).toMatchObject({ subscribed_to: ['news'] })
  const [uuid] = eve.events.filter(({ type }) => type === 'message').map((event) => event['uuid'])
  await client.call('edit', [{ channel: 'lobby', uuid, message: {} }])
  await client.call('delete', [{ channel: 'lobby', uuid }])
  expect(await client.call('disconnect', [ann.conn_id])).toBe(true)
  await until(() => eve.events.at(-1)?.message?.['action'] === 'parted', 'ann to part')
  expect(eve.events.map(({ type, message }) => message?.text ?? type)).toEqual([
    ...['presence', ...texts],
    ...['message:edit', 'message:delete', 'presence'],
  ])
  expect(seen.lost).toBeGreaterThan(30)
})
