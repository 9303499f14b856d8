import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Admin } from '../helpers/admin.ts'
import { Backend, send, signedHead, until } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { PROBED, TurnProbe } from '../helpers/turn-probe.ts'
import { OPCODE, RawClient, clientFrame, closeClients, handshake } from '../helpers/websocket.ts'
import { signToken } from '../philote/client.ts'

/** Few bytes that take much processing: as many as may arrive in one turn of the event loop. */
const BYTES = 2_000_000
const SECRET = 'secret'

const filled = (piece: Buffer | string, length = BYTES): Buffer => {
  const bytes = Buffer.from(piece as string, 'latin1')
  return Buffer.concat(Array.from({ length: Math.floor(length / bytes.length) }, () => bytes))
}
const ask = (line: string): string => `${line} HTTP/1.1\r\nHost:\r\n\r\n`
const inChunks = (line: string): string =>
  ask(line).replace('\r\n\r\n', '\r\nTransfer-Encoding: chunked\r\n\r\n')
/** About ten thousand requests, which take half a second. The last one closes the connection. */
const requests = (line: string, length = 300_000): readonly [Buffer, false] => {
  const last = ask(line).replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')
  return [Buffer.concat([filled(ask(line), length), Buffer.from(last)]), false]
}
const BODY = filled('1\r\nx\r\n')

describe('what comes in small pieces does not hold the event loop', { timeout: 180_000 }, () => {
  let server: ServerProcess
  let probe: TurnProbe
  let philotePort: number

  async function start(settings: Record<string, string | number>): Promise<void> {
    philotePort = await freePort()
    server = await ServerProcess.start({
      ...PROBED,
      settings: { ...settings, philote_port: philotePort, philote_secret: SECRET },
    })
    probe = new TurnProbe(server)
  }
  afterEach(closeClients)

  /** Sends `bytes` as fast as the server reads them, ends the stream, and waits for the close. */
  async function pour(client: RawClient, bytes: Buffer, saysEnd = true): Promise<void> {
    client.write(bytes)
    await until(() => client.unsent === 0 || client.isOver, 'the server to take all', 60_000)
    if (saysEnd) client.end()
    await until(() => client.isOver, 'the end', 60_000)
  }

  async function expectShort(
    what: string,
    open: () => Promise<RawClient>,
    [bytes, saysEnd]: readonly [Buffer, boolean?],
  ): Promise<void> {
    await probe.expectShortTurns(what, async () => {
      const client = await open()
      await pour(client, bytes, saysEnd)
      client.destroy()
    })
    expect((await send(server, 'GET /health')).status).toBe(200)
  }

  const dial = async (text: string, port = server.port): Promise<RawClient> => {
    const client = await RawClient.connect({ host: server.host, port })
    client.write(text)
    return client
  }

  describe('of requests', () => {
    beforeAll(() => start({ wake_connections_after: 0.05 }))
    afterAll(killProcesses)

    it.each(['POST /disconnect', 'POST /admin/sign_in', 'POST /nowhere', 'POST /message', 'GET /'])(
      'in a body for %s',
      (line) => expectShort(line, () => dial(inChunks(line)), [BODY]),
    )
    it('in a body that is signed', () =>
      expectShort(
        'a signed body',
        () => dial(signedHead('POST /message', { 'Transfer-Encoding': 'chunked' })),
        [BODY],
      ))
    it("in a body at Philote's port", () =>
      expectShort('a body', () => dial(inChunks('POST /'), philotePort), [BODY]))

    it.each([
      'GET /health',
      'GET /nowhere',
      'GET /message',
      'GET /ws',
      'GET /admin/sign_in',
      'GET /disconnect',
    ])('%s, one behind the other', (line) => expectShort(line, () => dial(''), requests(line)))
    it("at Philote's port, one behind the other", () =>
      expectShort('requests', () => dial('', philotePort), requests('GET /')))

    it('for the events of one connection, one behind the other', async () => {
      const connId = await new Backend(server).connect('ann', ['room'])
      const polls = requests(`GET /listen?conn_id=${connId}`, 200_000)
      const before = await server.residentBytes()
      await expectShort('polls', () => dial(''), polls)
      expect((await server.residentBytes()) - before).toBeLessThan(50_000_000)
    })

    it('of many sockets at once', async () => {
      const [text] = requests('GET /nowhere', 10_000)
      await probe.expectShortTurns('requests of many sockets', async () => {
        const clients = await Promise.all(Array.from({ length: 40 }, () => dial('')))
        await Promise.all(clients.map((client) => pour(client, text, false)))
        closeClients()
      })
    })
  })

  const EMPTY = clientFrame({ opcode: OPCODE.text })
  const frames: readonly (readonly [string, Buffer])[] = [
    ['empty messages', filled(EMPTY)],
    ['messages', filled(clientFrame({ opcode: OPCODE.text, payload: '{}' }))],
    ['pings', filled(clientFrame({ opcode: OPCODE.ping }))],
    ['pongs', filled(clientFrame({ opcode: OPCODE.pong }))],
    [
      'parts of a message that does not end',
      Buffer.concat([
        clientFrame({ opcode: OPCODE.text, payload: 'x', fin: false }),
        filled(clientFrame({ opcode: OPCODE.continuation, fin: false })),
      ]),
    ],
    [
      'a close, and frames behind it',
      Buffer.concat([clientFrame({ opcode: OPCODE.close }), filled(EMPTY)]),
    ],
  ]

  describe.each([
    ['as many as a client may send', {}],
    ['without a limit', { max_client_messages_per_second: 0, philote_max_messages_per_second: 0 }],
  ])('of frames, %s:', (_limit, settings) => {
    beforeAll(() => start(settings))
    afterAll(killProcesses)

    it.each(frames)('%s', async (what, bytes) => {
      const connId = await new Backend(server).connect('ann', ['room'])
      await expectShort(what, () => RawClient.openWebSocket(server, connId), [bytes])
    })

    it.each(frames)("%s at Philote's port", async (what, bytes) => {
      const token = signToken({ claims: { read: ['a'], write: ['a'] } }, SECRET)
      const open = async (): Promise<RawClient> => {
        const client = await dial(handshake(`/?auth=${token}`), philotePort)
        expect(await client.answered()).toBe(101)
        return client
      }
      await expectShort(what, open, [bytes])
    })

    it.each(frames)('%s of an admin panel', async (what, bytes) => {
      const { cookie } = await Admin.signIn(server)
      const headers = { cookie, Host: 'test', origin: 'http://test' }
      const open = async (): Promise<RawClient> => {
        const client = await dial(handshake('/admin/live', headers))
        expect(await client.answered()).toBe(101)
        return client
      }
      await expectShort(what, open, [bytes])
    })
  })
})
