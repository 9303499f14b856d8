/** A client that opens its connection on one server after the other. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { CLOSE } from '../../src/protocol/close-codes.ts'
import { endAll } from '../helpers/ending.ts'
import { Backend, send, until } from '../helpers/http.ts'
import { RedisServer } from '../helpers/redis.ts'
import { Servers } from '../helpers/servers.ts'
import { Listener } from '../helpers/websocket.ts'
import { numberOf } from '../property/transcript.ts'
import type { TestServer } from '../helpers/server.ts'
import type { ReceivedEvent } from '../helpers/websocket.ts'

const ROUNDS = 8

describe('a connection that is opened at several servers', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(endAll)

  async function startThree() {
    const servers = await Servers.start(redis, 3, {
      channel_frames: 10_000,
      wake_connections_after: 0.2,
    })
    onTestFinished(() => servers.close())
    const backend = new Backend(servers)
    return { servers, backend, connId: await backend.connect('ann', ['room']) }
  }

  /** Posts numbers until it is stopped. */
  function postNumbers(backend: Backend) {
    let [count, isDone] = [0, false]
    const work = (async () => {
      while (!isDone) await backend.say('room', String(count++))
    })()
    return async (): Promise<string[]> => {
      isDone = true
      await work
      return Array.from({ length: count }, (_, number) => String(number))
    }
  }

  it('tells it each event once, on whichever it was opened last', { timeout: 90_000 }, async () => {
    const { servers, backend, connId } = await startThree()
    const stop = postNumbers(backend)
    const sockets: Listener[] = []
    for (let round = 0; round < ROUNDS; round++)
      for (const server of servers.all) sockets.push(await Listener.open(server, connId))
    // Requests of different servers may overtake each other on the way to Redis: an earlier one may arrive later, and
    // then it owns the connection.
    const next = async (): Promise<Listener> => {
      const open = servers.all[sockets.length % servers.all.length] as TestServer
      const socket = await Listener.open(open, connId)
      sockets.push(socket)
      await until(
        () => socket.texts.length > 0 || socket.ending !== undefined,
        'what becomes of it',
      )
      return socket.ending ? next() : socket
    }
    const last = await next()
    const posted = await stop()
    await backend.say('room', 'last')
    await last.heard('last')
    // An earlier socket on the same server may stay open, but receives nothing.
    const place = sockets.indexOf(last) % servers.all.length
    const others = sockets.filter((_, index) => index % servers.all.length !== place)
    await Promise.all(others.map((socket) => socket.closed))
    for (const { ending } of others) expect(ending?.code).toBe(CLOSE.replaced.code)
    // Sorted by number: the order in which sockets held the connection is decided by Redis.
    const events = sockets.flatMap((socket) => socket.of('message'))
    const inOrder = events.toSorted((one, other) => numberOf(one) - numberOf(other))
    expect(inOrder.map(({ message }) => message?.text)).toEqual([...posted, 'last'])
    expect(sockets.flatMap((socket) => socket.of('gap'))).toEqual([])
    expect(last.ending).toBeUndefined()
  })

  it('leaves it to one of several that come in the same moment', { timeout: 90_000 }, async () => {
    const { servers, backend, connId } = await startThree()
    const told: (string | undefined)[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const sockets = await Promise.all(servers.all.map((server) => Listener.open(server, connId)))
      const isSettled = (): boolean => sockets.filter(({ ending }) => !ending).length === 1
      await until(isSettled, 'one socket to be left')
      await backend.say('room', `round ${round}`)
      const left = sockets.find(({ ending }) => !ending)
      await left?.heard(`round ${round}`)
      told.push(...sockets.flatMap(({ texts }) => texts))
      for (const { ending } of sockets.filter((socket) => socket !== left))
        expect(ending?.code).toBe(CLOSE.replaced.code)
    }
    expect(told).toEqual(Array.from({ length: ROUNDS }, (_, round) => `round ${round}`))
  })

  it('stays with a stream, wherever a poll comes', async () => {
    const { servers, backend, connId } = await startThree()
    const [home] = servers.all
    const stream = await Listener.open(home as never, connId)
    await backend.say('room', 'first')
    await stream.heard('first')
    for (const server of [...servers.all, ...servers.all]) {
      const { status, text } = await send(server, `GET /listen?conn_id=${connId}`)
      expect([status, text]).toEqual([200, '[]'])
    }
    await backend.say('room', 'last')
    await stream.heard('last')
    expect(stream.ending).toBeUndefined()
  })

  it.each([false, true])(
    'gives it what it missed in parts, whichever server it polls (with cursor: %s)',
    async (hasCursor) => {
      const { servers, backend, connId } = await startThree()
      const filling = 'x'.repeat(50_000)
      const numbers = Array.from({ length: 12 }, (_, number) => String(number))
      for (const text of numbers) await backend.say('room', text, { filling })
      const events: ReceivedEvent[] = []
      let polls = 0
      while (events.length < numbers.length) {
        const cursor = hasCursor && events.length > 0 ? `&cursor=${events.at(-1)?.id}` : ''
        const { body } = await send(servers, `GET /listen?conn_id=${connId}${cursor}`)
        events.push(...(body as ReceivedEvent[]))
        polls++
      }
      expect(events.map(({ message }) => message?.text)).toEqual(numbers)
      expect(polls).toBeGreaterThanOrEqual(6)
    },
  )
})
