import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend, until } from '../helpers/http.ts'
import { refuseCrashes } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, RawClient, clientFrame, closeClients } from '../helpers/websocket.ts'
import type { Answer } from '../helpers/http.ts'
import type { TestServer } from '../helpers/server.ts'

const LINES = [
  'POST /connect',
  'POST /subscribe',
  'POST /unsubscribe',
  'POST /user_state',
  'POST /channel_config',
  'POST /info',
  'POST /message',
  'PATCH /message',
  'DELETE /message',
  'POST /disconnect',
  'POST /admin/admin.json',
] as const

const ID = '00000000-0000-4000-8000-000000000001'

describe('whatever is sent', { timeout: 90_000 }, () => {
  refuseCrashes()
  let server: TestServer
  let backend: Backend
  let witness: Listener

  beforeAll(async () => {
    server = await startServer({ gc_conns_after: 600, wake_connections_after: 0.01 })
    backend = new Backend(server)
    await backend.connect('alice', ['room'], { conn_id: ID })
    witness = await Listener.open(server, await backend.connect('witness', ['witnessed']))
  })
  afterAll(async () => {
    await backend.say('witnessed', 'the end')
    await witness.heard('the end')
    closeClients()
    await server.close()
  })

  function expectSane({ status, text, body }: Answer): void {
    expect(status, text).toBeLessThan(500)
    expect(body, `${status} ${text}`).not.toBeUndefined()
  }

  /** Fields with names that the server knows. About half of their values are valid. */
  const name = fc.oneof(fc.constantFrom('room', 'alice', ''), fc.string({ unit: 'binary' }))
  const leaf = fc.oneof(
    name,
    fc.jsonValue({ maxDepth: 1 }),
    fc.constantFrom(ID, null, true, 0, -1, 1e99),
  )
  const value = fc.oneof(
    leaf,
    fc.array(leaf, { maxLength: 4 }),
    fc.dictionary(name, leaf, { maxKeys: 4 }),
    fc.dictionary(name, fc.dictionary(name, leaf, { maxKeys: 3 }), { maxKeys: 3 }),
  )
  const field = fc.constantFrom(
    ...['username', 'user', 'conn_id', 'channels', 'channel', 'channel_configs', 'info', 'message'],
    ...['user_state', 'fresh_user_state', 'state_public_keys', 'pm_users', 'exclude_users', 'uuid'],
    ...['timestamp', 'edited', 'no_history', 'type', 'id', 'catchup', 'constructor', 'toString'],
  )
  const request = fc.dictionary(field, value, { maxKeys: 6 })
  const plausible = fc.oneof(
    request.map((fields) => ({ username: 'alice', conn_id: ID, user: 'alice', ...fields })),
    fc.array(request.map((fields) => ({ user: 'alice', uuid: ID, channel: 'room', ...fields }))),
    request,
  )

  it.each(LINES)('%s answers any JSON with JSON, and never with a 5xx', async (line) => {
    const json = fc.oneof(
      fc.json({ maxDepth: 4 }),
      plausible.map((body) => JSON.stringify(body)),
    )
    await fc.assert(
      fc.asyncProperty(json, async (body) => expectSane(await backend.send(line, { body }))),
      { numRuns: 80 },
    )
  })

  it.each(LINES)('%s answers any bytes with JSON, and never with a 5xx', async (line) => {
    const bytes = fc.uint8Array({ maxLength: 300 }).map((body) => Buffer.from(body))
    await fc.assert(
      fc.asyncProperty(bytes, fc.string({ unit: 'grapheme-ascii' }), async (body, type) => {
        const headers = { 'content-type': type }
        expectSane(await backend.send(line, { body, headers }))
      }),
      { numRuns: 30 },
    )
  })

  it('queries are answered, never with a 5xx', async () => {
    const parameter = fc.tuple(
      fc.constantFrom('conn_id', 'cursor', 'callback', 'secret', '__proto__', 'a[]'),
      fc.oneof(
        fc.string({ unit: 'binary' }).map((text) => encodeURIComponent(text)),
        fc.stringMatching(/^[%&=+[\]a-f0-9.;-]{0,30}$/),
        fc.constantFrom(ID, 'x-1', ''),
      ),
    )
    const queries = fc.array(parameter, { maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(
        queries,
        fc.constantFrom('listen', 'disconnect', 'ws'),
        async (all, path) => {
          const query = all.map(([key, text]) => `${key}=${text}`).join('&')
          const { status } = await backend.send(`GET /${path}?${query}`)
          expect(status).toBeLessThan(500)
        },
      ),
      { numRuns: 200 },
    )
  })

  it('bytes on a WebSocket end it, or do not; the server and the others go on', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }),
        async (parts) => {
          const client = await RawClient.openWebSocket(server, await backend.connect('noise'))
          for (const part of parts) client.write(Buffer.from(part))
          client.end()
          await until(() => client.isOver, 'the end')
        },
      ),
      { numRuns: 100 },
    )
  })

  it('frames on a WebSocket that are well formed or nearly, likewise', async () => {
    const frame = fc.record({
      opcode: fc.oneof(fc.constantFrom(0, 1, 2, 8, 9, 10), fc.nat(15)),
      payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fin: fc.boolean(),
      reserved: fc.constantFrom(0, 0, 0, 0x40, 0x20, 0x10),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { maxLength: 8 }), async (frames) => {
        const client = await RawClient.openWebSocket(server, await backend.connect('noise'))
        for (const parts of frames) client.write(clientFrame(parts))
        client.end()
        await until(() => client.isOver, 'the end')
      }),
      { numRuns: 100 },
    )
  })

  it('bytes instead of HTTP are a 4xx or the end of the connection', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
        const client = await RawClient.connect(server)
        client.write(Buffer.concat([Buffer.from(bytes), Buffer.from('\r\n\r\n')]))
        client.end()
        await until(() => client.isOver, 'the end')
        expect(client.status).toBeLessThan(500)
      }),
      { numRuns: 100 },
    )
  })
})
