import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Channelstream } from '../../src/backend/index.ts'
import { ERRORS } from '../../src/protocol/errors.ts'
import { refuseCrashes } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import { SECRET, aClient, errorOf, headerOf, json, listen, reply, startFake } from './fakes.ts'
import type { ErrorCode } from '../../src/protocol/errors.ts'

refuseCrashes()

const MESSAGE = { user: 'bob', channel: 'lobby', message: { text: 'hello' } }

/** Returns everything that a log could show of a value. */
const shown = (value: unknown): string =>
  [
    inspect(value, { depth: Infinity, showHidden: true, getters: true }),
    JSON.stringify(value),
    value instanceof Error ? `${value.message} ${value.stack}` : '',
  ].join('\n')

describe('an error that the server answers', () => {
  it('tells its code, its status and what is wrong, by field', async () => {
    const server = await startServer()
    onTestFinished(() => server.close())
    const call = aClient(server.url).message([MESSAGE, { ...MESSAGE, user: '' }])
    const error = await errorOf(call)
    expect(error).toMatchObject({
      name: 'ChannelstreamError',
      code: 'INVALID',
      status: 422,
      complaints: { '1': { user: ['Length must be between 1 and 512.'] } },
      retryable: false,
      attempts: 1,
    })
    expect(error.message).toBe(
      'POST /message was answered 422, INVALID: Some fields are invalid. ' +
        '{"1":{"user":["Length must be between 1 and 512."]}}',
    )
  })

  it('because of a limit on a user is not repeated: the user is told at once', async () => {
    const server = await startServer({
      max_connections_per_user: 1,
      max_channels_per_user: 1,
      message_rate_per_user: 0.01,
      message_burst_per_user: 1,
    })
    onTestFinished(() => server.close())
    const client = aClient(server.url)
    const { conn_id } = await client.connect({ username: 'ann', channels: ['lobby'] })
    await client.message({ ...MESSAGE, user: 'ann' })
    const common = { status: 429, attempts: 1, retryable: true }
    expect(await errorOf(client.connect({ username: 'ann' }))).toMatchObject({
      ...common,
      code: 'TOO_MANY_CONNECTIONS',
      complaints: { username: ['A user may have 1 connection.'] },
      retryAfterMs: 15_000,
    })
    expect(await errorOf(client.subscribe({ conn_id, channels: ['other'] }))).toMatchObject({
      ...common,
      code: 'TOO_MANY_CHANNELS',
      complaints: { channels: ['A user may be in 1 channel.'] },
    })
    const refused = await errorOf(client.message({ ...MESSAGE, user: 'ann' }))
    expect(refused).toMatchObject({ ...common, code: 'TOO_MANY_MESSAGES' })
    expect(refused.complaints).toHaveProperty('0.user')
    expect(refused.retryAfterMs).toBeGreaterThan(90_000)
  })

  it('is cut in the message, but not in the complaints', async () => {
    const server = await startServer()
    onTestFinished(() => server.close())
    const messages = Array.from({ length: 90 }, () => ({ ...MESSAGE, user: '' }))
    const error = await errorOf(aClient(server.url).message(messages))
    expect(Object.keys(error.complaints ?? {}).length).toBe(90)
    expect(error.message.length).toBeLessThan(700)
  })

  it.each(Object.keys(ERRORS) as ErrorCode[])('is read by its name: %s', async (code) => {
    const { status, retry, text } = ERRORS[code]
    const body = JSON.stringify({ request: text })
    const fake = await startFake((socket) =>
      socket.write(reply(`${status} X`, { 'x-channelstream-error': code }, body)),
    )
    const error = await errorOf(aClient(fake.url, { maxAttempts: 1 }).info())
    expect(error).toMatchObject({ code, status, retryable: retry, complaints: undefined })
    expect(error.message).toContain(`POST /info was answered ${status}, ${code}: ${text}`)
  })

  it.each(['NO_SUCH_ERROR', '__proto__', 'constructor', ''])(
    'has no code if its name is unknown: %j',
    async (name) => {
      const fake = await startFake((socket) =>
        socket.write(reply('418 X', { 'x-channelstream-error': name }, '{"a":["b"]}')),
      )
      const error = await errorOf(aClient(fake.url).info())
      expect(error).toMatchObject({ code: 'HTTP_ERROR', status: 418, complaints: undefined })
    },
  )

  it('of a proxy is told by its status and media type, and shows nothing of its page', async () => {
    const page = '<h1>nginx</h1>'
    const fake = await startFake((socket) =>
      socket.write(reply('502 Bad Gateway', { 'content-type': 'text/html; x=y' }, page)),
    )
    const error = await errorOf(aClient(fake.url, { maxAttempts: 2 }).info())
    expect(error).toMatchObject({ code: 'HTTP_ERROR', status: 502, retryable: true, attempts: 2 })
    expect(error.message).toBe('POST /info was answered 502, with text/html')
  })

  it('names complaints only where they are some', async () => {
    const bodies = ['', '[]', '"a"', 'null', '{"a":1}', '{"a":[1]}', '{"a":"b"}', '{'.repeat(5000)]
    const deep = '{"a":'.repeat(1_000) + '["b"]' + '}'.repeat(1_000)
    for (const body of [...bodies, deep]) {
      const fake = await startFake((socket) =>
        socket.write(reply('422 X', { 'x-channelstream-error': 'INVALID' }, body)),
      )
      const error = await errorOf(aClient(fake.url).info())
      expect(error).toMatchObject({ code: 'INVALID', complaints: undefined })
    }
  })
})

