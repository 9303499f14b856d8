/**
 * Clients whose network fails just as an event is published: the events that they missed arrive after the reconnect.
 */
import { stat } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MessagesRequest } from '../../src/protocol/requests.ts'
import { Backend, until } from '../helpers/http.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, RawClient, closeClients } from '../helpers/websocket.ts'
import type { Socket } from 'node:net'
import type { TestServer } from '../helpers/server.ts'

let server: TestServer
let backend: Backend
/** The server's sockets, newest last. */
const accepted: Socket[] = []

beforeAll(async () => {
  server = await startServer({ resume_window: 60, wake_connections_after: 0.1 })
  backend = new Backend(server)
  server.app.http.server.on('connection', (socket: Socket) => accepted.push(socket))
})
afterAll(async () => {
  closeClients()
  await server.close()
})

/** Posts within this turn of the event loop: the memory store publishes before the call returns. */
function sayNow(channel: string, ...texts: string[]): void {
  const messages = texts.map((text) => ({ user: 'backend', channel, message: { text } }))
  void server.app.hub.postMessages(MessagesRequest.parse(messages))
}

async function meet(channel: string) {
  const connId = await backend.connect('ann', [channel])
  const raw = await RawClient.openWebSocket(server, connId)
  const socket = accepted.at(-1) as Socket
  await backend.say(channel, 'seen')
  await until(() => raw.text.includes('seen'), 'the first message')
  return { connId, raw, socket }
}

const isGone = () => until(() => server.app.hub.openConnections === 0, 'the server to notice')

describe('a client that comes back without a cursor', { timeout: 90_000 }, () => {
  it('gets what was told between the end of its side and the end of its socket', async () => {
    const { connId, raw, socket } = await meet('half')
    socket.once('end', () => sayNow('half', 'missed'))
    raw.end()
    await isGone()
    const again = await Listener.open(server, connId)
    await again.heard('missed')
    expect(again.texts).toEqual(['missed'])
    await again.close()
    await isGone()
  })

  it('gets what the system refused to take', async () => {
    for (let round = 0; round < 10; round++) {
      const channel = `refused ${round}`
      const { connId, raw } = await meet(channel)
      // After the network was read and before events are written: the reset has arrived but was not read yet.
      await new Promise<void>((resolve) =>
        stat('/', () => {
          raw.reset()
          sayNow(channel, 'missed')
          resolve()
        }),
      )
      await isGone()
      const again = await Listener.open(server, connId)
      await again.heard('missed')
      expect(again.texts).toEqual(['missed'])
      await again.close()
      await isGone()
    }
  })
})
