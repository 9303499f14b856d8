import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend, send, signature, signedHead } from '../helpers/http.ts'
import { refuseCrashes } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import { RawClient, closeClients } from '../helpers/websocket.ts'
import { expectNothingDone, expectRefusal } from './refusal.ts'
import type { TestServer } from '../helpers/server.ts'

/** All routes that read a JSON body, each with a body that is valid except for the error that a test adds. */
const SIGNED = [
  ['POST /connect', { username: 'mallory', channels: ['made by mallory'] }],
  ['POST /subscribe', { conn_id: '$conn', channels: ['made by mallory'] }],
  ['POST /unsubscribe', { conn_id: '$conn', channels: ['room'] }],
  ['POST /user_state', { user: 'alice', user_state: { color: 'red' } }],
  ['POST /channel_config', { 'made by mallory': {} }],
  ['POST /info', { info: {} }],
  ['POST /message', [{ user: 'mallory', channel: 'room', message: {} }]],
  ['PATCH /message', [{ uuid: '00000000-0000-4000-8000-000000000000', channel: 'room' }]],
  ['DELETE /message', [{ uuid: '00000000-0000-4000-8000-000000000000', channel: 'room' }]],
] as const
const EVERY = [...SIGNED, ['POST /disconnect', { conn_id: '$conn' }]] as const