describe('a signature that is refused', () => {
  it('says that the secret is another one, where the clocks agree', async () => {
    const server = await startServer({ secret: 'another' })
    onTestFinished(() => server.close())
    const error = await errorOf(aClient(server.url).info())
    expect(error).toMatchObject({ code: 'BAD_SIGNATURE', status: 401, attempts: 1 })
    expect(error.message).toContain('so the secret differs from that of the server')
  })

  it.each([
    { seconds: 3600, told: '3600 seconds ahead of' },
    { seconds: -90, told: '90 seconds behind' },
  ])('says how far the clocks differ: $told', async ({ seconds, told }) => {
    const fake = await startFake((socket) => {
      const date = new Date(Math.round(Date.now() / 1000) * 1000 + seconds * 1000).toUTCString()
      const headers = { date, 'x-channelstream-error': 'BAD_SIGNATURE' }
      socket.write(reply('401 X', headers, '{"request":"Bad Signature"}'))
    })
    const { message } = await errorOf(aClient(fake.url).info())
    const off = [seconds - 1, seconds, seconds + 1].map((s) =>
      told.replace(/\d+/, String(Math.abs(s))),
    )
    expect(off.some((text) => message.includes(`The clock of the server is ${text}`))).toBe(true)
  })

  it('leaves both open where the answer has no date', async () => {
    const fake = await startFake((socket) =>
      socket.write(reply('401 X', { 'x-channelstream-error': 'BAD_SIGNATURE' }, '{}')),
    )
    const { message } = await errorOf(aClient(fake.url).info())
    expect(message).toContain('or the clocks differ')
  })
})

describe('an answer that is none of a Channelstream server', () => {
  const html = { 'content-type': 'text/html' }
  it.each([
    { name: 'a page with 200', bytes: reply('200 OK', html, '<html>login</html>'), status: 200 },
    { name: 'nothing', bytes: reply('204 None', {}, ''), status: 204 },
    { name: 'an empty body', bytes: reply('200 OK', {}, ''), status: 200 },
    { name: 'other JSON', bytes: json({ error: 'no' }), status: 200 },
    { name: 'null', bytes: json(null), status: 200 },
    { name: 'a redirect', bytes: reply('302 X', { location: '/elsewhere' }, ''), status: 302 },
    { name: 'no HTTP', bytes: 'SSH-2.0-OpenSSH\r\n', status: undefined },
    { name: 'bytes', bytes: '\0\0\x01\x02', status: undefined },
    { name: 'a huge head', bytes: `HTTP/1.1 200 OK\r\nx: ${'x'.repeat(1e5)}`, status: undefined },
  ])('is told as such, and not asked for again: $name', async ({ bytes, status }) => {
    const fake = await startFake((socket) => socket.write(bytes))
    const error = await errorOf(aClient(fake.url, { timeoutMs: 2_000 }).info())
    expect(error).toMatchObject({ code: 'BAD_ANSWER', status, retryable: false, attempts: 1 })
    expect(error.message).toMatch(/^POST \/info: The answer is not from a Channelstream server/)
  })

  it('is not read beyond maxAnswerBytes', async () => {
    let sent = 0
    const fake = await startFake((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')
      const part = `10000\r\n${' '.repeat(0x10000)}\r\n`
      const pour = (): void => {
        while (!socket.destroyed && socket.write(part)) sent += 0x10000
        if (!socket.destroyed) socket.once('drain', pour)
      }
      pour()
    })
    const error = await errorOf(aClient(fake.url, { maxAnswerBytes: 1024 ** 2 }).info())
    expect(error).toMatchObject({ code: 'BAD_ANSWER', attempts: 1 })
    expect(error.message).toContain('larger than 1048576 bytes')
    expect(sent).toBeLessThan(64 * 1024 ** 2)
  })

  it('may tell more than this library knows', async () => {
    const fake = await startFake((socket) => socket.write(json({ status: 'ok', load: 1 })))
    expect(await aClient(fake.url).health()).toMatchObject({ status: 'ok' })
    const settings = { store_frames: true, color: 'red' }
    const channel = { uuid: '7f0c9b52-4a8e-4f0e-8a0e-6d2f0f6c1f11', name: 'a', long_name: null }
    const counts = { history: [], last_active: '', total_connections: 0, total_users: 0, users: [] }
    const info = { channels: { a: { ...channel, ...counts, settings } }, users: [] }
    const newer = await startFake((socket) => socket.write(json(info)))
    expect(await aClient(newer.url).info()).toMatchObject(info)
  })

  it('never leads to anything but a ChannelstreamError', async () => {
    let bytes = ''
    const fake = await startFake((socket) => socket.end(bytes))
    const client = aClient(fake.url, { maxAttempts: 1, timeoutMs: 2_000 })
    const body = fc.oneof(fc.string(), fc.json(), fc.constantFrom('{"status":', '[[[['))
    const status = fc.oneof(fc.integer({ min: 200, max: 599 }), fc.constantFrom(0, 99, 1000))
    const header = fc.constantFrom(...Object.keys(ERRORS), 'x', '__proto__')
    const whole = fc
      .tuple(status, header, body)
      .map(([code, error, text]) => reply(`${code} X`, { 'x-channelstream-error': error }, text))
    await fc.assert(
      fc.asyncProperty(fc.oneof(whole, fc.string()), async (answer) => {
        bytes = answer
        await errorOf(client.admin())
      }),
      { numRuns: 150 },
    )
  })
})

