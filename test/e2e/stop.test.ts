import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { afterAll, describe, expect, it } from 'vitest'
import { Backend, send, signedHead, until, within } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, RawClient, closeClients, handshake } from '../helpers/websocket.ts'

const GRACE = 1.5

async function start(grace = GRACE) {
  const server = await ServerProcess.start({ settings: { shutdown_grace: grace } })
  return { server, backend: new Backend(server) }
}

/** Returns the milliseconds until the process has exited. It must exit with 0. */
async function endOf(server: ServerProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
  const began = performance.now()
  server.signal(signal)
  const exit = await within(server.exited, 'the server to end', 8_000)
  expect(exit).toEqual({ code: 0, signal: null })
  return performance.now() - began
}

describe.concurrent('a server that is told to stop', { timeout: 90_000 }, () => {
  afterAll(async () => {
    closeClients()
    await killProcesses()
  })

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'ends at once with 0 when nobody is there (%s)',
    async (signal) => {
      const { server } = await start(10)
      expect(await endOf(server, signal)).toBeLessThan(3_000)
    },
  )

  it('is not disturbed by clients that ask for a WebSocket meanwhile, and go', async () => {
    const { server, backend } = await start()
    // It keeps the server from ending at once.
    const silent = await RawClient.openWebSocket(server, await backend.connect('ann'))
    const late = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const socket = net.connect(server.port, server.host).on('error', () => {})
        await once(socket, 'connect')
        return socket
      }),
    )
    const ending = endOf(server)
    await until(() => silent.closeCode === 1012, 'the stop to begin')
    for (const socket of late) {
      socket.write(handshake('/ws'))
      socket.resetAndDestroy()
    }
    await ending
    expect(server.stderr).not.toContain('an exception was not caught')
  })

  it('answers waiting polls with what there is, and asks sockets to come back', async () => {
    const { server, backend } = await start(10)
    const listeners = await Promise.all(
      ['ann', 'bob'].map(async (user) =>
        Listener.open(server, await backend.connect(user, ['room'])),
      ),
    )
    const idle = send(server, `GET /listen?conn_id=${await backend.connect('cem')}`)
    const gathering = send(server, `GET /listen?conn_id=${await backend.connect('dan', ['room'])}`)
    const script = send(server, `GET /listen?conn_id=${await backend.connect('eve')}&callback=got`)
    await backend.call('POST /info')
    await backend.say('room', 'last words')
    expect(await endOf(server)).toBeLessThan(5_000)

    expect(await idle).toMatchObject({ status: 200, body: [] })
    expect(await gathering).toMatchObject({
      status: 200,
      body: [{ message: { text: 'last words' } }],
    })
    expect(await script).toMatchObject({ status: 200, text: 'got([])' })
    for (const listener of listeners) {
      expect((await listener.closed).code).toBe(1012)
      expect(listener.texts).toEqual(['last words'])
    }
  })

  it('does not wait for clients that keep their connections for later', async () => {
    const { server, backend } = await start(10)
    const agent = new http.Agent({ keepAlive: true })
    await backend.send('POST /info', { agent })
    const connId = await backend.connect('ann')
    const poll = send(server, `GET /listen?conn_id=${connId}`, { agent })
    await backend.call('POST /info')
    expect(await endOf(server)).toBeLessThan(5_000)
    expect((await poll).body).toEqual([])
    agent.destroy()
  })

  it('cuts a socket that ignores the close', async () => {
    const { server, backend } = await start()
    const client = await RawClient.openWebSocket(server, await backend.connect('ann'))
    const tookMs = await endOf(server)
    expect(client.closeCode).toBe(1012)
    expect(tookMs).toBeLessThan(GRACE * 1000 + 1_000)
    await until(() => client.isOver, 'the cut')
  })

  it.each([
    ['a socket that does not read', (connId: string) => handshake(`/ws?conn_id=${connId}`)],
    ['a refused handshake that is left open', () => handshake('/ws')],
    ['a refused handshake that says more', () => `${handshake('/nowhere')}and more`],
    ['half a head', () => 'GET /info HTTP/1.1\r\nHo'],
    ['half a body', () => signedHead('POST /connect', { 'Content-Length': 100 }) + '{'],
    ['nothing at all', () => ''],
  ])('cuts %s', async (_what, text) => {
    const server = await startServer({ shutdown_grace: 0.5 })
    const connId = await new Backend(server).connect('ann')
    const client = await RawClient.connect(server)
    client.write(text(connId))
    if (text(connId).endsWith('\r\n\r\n')) await client.answered()
    client.stopReading()
    await new Backend(server).call('POST /info')
    await within(server.close(), 'the server to stop', 3_000)
  })

  it('lets in nobody new', async () => {
    const { server, backend } = await start(10)
    const slow = await RawClient.openWebSocket(server, await backend.connect('ann')) // keeps the server running
    server.signal('SIGTERM')
    const isRefused = () =>
      send(server, 'GET /info').then(
        () => false,
        () => true,
      )
    await until(isRefused, 'connections to be refused', 3_000)
    expect(server.exit).toBeUndefined()
    slow.destroy()
    await server.exited
  })

  it('ends at once at the second signal, and not with 0', async () => {
    const { server, backend } = await start(10)
    const client = await RawClient.openWebSocket(server, await backend.connect('ann'))
    server.signal('SIGTERM')
    await until(() => client.closeCode !== undefined, 'the close')
    const began = performance.now()
    server.signal('SIGTERM')
    const exit = await within(server.exited, 'the server to end')
    expect(performance.now() - began).toBeLessThan(3_000)
    expect(exit.code).not.toBe(0)
  })

  it('lets its clients come to the next one, and tells them of the gap', async () => {
    const first = await start()
    const listener = await Listener.open(first.server, await first.backend.connect('ann', ['room']))
    await first.backend.say('room', 'before')
    await listener.heard('before')
    await endOf(first.server)
    const second = await start()
    const connId = await second.backend.connect('ann', ['room'])
    const cursor = listener.events.at(-1)?.id ?? ''
    const returned = await Listener.open(second.server, connId, { cursor })
    await second.backend.say('room', 'after')
    await returned.heard('after')
    expect(returned.events[0]).toMatchObject({
      type: 'gap',
      channels: ['room'],
      private: true,
      catchup: true,
    })
    expect(returned.texts).toEqual(['after'])
  })
})
