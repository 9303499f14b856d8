import { describe, expect, it, onTestFinished } from 'vitest'
import { until } from '../helpers/http.ts'
import { startServer } from '../helpers/server.ts'
import { Listener } from '../helpers/websocket.ts'
import { aClient, errorOf, headerOf, json, reply, startFake } from './fakes.ts'
import type { Misbehaviour } from './fakes.ts'

const MESSAGE = { user: 'bob', channel: 'lobby', message: { text: 'hello' } }
const OK = { status: 'ok' }

/** Misbehaves for the first `times` requests, then answers correctly. */
const atFirst =
  (times: number, misbehave: Misbehaviour): Misbehaviour =>
  (socket, request, nth) => {
    if (nth <= times) misbehave(socket, request, nth)
    else socket.write(json(OK))
  }

const TRANSIENT: readonly { readonly name: string; readonly misbehave: Misbehaviour }[] = [
  { name: 'a connection that is cut', misbehave: (socket) => socket.destroy() },
  { name: 'a connection that is reset', misbehave: (socket) => socket.resetAndDestroy() },
  { name: 'a connection that is closed without an answer', misbehave: (socket) => socket.end() },
  {
    name: 'an answer that breaks off',
    misbehave: (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"sta'),
  },
  {
    name: 'a head that breaks off',
    misbehave: (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-le'),
  },
  ...['429 Too Many Requests', '502 Bad Gateway', '503 Unavailable', '504 Timeout'].map(
    (status): (typeof TRANSIENT)[number] => ({
      name: `an answer of ${status}`,
      misbehave: (socket) => socket.write(reply(status, {}, '<h1>no</h1>')),
    }),
  ),
]

describe('a call is repeated', () => {
  it.each(TRANSIENT)('after $name', async ({ misbehave }) => {
    const fake = await startFake(atFirst(2, misbehave))
    expect(await aClient(fake.url).health()).toEqual(OK)
    expect(fake.requests.length).toBe(3)
  })

  it('after no answer within the time for one attempt', async () => {
    const fake = await startFake(atFirst(2, () => {}))
    expect(await aClient(fake.url, { timeoutMs: 100 }).health()).toEqual(OK)
  })

  it('after an answer that comes in drops', async () => {
    const drip: Misbehaviour = (socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n')
      const timer = setInterval(() => socket.write(' '), 10)
      socket.on('close', () => clearInterval(timer))
    }
    const fake = await startFake(atFirst(1, drip))
    expect(await aClient(fake.url, { timeoutMs: 150 }).health()).toEqual(OK)
  })

  it('with the same body and key, and under another key by the next call', async () => {
    const fake = await startFake((socket, _request, nth) => {
      if (nth === 1) socket.destroy()
      else socket.write(json([]))
    })
    const client = aClient(fake.url)
    await client.message(MESSAGE)
    await client.message(MESSAGE)
    const [first = '', second = '', third = ''] = fake.requests
    const keys = [first, second, third].map((request) => headerOf(request, 'idempotency-key'))
    expect(keys[0]).toMatch(/^"[0-9a-f-]{36}"$/)
    expect(keys[1]).toBe(keys[0])
    expect(keys[2]).not.toBe(keys[0])
    const bodyOf = (request: string) =>
      JSON.parse(request.split('\r\n\r\n')[1] ?? '') as { uuid: string }[]
    expect(bodyOf(first)).toMatchObject([MESSAGE])
    expect(bodyOf(first)[0]?.uuid).toMatch(/^[0-9a-f-]{36}$/)
    expect(bodyOf(second)).toEqual(bodyOf(first))
    expect(bodyOf(third)).not.toEqual(bodyOf(first))
  })

  it.each([
    { form: 'seconds', retryAfter: () => '1' },
    { form: 'a date', retryAfter: () => new Date(Date.now() + 2_000).toUTCString() },
  ])('no earlier than Retry-After says in $form', async ({ retryAfter }) => {
    const fake = await startFake(
      atFirst(1, (socket) => socket.write(reply('503 No', { 'retry-after': retryAfter() }, ''))),
    )
    const startedAt = performance.now()
    await aClient(fake.url).health()
    expect(performance.now() - startedAt).toBeGreaterThan(900)
  })
})

describe('a call is given up', () => {
  it('at once, if Retry-After lies behind the deadline', async () => {
    const fake = await startFake((socket) =>
      socket.write(reply('503 No', { 'retry-after': '99999999999' }, '')),
    )
    const error = await errorOf(aClient(fake.url).health())
    expect(error).toMatchObject({ status: 503, attempts: 1, retryable: true })
    expect(error.retryAfterMs).toBe(99_999_999_999_000)
  })

  it('with the last failure, when the deadline is over', async () => {
    const fake = await startFake((socket) => socket.destroy())
    const startedAt = performance.now()
    const error = await errorOf(
      aClient(fake.url, { maxAttempts: 1e6 }).info({}, { deadlineMs: 400 }),
    )
    expect(performance.now() - startedAt).toBeLessThan(2_000)
    expect(error).toMatchObject({ code: 'UNREACHABLE', status: undefined, retryable: true })
    expect(error.attempts).toBe(fake.requests.length)
  })

  it('when the deadline is over within an attempt', async () => {
    const fake = await startFake(() => {})
    const error = await errorOf(aClient(fake.url, { deadlineMs: 200 }).info())
    expect(error).toMatchObject({ code: 'TIMEOUT', attempts: 1, retryable: true })
  })

  it('after maxAttempts', async () => {
    const fake = await startFake((socket) => socket.destroy())
    expect(await errorOf(aClient(fake.url, { maxAttempts: 3 }).info())).toMatchObject({
      attempts: 3,
    })
    expect(await errorOf(aClient(fake.url, { maxAttempts: 1 }).info())).toMatchObject({
      attempts: 1,
    })
    expect(fake.requests.length).toBe(4)
  })

  it.each([
    '400 Bad',
    '401 No',
    '403 No',
    '404 None',
    '409 No',
    '413 Big',
    '422 No',
    '500 Oh',
    '501 No',
  ])('at once after %s', async (status) => {
    const fake = await startFake((socket) => socket.write(reply(status, {}, '{}')))
    const error = await errorOf(aClient(fake.url).message(MESSAGE))
    expect(error).toMatchObject({ status: Number(status.slice(0, 3)), attempts: 1 })
    expect(fake.requests.length).toBe(1)
  })

  it('if nobody listens there, after a few tries', async () => {
    const gone = await startServer()
    await gone.close()
    const error = await errorOf(aClient(gone.url, { maxAttempts: 3 }).info())
    expect(error).toMatchObject({ code: 'UNREACHABLE', attempts: 3 })
    expect(error.message).toContain('ECONNREFUSED')
    expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' })
  })
})

describe('a signal', () => {
  const reason = new Error('the visitor left')

  it('ends a call that waits for an answer, with its reason', async () => {
    const controller = new AbortController()
    const fake = await startFake(() => controller.abort(reason))
    const call = aClient(fake.url).message(MESSAGE, { signal: controller.signal })
    await expect(call).rejects.toBe(reason)
    expect(fake.requests.length).toBe(1)
  })

  it('ends a call that pauses before a repeat, with its reason', async () => {
    const controller = new AbortController()
    const fake = await startFake((socket) => {
      socket.write(reply('503 No', { 'retry-after': '20' }, ''))
      setTimeout(() => controller.abort(reason), 50)
    })
    const call = aClient(fake.url).message(MESSAGE, { signal: controller.signal })
    await expect(call).rejects.toBe(reason)
  })

  it('that was given before lets nothing be sent', async () => {
    const fake = await startFake(() => {})
    const call = aClient(fake.url).info({}, { signal: AbortSignal.abort(reason) })
    await expect(call).rejects.toBe(reason)
    expect(fake.connections).toBe(0)
  })

  it('that is given afterwards changes nothing, and is not listened to any more', async () => {
    const fake = await startFake((socket) => socket.write(json(OK)))
    const controller = new AbortController()
    let listeners = 0
    const { signal } = controller
    const count = (by: number, original: typeof signal.addEventListener) =>
      function (this: AbortSignal, ...args: Parameters<typeof original>) {
        listeners += by
        original.apply(this, args)
      }
    signal.addEventListener = count(1, signal.addEventListener.bind(signal))
    signal.removeEventListener = count(-1, signal.removeEventListener.bind(signal))
    const client = aClient(fake.url)
    for (let n = 0; n < 5; n++) await client.health({ signal })
    await until(() => listeners === 0, 'every listener to be removed')
    controller.abort(reason)
    expect(await client.health()).toEqual(OK)
  })
})

describe('connections', () => {
  it('are kept open, and are no more than maxSockets', async () => {
    const fake = await startFake((socket) => setImmediate(() => socket.write(json(OK))))
    const client = aClient(fake.url, { maxSockets: 4 })
    await Promise.all(Array.from({ length: 100 }, () => client.health()))
    expect(fake.requests.length).toBe(100)
    expect(fake.connections).toBeLessThanOrEqual(4)
  })

  it('that a server closed while they were idle cost nothing but a repeat', async () => {
    const fake = await startFake((socket) => {
      socket.write(json(OK))
      setImmediate(() => socket.destroy())
    })
    const client = aClient(fake.url)
    for (let n = 0; n < 5; n++) expect(await client.health()).toEqual(OK)
  })

  it('are found again when a server was restarted', async () => {
    const first = await startServer()
    const client = aClient(first.url)
    await client.connect({ username: 'ann', channels: ['lobby'] })
    await first.close()
    const posting = client.message(MESSAGE)
    const second = await startServer({ port: first.port })
    onTestFinished(() => second.close())
    expect(await posting).toMatchObject([MESSAGE])
    const { conn_id } = await client.connect({ username: 'ann', channels: ['lobby'] })
    const ann = await Listener.open(second, conn_id)
    await client.message(MESSAGE)
    await until(() => ann.events.some(({ type }) => type === 'message'), 'the message')
  })
})