describe('the secret and the signature', () => {
  const secret = 'a-secret-that-nobody-shall-see'

  it('are seen neither in the client nor in what can be reached from it', () => {
    expect(shown(aClient('http://127.0.0.1:1', { secret }))).not.toContain(secret)
  })

  it('are in no error, also if the server mirrors what it was sent', async () => {
    const echo = await startFake((socket, request) => socket.write(request))
    const field = await startFake((socket, request) =>
      socket.write(json({ [headerOf(request, 'x-channelstream-secret') ?? '']: request })),
    )
    const refusing = await startFake((socket, request) => {
      const signed = headerOf(request, 'x-channelstream-secret') ?? ''
      const headers = { 'x-channelstream-error': 'INVALID', 'content-type': `text/${signed}` }
      socket.write(reply('422 X', headers, JSON.stringify({ [signed]: [signed, request] })))
    })
    const page = await startFake((socket, request) => {
      const signed = headerOf(request, 'x-channelstream-secret') ?? ''
      const type = `text/${signed.split('.').at(-1)}`
      socket.write(reply('200 OK', { 'content-type': type }, request))
    })
    const broken = await startFake((socket, request) => {
      const signed = headerOf(request, 'x-channelstream-secret') ?? ''
      socket.write(reply('500 X', { 'content-type': `text/${signed.split('.').at(-1)}` }, request))
    })
    const cut = await startFake((socket) => socket.destroy())
    for (const fake of [echo, field, refusing, page, broken, cut]) {
      const error = await errorOf(aClient(fake.url, { secret, maxAttempts: 1 }).info())
      const signed = headerOf(fake.requests[0] ?? '', 'x-channelstream-secret') ?? ''
      const digest = signed.split('.').at(-1) ?? ''
      expect(digest.length).toBe(27)
      for (const hidden of [secret, digest]) expect(shown(error)).not.toContain(hidden)
      expect(shown(error)).not.toContain(Buffer.from(digest).toString('hex').slice(0, 20))
    }
  })
})

describe('options', () => {
  const good = { url: 'http://127.0.0.1:8000', secret: SECRET }
  it.each([
    { url: 'ftp://127.0.0.1' },
    { url: '127.0.0.1:8000' },
    { url: '' },
    { url: 'http://user:password@127.0.0.1' },
    { url: 'http://127.0.0.1/?secret=x' },
    { secret: '' },
    { secret: undefined as unknown as string },
    { deadlineMs: 0 },
    { timeoutMs: NaN },
    { timeoutMs: 2 ** 31 },
    { maxAttempts: 0 },
    { maxSockets: 1.5 },
  ])('that cannot be are refused at once: %j', (wrong) => {
    const make = (): Channelstream => new Channelstream({ ...good, ...wrong })
    expect(make).toThrow(/^(url|secret|deadlineMs|timeoutMs|maxAttempts|maxSockets) must be/)
    expect(make).not.toThrow(/password/)
  })

  it('open nothing', async () => {
    let connections = 0
    const { port } = await listen(() => connections++)
    for (let n = 0; n < 100; n++) new Channelstream({ ...good, url: `http://127.0.0.1:${port}` })
    const fake = await startFake((socket) => socket.write(json({ status: 'ok' })))
    await aClient(fake.url).health()
    expect(connections).toBe(0)
  })
})

describe('arguments', () => {
  it('that are no JSON are refused before anything is sent', async () => {
    const fake = await startFake(() => {})
    const call = aClient(fake.url).message({ ...MESSAGE, message: { n: 1n } })
    await expect(call).rejects.toThrow(TypeError)
    const nothing = aClient(fake.url).message(undefined as unknown as [])
    await expect(nothing).rejects.toThrow(TypeError)
    expect(fake.connections).toBe(0)
  })
})
