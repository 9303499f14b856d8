import { afterAll, describe, expect, it } from 'vitest'
import { EventStreamListener, closeStreams } from '../helpers/event-stream.ts'
import { Backend, send, signedHead, until, within } from '../helpers/http.ts'
import { ServerProcess, killProcesses, refuseCrashes } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, RawClient, closeClients, handshake } from '../helpers/websocket.ts'
import type { Address } from '../helpers/http.ts'

const MEGABYTE = 1_048_576
const LARGE = 'x'.repeat(500_000)

/** Posts large numbered messages until `enough`. Returns their number. */
async function flood(
  backend: Backend,
  channel: string,
  enough: (sent: number) => boolean | Promise<boolean>,
): Promise<number> {
  let sent = 0
  while (!(await enough(sent))) {
    await backend.say(channel, String(sent++), { filling: LARGE })
    if (sent > 200) throw new Error('100 MB were taken')
  }
  return sent
}

const TRANSPORTS = ['/ws', '/sse'] as const

/** Opens a WebSocket or an event stream, and reads only its beginning. */
async function openDeaf(
  server: Address,
  path: (typeof TRANSPORTS)[number],
  connId: string,
): Promise<void> {
  const client = await RawClient.connect(server)
  const target = `${path}?conn_id=${connId}`
  client.write(path === '/ws' ? handshake(target) : signedHead(`GET ${target}`, {}))
  await until(() => client.text.includes('\r\n\r\n'), 'the beginning')
  client.stopReading()
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i))