describe('bodies', () => {
  refuseCrashes()
  let server: TestServer
  let backend: Backend
  let connId: string

  beforeAll(async () => {
    server = await startServer({ gc_conns_after: 600 })
    backend = new Backend(server)
    connId = await backend.connect('alice', ['room'], {
      channel_configs: { room: { store_history: true } },
    })
  })
  afterAll(async () => {
    closeClients()
    await server.close()
  })

  const bodyOf = (body: unknown): string => JSON.stringify(body).replaceAll('$conn', connId)
  const refuses = (line: string, body: string | Buffer, status: number, field: string) =>
    expectNothingDone(backend, async () =>
      expectRefusal(await backend.send(line, { body }), status, field),
    )

  describe('that are not JSON are refused with 400, and nothing is done', () => {
    it.each(EVERY)('%s', async (line, good) => {
      const text = bodyOf(good)
      const faulty: readonly (string | Buffer)[] = [
        text.slice(0, -1),
        `${text}x`,
        `${text}${text}`,
        `\uFEFF\uFEFF${text}`,
        `${text}\uFEFF`,
        text.replaceAll('"', "'"),
        text.replace('{', '{,'),
        '{"a": NaN}',
        '{"a": 01}',
        '"\u0000"',
        '\u0000',
        'undefined',
        '<connect/>',
        'a=b&c=d',
        // Truncated character, a byte that is never valid in UTF-8, overlong slash, half a surrogate pair.
        Buffer.concat([Buffer.from(text.slice(0, -2)), Buffer.from([0xc3])]),
        Buffer.from(`{"username": "\xff", "channels": []}`, 'latin1'),
        Buffer.from([0x22, 0xc0, 0xaf, 0x22]),
        Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]),
        Buffer.from(text, 'utf16le'),
        gzipSync(text),
      ]
      for (const body of faulty) await refuses(line, body, 400, 'body')
    })
  })

  describe('of another type than asked for are refused with 422, and nothing is done', () => {
    it.each(EVERY)('%s', async (line) => {
      const values = ['null', 'true', '0', '1e999', '"text"', '""']
      const isList = line.endsWith('/message')
      for (const body of [...values, isList ? '{}' : '[]', isList ? '{"0": {}}' : '[{}]'])
        await refuses(line, body, 422, '_schema')
    })

    it.each([
      ['POST /connect', 'username', [null, 0, true, [], {}, '', 'x'.repeat(513)]],
      ['POST /connect', 'conn_id', [null, 7, [], {}, '', 'nonsense', 'x'.repeat(10_000)]],
      ['POST /connect', 'channels', [null, 'room', {}, [null], [1], [[]], [''], ['x'.repeat(257)]]],
      ['POST /connect', 'state_public_keys', [null, 'color', {}, [null], [{}], ['']]],
      ['POST /connect', 'user_state', [null, [], 'x', { color: {} }, { color: [] }]],
      ['POST /connect', 'fresh_user_state', [null, [], 'x', { color: {} }]],
      ['POST /connect', 'info', [null, [], 'x', { include_history: 'perhaps' }, { channels: 1 }]],
      [
        'POST /connect',
        'channel_configs',
        [null, [], 'x', { room: null }, { room: [] }, { room: { history_size: -1 } }],
      ],
      ['POST /connect', 'unheard_of', [null, 1]],
      ['POST /subscribe', 'channels', [null, 'room', {}, [], [null], ['']]],
      ['POST /unsubscribe', 'channels', [null, 'room', {}, [], [null], ['']]],
      ['POST /user_state', 'user', [null, 7, '', [], 'nobody by this name', 'x'.repeat(513)]],
      ['POST /user_state', 'user_state', [null, [], { a: { b: 1 } }, { a: [1] }]],
      ['POST /info', 'info', [null, [], 'x', { include_users: 'perhaps' }, { channels: [0] }]],
      ['POST /disconnect', 'conn_id', [null, 7, true, [], {}, '', 'nonsense', '\u0000']],
    ] as const)('%s with a wrong %s', async (line, field, values) => {
      const good = EVERY.find(([known]) => known === line)?.[1]
      for (const value of values) {
        const body = bodyOf({ ...good, [field]: value })
        await refuses(line, body, 422, field)
      }
    })

    it.each([
      ['channel', [0, true, {}, [], '', 'x'.repeat(257)]],
      ['pm_users', [null, 'bob', {}, [null], [''], [1], [['bob']]]],
      ['exclude_users', [null, 'bob', {}, [null], ['']]],
      ['uuid', [null, 7, '', 'nonsense', [], {}]],
      ['user', [null, 7, '', [], {}]],
      ['message', [null, 7, 'text', [], true]],
      ['timestamp', [null, 7, '', 'yesterday', '2030-02-30T00:00:00', '9'.repeat(10_000)]],
      ['no_history', ['perhaps', [], {}, 2]],
    ] as const)('POST /message with a wrong %s', async (field, values) => {
      for (const value of values) {
        const good = { user: 'mallory', channel: 'room', message: {} }
        const text = JSON.stringify([good, { ...good, [field]: value }])
        await refuses('POST /message', text, 422, '1')
      }
    })
  })

  describe('that are nested deeper than anybody means', () => {
    const nested = (depth: number, [open, close]: readonly [string, string]): string =>
      open.repeat(depth) + close.repeat(depth)

    it.each(EVERY)('%s is refused with 400, and quickly', async (line) => {
      const began = performance.now()
      for (const body of [
        nested(101, ['[', ']']),
        nested(400_000, ['[', ']']),
        '['.repeat(1_000_000),
        `${nested(150_000, ['{"a":', ''])}1${'}'.repeat(150_000)}`,
        `[{"user":"m","channel":"room","message":${nested(100, ['{"a":', ''])}0${'}'.repeat(100)}}]`,
      ])
        await refuses(line, body, 400, 'body')
      expect(performance.now() - began).toBeLessThan(4_000)
    })

    it('lets brackets within strings be', async () => {
      const text = '[{'.repeat(500)
      expect(
        (await backend.send('POST /message', { json: [{ user: 'a', message: { text } }] })).status,
      ).toBe(200)
    })
  })

  describe('with a key __proto__', () => {
    it.each(EVERY)(
      '%s is refused with 422 that names it, and nothing is done',
      async (line, good) => {
        const text = bodyOf(good)
        const spellings = ['__proto__', '\\u005f_proto__', '__pro\\u0074o__']
        for (const key of spellings) {
          const whole = text.replace('{', `{"${key}": {"polluted": 1},`).replace(',}', '}')
          const field = line.endsWith('/message') ? '0' : '__proto__'
          await refuses(line, whole, 422, field)
        }
        expect({}).not.toHaveProperty('polluted')
      },
    )

    it('is refused wherever it stands', async () => {
      const refused: readonly (readonly [string, string, string])[] = [
        ['POST /connect', '{"username": "m", "user_state": {"__proto__": 1}}', 'user_state'],
        ['POST /connect', '{"username": "m", "info": {"__proto__": {"x": 1}}}', 'info'],
        [
          'POST /connect',
          '{"username": "m", "channel_configs": {"__proto__": {}}}',
          'channel_configs',
        ],
        ['POST /user_state', '{"user": "alice", "user_state": {"__proto__": "x"}}', 'user_state'],
        [
          'POST /message',
          '[{"user": "m", "message": {"a": [{"__proto__": {"polluted": 1}}]}}]',
          '0',
        ],
      ]
      for (const [line, body, field] of refused) await refuses(line, body, 422, field)
      expect({}).not.toHaveProperty('polluted')
    })

    it('passes other names of Object.prototype on as plain keys', async () => {
      const message = {
        constructor: { prototype: { polluted: 1 } },
        toString: 'x',
        hasOwnProperty: 1,
      }
      const [echo] = await backend.call<object[]>('POST /message', [
        { user: 'm', channel: 'elsewhere', message, valueOf: 'y' },
      ])
      expect(echo).toMatchObject({ message, valueOf: 'y' })
      expect({}).not.toHaveProperty('polluted')
    })
  })

  describe('under an odd content type are checked all the same', () => {
    it.each([
      'application/json',
      'application/json\t;x',
      'application/json ; charset=utf-8',
      'application/json garbage',
      'application/json; charset=utf-7',
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/xml',
      'garbage',
      '/',
      ';',
      '',
    ])('%j', async (type) => {
      await expectNothingDone(backend, async () => {
        for (const [line] of SIGNED) {
          const answer = await backend.send(line, {
            body: '{"username": 7, "conn_id": 7, "user": 7, "info": 7}',
            headers: { 'content-type': type },
          })
          expect([415, 422]).toContain(answer.status)
          expectRefusal(answer, answer.status, Object.keys(answer.body as object)[0] ?? '')
        }
      })
    })

    it('with a space before the type or a second header', async () => {
      const body = '{"username": 7}'
      for (const header of [
        { 'Content-Type': ' application/json' },
        { 'Content-Type': 'text/plain\r\nContent-Type: application/json' },
      ]) {
        const client = await RawClient.connect(server)
        const head = signedHead('POST /connect', { ...header, 'Content-Length': body.length })
        client.write(head + body)
        expect([415, 422]).toContain(await client.answered())
      }
    })
  })

  it('that claim to be compressed are not inflated', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000, 0x20))
    for (const encoding of ['gzip', 'deflate', 'br', 'X-GZIP', 'identity, gzip', 'gzip,', 'a b']) {
      const headers = { 'content-encoding': encoding }
      const answer = await backend.send('POST /connect', { body: bomb, headers })
      expectRefusal(answer, 415, 'request')
      expect(answer.headers['x-channelstream-error']).toBe('ENCODED_BODY')
      expect(answer.headers['accept-encoding']).toBe('identity')
    }
  })

  it('that claim to be compressed are refused in a form, and where nobody signed', async () => {
    const headers = { 'content-encoding': 'gzip' }
    const form = await send(server, 'POST /admin/sign_in', { body: 'username=a', headers })
    expect(form.status).toBe(415)
    const own = await send(server, 'POST /disconnect', { json: { conn_id: 'x' }, headers })
    expect(own.status).toBe(415)
  })

  it('that claim to be as they are, are read', async () => {
    for (const encoding of ['identity', 'Identity', '', ' identity , identity']) {
      const headers = { 'content-encoding': encoding }
      const json = { username: 'ann', channels: ['lobby'] }
      expect((await backend.send('POST /connect', { json, headers })).status).toBe(200)
    }
  })

  describe('larger than max_body_bytes', () => {
    it.each(EVERY)('%s is refused with 413 from the head alone', async (line) => {
      const client = await RawClient.connect(server)
      client.write(signedHead(line, { 'Content-Length': 100_000_000 }))
      expect(await client.answered()).toBe(413)
      expect(client.body).toHaveProperty('request')
    })

    it.each(EVERY)('%s is refused with 413 where no length is told', async (line) => {
      const client = await RawClient.connect(server)
      client.write(signedHead(line, { 'Transfer-Encoding': 'chunked' }))
      const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`
      for (let sent = 0; sent < 20; sent++) client.write(chunk)
      expect(await client.answered()).toBe(413)
    })

    it('does not read what strangers send to where a signature is needed', async () => {
      for (const [line] of SIGNED) {
        const client = await RawClient.connect(server)
        client.write(`${line} HTTP/1.1\r\nHost: test\r\nContent-Length: 100000000\r\n\r\n`)
        expect(await client.answered()).toBe(403)
      }
    })

    it('applies to the form of the admin pages and to paths that do not exist', async () => {
      for (const path of ['/admin/sign_in', '/admin/sign_out', '/admin/admin.json', '/nowhere']) {
        const client = await RawClient.connect(server)
        client.write(signedHead(`POST ${path}`, { 'Content-Length': 100_000_000 }))
        expect([404, 413]).toContain(await client.answered())
      }
    })

    it('is exact', async () => {
      const small = await startServer({ max_body_bytes: 200 })
      const sized = (size: number): string =>
        `{"username": "a"${' '.repeat(size - '{"username": "a"}'.length)}}`
      const status = async (size: number) =>
        (await new Backend(small).send('POST /connect', { body: sized(size) })).status
      expect([await status(200), await status(201)]).toEqual([200, 413])
      await small.close()
    })
  })

  it('whose length is told twice and differently are refused, so that no request hides in another', async () => {
    const smuggled = 'POST /disconnect HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n'
    for (const lengths of [
      'Content-Length: 3\r\nTransfer-Encoding: chunked',
      'Content-Length: 3\r\nContent-Length: 4',
      'Transfer-Encoding: chunked, identity',
      'Transfer-Encoding: xchunked',
      'Content-Length: -1',
      'Content-Length: 1e3',
    ]) {
      const client = await RawClient.connect(server)
      client.write(`POST /disconnect HTTP/1.1\r\nHost: x\r\n${lengths}\r\n\r\n0\r\n\r\n${smuggled}`)
      expect(await client.answered(), lengths).toBe(400)
      expect(client.text.match(/HTTP\/1\.1 /g), lengths).toHaveLength(1)
    }
  })

  it('with empty, null and missing fields are answered, never with a 5xx', async () => {
    const fields = ['user', 'channel', 'message', 'pm_users', 'exclude_users', 'uuid', 'timestamp']
    for (const value of ['', null, {}, [], undefined]) {
      for (const field of fields) {
        const good = { user: 'm', channel: 'elsewhere', message: { data: '' } }
        const { status } = await backend.send('POST /message', {
          json: [{ ...good, [field]: value }],
        })
        expect([200, 422], `${field}: ${JSON.stringify(value)}`).toContain(status)
      }
    }
  })

  it('leave the server alive', async () => {
    const headers = signature()
    expect((await send(server, 'POST /info', { headers })).status).toBe(200)
  })
})
