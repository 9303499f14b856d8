/** The library on `fetch`, for runtimes without the modules of Node.js. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { startServer } from '../helpers/server.ts'
import { aClient, errorOf, headerOf, json, listen, reply, startFake } from './fakes.ts'

describe('a client with fetch', () => {
  it('calls the server as any other', async () => {
    const server = await startServer({ signature_scope: 'endpoint' })
    onTestFinished(() => server.close())
    const client = aClient(server.url, { fetch })
    const { conn_id } = await client.connect({ username: 'ann', channels: ['lobby'] })
    const [posted] = await client.message({ user: 'bob', channel: 'lobby', message: { text: 'ü' } })
    expect(posted).toMatchObject({ message: { text: 'ü' } })
    expect((await client.info()).channels['lobby']?.users).toEqual(['ann'])
    expect(await client.disconnect(conn_id)).toBe(true)
    const error = await errorOf(client.userState({ user: 'nobody' }))
    expect(error).toMatchObject({ code: 'INVALID', complaints: { user: ['Unknown user'] } })
  })

  it('keeps the path of the url', async () => {
    const fake = await startFake((socket) => socket.write(json({ status: 'ok' })))
    await aClient(`${fake.url}/push`, { fetch }).health()
    expect(fake.requests[0]).toMatch(/^GET \/push\/health HTTP/)
  })

  it('retries what is lost, with the same key', async () => {
    const fake = await startFake((socket, _request, nth) =>
      nth < 3 ? socket.destroy() : socket.write(json(true)),
    )
    expect(await aClient(fake.url, { fetch }).disconnect('a')).toBe(true)
    const keys = fake.requests.map((request) => headerOf(request, 'idempotency-key'))
    expect(new Set(keys).size).toBe(1)
    expect(keys.length).toBe(3)
  })

  it('names the reason of a failure', async () => {
    const { port } = await listen((socket) => socket.destroy())
    const lost = await errorOf(
      aClient(`http://127.0.0.1:${port}`, { fetch, maxAttempts: 2 }).info(),
    )
    expect(lost).toMatchObject({ code: 'UNREACHABLE', attempts: 2, status: undefined })
    const silent = await startFake(() => {})
    const late = await errorOf(
      aClient(silent.url, { fetch, maxAttempts: 1, timeoutMs: 100 }).info(),
    )
    expect(late).toMatchObject({ code: 'TIMEOUT', attempts: 1 })
    const stuck = await startFake((socket) =>
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"a"'),
    )
    const cut = await errorOf(aClient(stuck.url, { fetch, maxAttempts: 1, timeoutMs: 100 }).info())
    expect(cut).toMatchObject({ code: 'TIMEOUT', attempts: 1 })
  })

  it('does not follow redirects', async () => {
    const fake = await startFake((socket) =>
      socket.write(reply('302 X', { location: '/elsewhere' }, '')),
    )
    const error = await errorOf(aClient(fake.url, { fetch }).info())
    expect(error).toMatchObject({ code: 'BAD_ANSWER', status: 302, attempts: 1 })
    expect(fake.requests.length).toBe(1)
  })

  it('reads no more than maxAnswerBytes', async () => {
    const large = JSON.stringify({ status: 'x'.repeat(100_000) })
    const fake = await startFake((socket) => socket.write(reply('200 OK', {}, large)))
    const error = await errorOf(aClient(fake.url, { fetch, maxAnswerBytes: 1024 }).health())
    expect(error).toMatchObject({ code: 'BAD_ANSWER' })
    expect(error.message).toContain('larger than 1024 bytes')
  })

  it('rejects with the reason of the signal, before and while it waits', async () => {
    const reason = new Error('enough')
    const silent = await startFake(() => waiting.abort(reason))
    const waiting = new AbortController()
    const client = aClient(silent.url, { fetch })
    await expect(client.info({}, { signal: waiting.signal })).rejects.toBe(reason)
    await expect(client.info({}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(silent.requests.length).toBe(1)
  })
})

describe('a client without fetch', () => {
  it('sends nothing if it is aborted while it signs', async () => {
    const fake = await startFake((socket) => socket.write(json({ status: 'ok' })))
    const reason = new Error('enough')
    const leaving = new AbortController()
    const call = aClient(fake.url).health({ signal: leaving.signal })
    leaving.abort(reason)
    await expect(call).rejects.toBe(reason)
    expect(fake.connections).toBe(0)
  })
})