describe('clients that do not read', { timeout: 90_000 }, () => {
  refuseCrashes()
  afterAll(async () => {
    closeClients()
    closeStreams()
    await killProcesses()
  })

  it('are closed with 4008 or cut; the others, whatever their place, get every message once', async () => {
    const server = await startServer({ max_outbox_bytes: 1_000_000 })
    const backend = new Backend(server)
    const isMember = async (user: string) =>
      (await backend.info()).channels['room']?.users.includes(user as never) === true
    const open = async (user: string) =>
      Listener.open(server, await backend.connect(user, ['room']))
    const before = [await open('first'), await open('second')]
    const slow = await RawClient.openWebSocket(server, await backend.connect('slow', ['room']))
    const after = [await open('third'), await open('fourth'), await open('last')]
    slow.stopReading()

    const connections = server.app.hub.openConnections
    const sent = await flood(backend, 'room', () => server.app.hub.openConnections < connections)
    await backend.say('room', 'end')
    for (const listener of [...before, ...after]) {
      await listener.heard('end')
      expect(listener.texts).toEqual([...numbers(sent), 'end'])
    }
    expect(await isMember('slow')).toBe(true) // it may reconnect

    slow.readOn()
    await until(() => slow.isOver, 'the slow client to be cut', 6_000)
    expect([4008, undefined]).toContain(slow.closeCode)
    await server.close()
  })

  it('come back with a cursor to what they missed', async () => {
    const server = await startServer({ max_outbox_bytes: 1_000_000, channel_frames: 1_000 })
    const backend = new Backend(server)
    const connId = await backend.connect('slow', ['room'])
    const slow = await RawClient.openWebSocket(server, connId)
    await backend.say('room', 'seen')
    await until(() => slow.frames.length > 0, 'a message')
    const [seen] = JSON.parse(slow.frames[0]?.payload.toString() ?? '') as { id: string }[]
    slow.stopReading()
    const sent = await flood(backend, 'room', () => server.app.hub.openConnections === 0)
    slow.destroy()
    const returned = await Listener.open(server, connId, { cursor: seen?.id ?? '' })
    await returned.heard(String(sent - 1))
    expect(returned.texts).toEqual(numbers(sent))
    expect(returned.of('gap')).toEqual([])
    await server.close()
  })

  it('of an event stream are ended, and come back with their last id to what they missed', async () => {
    const server = await startServer({ max_outbox_bytes: 1_000_000, channel_frames: 1_000 })
    const backend = new Backend(server)
    const reader = await EventStreamListener.open(server, await backend.connect('ann', ['room']))
    const connId = await backend.connect('slow', ['room'])
    const slow = await EventStreamListener.open(server, connId)
    await backend.say('room', 'seen')
    await slow.heard('seen')
    const { lastEventId } = slow
    slow.pause()
    const sent = await flood(backend, 'room', () => server.app.hub.openConnections === 1)
    // Its socket is cut, although it never reads what the server wrote last.
    await until(() => server.app.limits.figures.open === 1, 'the slow client to be cut', 10_000)
    const returned = await EventStreamListener.open(server, connId, { lastEventId })
    await Promise.all([returned.heard(String(sent - 1)), reader.heard(String(sent - 1))])
    expect(returned.texts).toEqual(numbers(sent))
    expect(returned.of('gap')).toEqual([])
    expect(reader.texts).toEqual(['seen', ...numbers(sent)])
    await server.close()
  })

  it.each(TRANSPORTS)('cost no more memory than their outboxes, however many: %s', async (path) => {
    const server = await ServerProcess.start({
      settings: { max_outbox_bytes: 500_000, channel_frames: 2 },
    })
    const backend = new Backend(server)
    const reader = await Listener.open(server, await backend.connect('reader', ['room']))
    const before = await server.residentBytes()
    for (let round = 0; round < 2; round++) {
      const slow = await Promise.all(
        Array.from({ length: 20 }, async (_, i) =>
          openDeaf(server, path, await backend.connect(`slow ${i}`, ['room'])),
        ),
      )
      expect(slow).toHaveLength(20)
      for (let sent = 0; sent < 30; sent++) {
        await backend.say('room', `${round} ${sent}`, { filling: LARGE })
      }
      await reader.heard(`${round} 29`)
    }
    // 30 MB were posted. Queued separately for each of 40 clients that would be 1200 MB.
    expect((await server.residentBytes()) - before).toBeLessThan(250 * MEGABYTE)
    expect(reader.texts).toHaveLength(60)
  })

  it('of a long poll hold up nobody, cost bounded memory, and are parted in the end', async () => {
    const server = await ServerProcess.start({
      settings: {
        max_outbox_bytes: 500_000,
        channel_frames: 2,
        gc_conns_after: 1,
        resume_window: 1,
        poll_gather: 2,
      },
    })
    const backend = new Backend(server)
    const channel_configs = { room: { notify_presence: true } }
    const reader = await Listener.open(
      server,
      await backend.connect('reader', ['room'], { channel_configs }),
    )
    const before = await server.residentBytes()
    const connIds = await Promise.all(
      Array.from({ length: 10 }, (_, i) => backend.connect(`slow ${i}`, ['room'])),
    )
    for (const connId of connIds) {
      const poll = await RawClient.connect(server)
      poll.write(signedHead(`GET /listen?conn_id=${connId}`, {}))
      poll.stopReading()
    }
    const quick = send(server, `GET /listen?conn_id=${await backend.connect('quick', ['room'])}`)
    // More in one answer than the network buffers hold.
    for (let sent = 0; sent < 40; sent++) {
      await backend.say('room', String(sent), { filling: LARGE })
    }
    await reader.heard('39')
    expect(reader.texts).toEqual(numbers(40))
    expect((await quick).status).toBe(200) // the other polls have been answered as well
    // 20 MB are queued for each client, 200 MB for all of them.
    expect((await server.residentBytes()) - before).toBeLessThan(250 * MEGABYTE)
    await until(() => reader.presenceOf('slow 0').includes('parted'), 'them to part', 60_000)
  })

  it('of the last answer that a poll gets are parted like clients that stay away', async () => {
    const server = await startServer({
      heartbeat_interval: 0.1,
      gc_conns_after: 2,
      resume_window: 1,
      poll_gather: 0,
    })
    const backend = new Backend(server)
    await backend.call('POST /channel_config', { large: {}, room: { notify_presence: true } })
    const reader = await Listener.open(server, await backend.connect('reader', ['room']))
    for (let sent = 0; sent < 40; sent++) {
      await backend.say('large', String(sent), { filling: LARGE })
    }
    const connId = await backend.connect('slow', ['room', 'large'])
    await until(() => reader.events.length > 0, 'it to join')
    const [epoch] = reader.events[0]?.id.split('-') ?? []
    const poll = await RawClient.connect(server)
    poll.stopReading()
    // 20 MB in one answer, more than the network buffers hold.
    poll.write(signedHead(`GET /listen?conn_id=${connId}&cursor=${epoch}-0`, {}))
    await until(() => reader.presenceOf('slow').includes('parted'), 'it to part', 12_000)
    poll.readOn()
    expect(await poll.answered()).toBe(200)
    await server.close()
  })

  it('of one large event that a poll gets are parted as well', async () => {
    const size = 12_000_000
    const server = await startServer({
      gc_conns_after: 2,
      wake_connections_after: 60,
      max_body_bytes: 2 * size,
    })
    const backend = new Backend(server)
    await backend.call('POST /channel_config', { large: {}, room: { notify_presence: true } })
    const reader = await Listener.open(server, await backend.connect('reader', ['room']))
    const connId = await backend.connect('slow', ['room', 'large'])
    const poll = await RawClient.connect(server)
    poll.stopReading()
    poll.write(signedHead(`GET /listen?conn_id=${connId}`, {}))
    await until(() => server.app.hub.openConnections === 2, 'the poll')
    // More than the network buffers hold.
    await backend.say('large', 'event', { filling: 'x'.repeat(size) })
    await until(() => reader.presenceOf('slow').includes('parted'), 'it to part')
    poll.readOn()
    await until(() => poll.isOver, 'its socket to be cut')
    expect(poll.body).toBeUndefined()
    await server.close()
  })

  it('of an ordinary answer hold up nobody', async () => {
    const server = await startServer({ max_history_size: 100 })
    const backend = new Backend(server)
    const config = { store_history: true, history_size: 20 }
    await backend.call('POST /channel_config', { large: config })
    for (let sent = 0; sent < 20; sent++) {
      await backend.say('large', String(sent), { filling: LARGE })
    }
    for (let i = 0; i < 3; i++) {
      const client = await RawClient.connect(server)
      client.stopReading()
      client.write(signedHead('GET /info', {}))
    }
    const listener = await Listener.open(server, await backend.connect('reader', ['room']))
    await backend.say('room', 'hello')
    await listener.heard('hello')
    await within(server.close(), 'the server to stop', 4_000)
  })
})
