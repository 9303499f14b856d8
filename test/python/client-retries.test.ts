/** When examples/python/channelstream_client.py sends a request again, and when it does not. */
import { beforeAll, describe, expect, it } from 'vitest'
import { headerOf, json, listen, reply, startFake } from '../backend/fakes.ts'
import { INSTALL_TIMEOUT_MS, setup } from '../helpers/debian-packages.ts'
import { PythonClient } from './client-driver.ts'
import type { Misbehaviour } from '../backend/fakes.ts'

beforeAll(setup, INSTALL_TIMEOUT_MS)

const MESSAGE = { user: 'bob', channel: 'lobby', message: { text: 'hello' } }
const OK = { status: 'ok' }

/** Misbehaves for the first `times` requests, then answers correctly. */
const atFirst =
  (times: number, misbehave: Misbehaviour): Misbehaviour =>
  (socket, request, nth) => {
    if (nth <= times) misbehave(socket, request, nth)
    else socket.write(json(OK))
  }

const aClient = (url: string, options: Record<string, unknown> = {}) =>
  PythonClient.start({ url, ...options })

const TRANSIENT: readonly { readonly name: string; readonly misbehave: Misbehaviour }[] = [
  { name: 'a connection that is cut', misbehave: (socket) => socket.destroy() },
  { name: 'a connection that is reset', misbehave: (socket) => socket.resetAndDestroy() },
  { name: 'a connection that is closed without an answer', misbehave: (socket) => socket.end() },
  {
    name: 'an answer that breaks off',
    misbehave: (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"sta'),
  },
  {
    name: 'a chunked answer that breaks off',
    misbehave: (socket) =>
      socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"sta\r\n'),
  },
  {
    name: 'an answer without length that breaks off',
    misbehave: (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n{"status": "o'),
  },
  {
    name: 'a head that breaks off',
    misbehave: (socket) => socket.end('HTTP/1.1 422 No\r\ncontent-le'),
  },
  { name: 'a first line that breaks off', misbehave: (socket) => socket.end('HTTP/1.1 4') },
  ...['429 Too Many Requests', '502 Bad Gateway', '503 Unavailable', '504 Timeout'].map(
    (status): (typeof TRANSIENT)[number] => ({
      name: `an answer of ${status}`,
      misbehave: (socket) => socket.write(reply(status, {}, '<h1>no</h1>')),
    }),
  ),
]

describe('a call of the client in Python is repeated', () => {
  it.each(TRANSIENT)('after $name', async ({ misbehave }) => {
    const fake = await startFake(atFirst(2, misbehave))
    const client = await aClient(fake.url)
    expect(await client.call('health')).toEqual(OK)
    expect(fake.requests.length).toBe(3)
  })

  it('after no answer within the time for one attempt, also if it comes in drops', async () => {
    const drip: Misbehaviour = (socket, _request, nth) => {
      socket.write(nth === 1 ? 'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n' : 'HTTP/1.1 200 ')
      const timer = setInterval(() => socket.write('x'), 10)
      socket.on('close', () => clearInterval(timer))
    }
    const fake = await startFake(atFirst(3, (...given) => void (given[2] < 3 && drip(...given))))
    const client = await aClient(fake.url, { timeout: 0.2 })
    const startedAt = performance.now()
    expect(await client.call('health')).toEqual(OK)
    expect(performance.now() - startedAt).toBeGreaterThan(550)
    expect(fake.requests.length).toBe(4)
  })

  it('with the same body and key, and under another key by the next call', async () => {
    const fake = await startFake((socket, _request, nth) => {
      if (nth === 1) socket.destroy()
      else socket.write(json([{ uuid: 'a' }]))
    })
    const client = await aClient(fake.url)
    await client.call('message', [MESSAGE])
    await client.call('message', [MESSAGE])
    const keys = fake.requests.map((request) => headerOf(request, 'idempotency-key'))
    expect(keys[0]).toMatch(/^"[0-9a-f-]{36}"$/)
    expect(keys[1]).toBe(keys[0])
    expect(keys[2]).not.toBe(keys[0])
    const bodies = fake.requests.map((request) => request.split('\r\n\r\n')[1] ?? '')
    expect(JSON.parse(bodies[0] ?? '')).toMatchObject([MESSAGE])
    expect(bodies[1]).toBe(bodies[0])
    expect(bodies[2]).not.toBe(bodies[0])
  })

  it.each([
    { form: 'seconds', retryAfter: () => '1' },
    { form: 'a date', retryAfter: () => new Date(Date.now() + 2_000).toUTCString() },
  ])('no earlier than Retry-After says in $form', async ({ retryAfter }) => {
    const fake = await startFake(
      atFirst(1, (socket) => socket.write(reply('503 No', { 'retry-after': retryAfter() }, ''))),
    )
    const client = await aClient(fake.url)
    const startedAt = performance.now()
    expect(await client.call('health')).toEqual(OK)
    expect(performance.now() - startedAt).toBeGreaterThan(900)
  })
})

describe('a call of the client in Python is given up', () => {
  it.each(['soon', '-1', '1e3', 'Mon, 99999999999999999999 Jan 2026 00:00:00 GMT', ''])(
    'after `retries`, if Retry-After is %j',
    async (retryAfter) => {
      const headers = { 'retry-after': retryAfter }
      const fake = await startFake((socket) => socket.write(reply('503 No', headers, '')))
      const client = await aClient(fake.url, { retries: 1 })
      expect(await client.error('health')).toMatchObject({ retry_after: 0, attempts: 2 })
    },
  )

  it('at once, if Retry-After lies behind the deadline', async () => {
    const fake = await startFake((socket) =>
      socket.write(reply('503 No', { 'retry-after': '9999' }, '')),
    )
    const error = await (await aClient(fake.url)).error('health')
    expect(error).toMatchObject({ kind: 'Unavailable', status: 503, retry_after: 9999 })
    expect(fake.requests.length).toBe(1)
  })

  it('with the last failure, when the deadline is over', async () => {
    const fake = await startFake((socket) => socket.destroy())
    const client = await aClient(fake.url, { deadline: 0.5, retries: 1_000_000 })
    const startedAt = performance.now()
    const error = await client.error('message', [MESSAGE])
    expect(performance.now() - startedAt).toBeLessThan(2_500)
    expect(error).toMatchObject({ kind: 'Unavailable', code: 'UNREACHABLE', status: null })
    expect(error.attempts).toBe(fake.requests.length)
    expect(fake.requests.length).toBeGreaterThan(1)
  })

  it('when the deadline is over within an attempt', async () => {
    const fake = await startFake(() => {})
    const client = await aClient(fake.url, { deadline: 0.3 })
    expect(await client.error('info')).toMatchObject({ code: 'TIMEOUT', attempts: 1 })
  })

  it('after `retries`', async () => {
    const fake = await startFake((socket) => socket.destroy())
    const twice = await aClient(fake.url, { retries: 2 })
    expect(await twice.error('info')).toMatchObject({ kind: 'Unavailable', attempts: 3 })
    const never = await aClient(fake.url, { retries: 0 })
    expect(await never.error('message', [MESSAGE])).toMatchObject({ attempts: 1 })
    expect(fake.requests.length).toBe(4)
  })

  it.each(['400', '401', '403', '404', '409', '413', '422', '500', '501'])(
    'at once after %s',
    async (status) => {
      const fake = await startFake((socket) => socket.write(reply(`${status} No`, {}, '{}')))
      const client = await aClient(fake.url)
      expect(await client.error('message', [MESSAGE])).toMatchObject({
        ...{ status: Number(status), attempts: 1, code: 'HTTP_ERROR' },
      })
      expect(fake.requests.length).toBe(1)
    },
  )

  it('if nobody listens there, with the reason', async () => {
    const { port } = await listen(() => {})
    const client = await aClient(`http://127.0.0.1:${port === 1 ? 2 : 1}`, { retries: 1 })
    const error = await client.error('info')
    expect(error).toMatchObject({ kind: 'Unavailable', code: 'UNREACHABLE', attempts: 2 })
    expect(error.message).toContain('refused')
  })
})
