import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend, pause, send, until, within } from '../helpers/http.ts'
import { ServerProcess, killProcesses, refuseCrashes } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import {
  Listener,
  OPCODE,
  RawClient,
  clientFrame,
  closeClients,
  handshake,
} from '../helpers/websocket.ts'
import type { TestServer } from '../helpers/server.ts'
import type { FrameParts } from '../helpers/websocket.ts'

const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000'
const MEGABYTE = 1_048_576

describe('WebSockets', { timeout: 90_000 }, () => {
  refuseCrashes()
  let server: TestServer
  let backend: Backend
  let witness: Listener

  beforeAll(async () => {
    server = await startServer({ max_client_messages_per_second: 0 })
    backend = new Backend(server)
    witness = await Listener.open(server, await backend.connect('witness', ['witnessed']))
  })
  afterAll(async () => {
    closeClients()
    await server.close()
    await killProcesses()
  })

  const openRaw = async (user = 'mallory') =>
    RawClient.openWebSocket(server, await backend.connect(user, ['room']))

  /** Checks that another client, connected all the time, is still served. */
  async function othersAreServed(): Promise<void> {
    const text = randomBytes(8).toString('hex')
    await backend.say('witnessed', text)
    await witness.heard(text)
  }

  describe('handshakes that are none are refused with a 4xx within milliseconds', () => {
    const target = `/ws?conn_id=${UNKNOWN_ID}`
    const long = (character: string): string => character.repeat(8_000)
    const refused: readonly (readonly [string, string])[] = [
      ['without a key', handshake(target, { 'Sec-WebSocket-Key': undefined })],
      ['with a short key', handshake(target, { 'Sec-WebSocket-Key': 'x' })],
      ['with a long key', handshake(target, { 'Sec-WebSocket-Key': long('A') })],
      ['without a version', handshake(target, { 'Sec-WebSocket-Version': undefined })],
      ['with version 99', handshake(target, { 'Sec-WebSocket-Version': '99' })],
      ['with POST', handshake(target).replace('GET', 'POST')],
      [
        'with spaces for a protocol',
        handshake(target, { 'Sec-WebSocket-Protocol': long(' ') + 'x y' }),
      ],
      ['with commas for protocols', handshake(target, { 'Sec-WebSocket-Protocol': long(',') })],
      ['without a conn_id', handshake('/ws')],
      ['elsewhere', handshake('/info')],
      ['at the poll', handshake(`/listen?conn_id=${UNKNOWN_ID}`)],
    ]
    it.each(refused)('%s', async (_what, text) => {
      const client = await RawClient.connect(server)
      const began = performance.now()
      client.write(text)
      const status = await client.answered()
      expect(performance.now() - began).toBeLessThan(500)
      expect(status).toBeGreaterThanOrEqual(400)
      expect(status).toBeLessThan(500)
      await othersAreServed()
    })

    it('with 2000 headers', async () => {
      const names = Array.from({ length: 2_000 }, (_, i): [string, string] => [`x${i}`, ''])
      for (const headers of [names, names.slice(0, 1_000)]) {
        const client = await RawClient.connect(server)
        const began = performance.now()
        client.write(handshake('/ws', Object.fromEntries(headers)))
        expect(await client.answered()).toBeGreaterThanOrEqual(400)
        expect(performance.now() - began).toBeLessThan(500)
      }
      await othersAreServed()
    })

    it('with an upgrade to something else, which is passed over', async () => {
      for (const upgrade of ['h2c', 'websocket2', 'TLS/1.0', 'x, websocket']) {
        const client = await RawClient.connect(server)
        client.write(handshake(target, { Upgrade: upgrade, 'Sec-WebSocket-Key': undefined }))
        expect(await client.answered(), upgrade).toBe(426)
      }
    })
  })

  it('end and are forgotten when they are refused, whether or not the client ends its side', async () => {
    const open = () =>
      new Promise<number>((resolve) =>
        server.app.http.server.getConnections((_error, count) => resolve(count)),
      )
    const before = await open()
    const refusals = [handshake('/ws'), handshake('/nowhere'), `${handshake('/ws')}more than asked`]
    const clients = await Promise.all(
      refusals.map(async (text) => {
        const client = await RawClient.connect(server)
        client.write(text)
        return client
      }),
    )
    for (const client of clients) expect(await client.answered()).toBeGreaterThanOrEqual(400)
    await until(async () => (await open()) <= before, 'the server to let go of them', 4_000)
  })

  it('that were refused do not keep a stopping server', async () => {
    const own = await startServer({ shutdown_grace: 0.3 })
    const client = await RawClient.connect(own)
    client.write(handshake('/ws'))
    await client.answered()
    await within(own.close(), 'the server to stop', 2_000)
  })

  it('of strangers are closed with 1000, and cut when they ignore it', async () => {
    const client = await RawClient.openWebSocket(server, UNKNOWN_ID)
    await until(() => client.closeCode !== undefined, 'the close')
    expect(client.closeCode).toBe(1000)
    await until(() => client.isOver, 'the end of the connection', 6_000)
  })

  it('do not get compression, however they ask for it', async () => {
    const connId = await backend.connect('mallory')
    const client = await RawClient.connect(server)
    const offer = 'permessage-deflate; client_max_window_bits, permessage-deflate'
    client.write(handshake(`/ws?conn_id=${connId}`, { 'Sec-WebSocket-Extensions': offer }))
    expect(await client.answered()).toBe(101)
    expect(client.text.toLowerCase()).not.toContain('sec-websocket-extensions')
    client.write(clientFrame({ opcode: OPCODE.text, payload: randomBytes(10), reserved: 0x40 }))
    await until(() => client.closeCode !== undefined, 'the close')
    expect(client.closeCode).toBe(1002)
  })

  describe('that break the protocol are closed with the code for it, and others are served', () => {
    const { text, binary, close, ping, pong, continuation } = OPCODE
    const broken: readonly (readonly [string, number, readonly FrameParts[]])[] = [
      ['text that is not UTF-8', 1007, [{ opcode: text, payload: Buffer.from([0xff, 0xfe]) }]],
      ['text cut within a character', 1007, [{ opcode: text, payload: Buffer.from([0xe2, 0x82]) }]],
      [
        'text that is not UTF-8, in two frames',
        1007,
        [
          { opcode: text, payload: Buffer.from([0xe2]), fin: false },
          { opcode: continuation, payload: Buffer.from([0x28]) },
        ],
      ],
      ['a reserved bit', 1002, [{ opcode: text, payload: 'x', reserved: 0x10 }]],
      ['an unknown opcode', 1002, [{ opcode: 3, payload: 'x' }]],
      ['an unknown control opcode', 1002, [{ opcode: 11, payload: 'x' }]],
      ['a continuation of nothing', 1002, [{ opcode: continuation, payload: 'x' }]],
      [
        'a message within a message',
        1002,
        [
          { opcode: text, payload: 'x', fin: false },
          { opcode: binary, payload: 'x' },
        ],
      ],
      ['a ping in pieces', 1002, [{ opcode: ping, payload: 'x', fin: false }]],
      ['a long ping', 1002, [{ opcode: ping, payload: Buffer.alloc(126) }]],
      ['a long pong', 1002, [{ opcode: pong, payload: Buffer.alloc(500) }]],
      ['a close of one byte', 1002, [{ opcode: close, payload: Buffer.alloc(1) }]],
      ['a close with the code 0', 1002, [{ opcode: close, payload: Buffer.alloc(2) }]],
      ['a close with the code 1006', 1002, [{ opcode: close, payload: Buffer.from([0x03, 0xee]) }]],
      [
        'a close with a reason that is not UTF-8',
        1007,
        [{ opcode: close, payload: Buffer.from([0x03, 0xe8, 0xff]) }],
      ],
      ['a frame of 1 GB, announced', 1009, [{ opcode: text, announced: 2 ** 30 }]],
      ['a frame of 2^53 bytes, announced', 1009, [{ opcode: binary, announced: 2 ** 53 }]],
      ['a frame one byte too large, announced', 1009, [{ opcode: text, announced: 65_537 }]],
      [
        'a message too large in small frames',
        1009,
        Array.from({ length: 70 }, (_, i) => ({
          opcode: i === 0 ? binary : continuation,
          payload: Buffer.alloc(1_000),
          fin: false,
        })),
      ],
    ]
    it.each(broken)('%s', async (_what, code, frames) => {
      const client = await openRaw()
      for (const frame of frames) client.write(clientFrame(frame))
      await until(() => client.closeCode !== undefined, 'the close')
      expect(client.closeCode).toBe(code)
      await othersAreServed()
    })

    it('a frame without a mask', async () => {
      const client = await openRaw()
      client.write(Buffer.from([0x81, 0x01, 0x78]))
      await until(() => client.closeCode !== undefined, 'the close')
      expect(client.closeCode).toBe(1002)
    })
  })

  it('may say anything within the protocol: it is a sign of life and nothing else', async () => {
    const listener = await Listener.open(server, await backend.connect('talker', ['talk']))
    const bystander = await Listener.open(server, await backend.connect('bystander', ['talk']))
    const before = await backend.facts()
    for (const said of ['', '[]', 'null', '{"type":"message","channel":"talk"}', '[[[[[', '\u0000'])
      listener.send(said)
    listener.send(randomBytes(1_000))
    listener.send(Buffer.alloc(0))
    expect(await backend.facts()).toEqual(before)
    await backend.say('talk', 'on')
    await Promise.all([listener.heard('on'), bystander.heard('on')])
    expect(bystander.events).toHaveLength(1)
  })

  it('that send a message in 200,000 pieces are closed, and memory stays bounded', async () => {
    const own = await ServerProcess.start({
      settings: { max_client_messages_per_second: 0 },
    })
    const caller = new Backend(own)
    const quiet = await Listener.open(own, await caller.connect('quiet', ['room']))
    const before = await own.residentBytes()
    for (const size of [1, 0]) {
      const client = await RawClient.openWebSocket(own, await caller.connect('mallory'))
      client.write(clientFrame({ opcode: OPCODE.text, payload: 'x', fin: false }))
      const piece = clientFrame({
        opcode: OPCODE.continuation,
        payload: 'x'.repeat(size),
        fin: false,
      })
      client.write(Buffer.concat(Array.from({ length: 200_000 }, () => piece)))
      await until(() => client.isClosed || client.closeCode !== undefined, 'the close', 8_000)
    }
    await caller.say('room', 'hello')
    await quiet.heard('hello')
    expect((await own.residentBytes()) - before).toBeLessThan(100 * MEGABYTE)
    expect(own.exit).toBeUndefined()
  })

  it('that announce large frames and never send them hold no memory', async () => {
    const own = await ServerProcess.start()
    const caller = new Backend(own)
    const connIds = await Promise.all(
      Array.from({ length: 100 }, (_, i) => caller.connect(`mallory ${i}`)),
    )
    const before = await own.residentBytes()
    for (const connId of connIds) {
      const client = await RawClient.openWebSocket(own, connId)
      client.write(clientFrame({ opcode: OPCODE.binary, payload: 'x', announced: 65_536 }))
    }
    await caller.info()
    expect((await own.residentBytes()) - before).toBeLessThan(50 * MEGABYTE)
  })

  it('get pings answered with what they sent, closes with their code, never with other memory', async () => {
    const client = await openRaw()
    for (const payload of [Buffer.alloc(0), Buffer.alloc(125, 7), Buffer.from('x')]) {
      client.write(clientFrame({ opcode: OPCODE.ping, payload }))
    }
    const pongs = () => client.frames.filter(({ opcode }) => opcode === OPCODE.pong)
    await until(() => pongs().length === 3, 'pongs')
    expect(pongs().map(({ payload }) => payload.length)).toEqual([0, 125, 1])
    expect(pongs()[1]?.payload.equals(Buffer.alloc(125, 7))).toBe(true)
    const reason = Buffer.concat([Buffer.from([0x0f, 0xa0]), Buffer.from('farewell')]) // 4000
    client.write(clientFrame({ opcode: OPCODE.close, payload: reason }))
    await until(() => client.closeCode !== undefined, 'the close')
    expect(client.closeCode).toBe(4000)
    expect(client.frames.at(-1)?.payload.equals(reason)).toBe(true)
  })

  it('that are cut in the middle of a handshake or a frame leave nothing behind', async () => {
    const whole = handshake(`/ws?conn_id=${await backend.connect('mallory', ['room'])}`)
    for (let length = 1; length < whole.length; length += 7) {
      const client = await RawClient.connect(server)
      client.write(whole.slice(0, length))
      await pause(1)
      client.destroy()
    }
    const frame = clientFrame({ opcode: OPCODE.text, payload: 'hello' })
    for (let length = 1; length < frame.length; length++) {
      const client = await RawClient.connect(server)
      client.write(whole)
      client.write(frame.subarray(0, length))
      await client.answered()
      client.destroy()
    }
    await othersAreServed()
  })

  it('may send frames along with the handshake', async () => {
    const client = await RawClient.connect(server)
    const text = handshake(`/ws?conn_id=${await backend.connect('eager')}`)
    const ping = clientFrame({ opcode: OPCODE.ping, payload: 'early' })
    client.write(Buffer.concat([Buffer.from(text), ping]))
    await until(() => client.frames.length === 1, 'the pong')
    expect(client.frames[0]?.payload.toString()).toBe('early')
  })

  describe('and polls of one connection', () => {
    it('leave the messages to the socket; the poll gets an empty list', async () => {
      const own = await startServer({ wake_connections_after: 0.2 })
      const caller = new Backend(own)
      const connId = await caller.connect('both', ['room'])
      const listener = await Listener.open(own, connId)
      const poll = send(own, `GET /listen?conn_id=${connId}`)
      await caller.say('room', 'one')
      await listener.heard('one')
      expect((await poll).body).toEqual([])
      await own.close()
    })

    it('of which a socket is opened while a poll waits, tell no message twice and lose none', async () => {
      const connId = await backend.connect('changer', ['change'])
      const poll = send(server, `GET /listen?conn_id=${connId}`)
      await until(() => server.app.hub.openConnections >= 2, 'the poll')
      await backend.say('change', 'one')
      const listener = await Listener.open(server, connId)
      await backend.say('change', 'two')
      await listener.heard('two')
      const polled = (await poll).body as { message: { text: string } }[]
      const texts = [...polled.map(({ message }) => message.text), ...listener.texts]
      expect(texts).toEqual(['one', 'two'])
    })
  })

  it('of which many are opened at once with one conn_id end up as one connection', async () => {
    const connId = await backend.connect('twins', ['twin room'])
    const listeners = await Promise.all(
      Array.from({ length: 10 }, () => Listener.open(server, connId)),
    )
    await backend.say('twin room', 'hello')
    await until(() => listeners.some(({ texts }) => texts.length > 0), 'the message')
    await pause(50)
    expect(listeners.flatMap(({ texts }) => texts)).toEqual(['hello'])
    expect((await backend.info()).channels['twin room']?.total_connections).toBe(1)
    // All but the two newest were closed and told not to reconnect.
    const codes = listeners.flatMap(({ ending }) => ending?.code ?? [])
    expect(codes).toEqual(Array.from({ length: 8 }, () => 4509))
  })

  it('live on, once, when the backend connects their id again', async () => {
    const connId = await backend.connect('again', ['first'])
    const listener = await Listener.open(server, connId)
    expect(await backend.connect('again', ['second'], { conn_id: connId })).toBe(connId)
    await backend.say('first', 'one')
    await backend.say('second', 'two')
    await listener.heard('two')
    expect(listener.texts).toEqual(['one', 'two'])
    const { channels } = await backend.info()
    expect(channels['first']?.total_connections).toBe(1)
    expect(channels['second']?.total_connections).toBe(1)
  })

  it('have ids that nobody can guess', async () => {
    const ids = await Promise.all(Array.from({ length: 200 }, (_, i) => backend.connect(`u${i}`)))
    expect(new Set(ids).size).toBe(200)
    for (const id of ids) expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-/)
  })
})
