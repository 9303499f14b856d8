import { setTimeout as after } from 'node:timers/promises'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { until } from '../helpers/http.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import { aClient, errorOf, json, startFake } from './fakes.ts'
import type { Socket } from 'node:net'
import type { ConfigInput } from '../../src/config/load.ts'

afterEach(closeClients)

const message = (text: string, more: object = {}) => ({
  user: 'bob',
  channel: 'lobby',
  message: { text },
  ...more,
})

interface Posted {
  readonly uuid: string
  readonly message: { readonly text: string }
}
const bodyOf = (request: string): Posted[] =>
  JSON.parse(request.slice(request.indexOf('\r\n\r\n') + 4)) as Posted[]
const textsOf = (request: string): string[] => bodyOf(request).map(({ message: { text } }) => text)

/** A server that answers messages when it is told to. */
async function startPatient() {
  const waiting: (() => void)[] = []
  const fake = await startFake((socket: Socket, request) => {
    const answers = bodyOf(request).map((each) => ({
      ...{ pm_users: [], exclude_users: [], no_history: false, channel: 'lobby' },
      ...{ ...each, timestamp: '2026-11-30T00:00:00', edited: null },
    }))
    waiting.push(() => socket.write(json(answers)))
  })
  return {
    url: fake.url,
    requests: fake.requests,
    /** Answers the oldest request that waits. */
    async answer(): Promise<void> {
      await until(() => waiting.length > 0, 'a request')
      waiting.shift()?.()
    },
  }
}

async function start(settings: ConfigInput = {}) {
  const server = await startServer(settings)
  onTestFinished(() => server.close())
  const client = aClient(server.url)
  const { conn_id: connId } = await client.connect({ username: 'ann', channels: ['lobby'] })
  return { server, client, listener: await Listener.open(server, connId) }
}

describe('messages of calls at the same time', () => {
  it('go out at once while nothing is under way, and else together afterwards, in order', async () => {
    const fake = await startPatient()
    const client = aClient(fake.url)
    const calls = ['1', '2', '3'].map((text) => client.message(message(text)))
    calls.push(client.message([message('4'), message('5')]))
    await fake.answer()
    expect((await calls[0])?.map(({ uuid }) => uuid)).toEqual([
      bodyOf(fake.requests[0] ?? '')[0]?.uuid,
    ])
    await fake.answer()
    const answers = await Promise.all(calls)
    expect(fake.requests.map(textsOf)).toEqual([['1'], ['2', '3', '4', '5']])
    expect(answers.map((each) => each.map((one) => one.message?.['text']))).toEqual([
      ['1'],
      ['2'],
      ['3'],
      ['4', '5'],
    ])
  })

  it('fill requests of a hundred messages, or of a quarter of what a server accepts', async () => {
    const fake = await startPatient()
    const client = aClient(fake.url)
    const large = 'x'.repeat(100_000)
    const calls = [
      client.message(message('first')),
      ...Array.from({ length: 150 }, (_, n) => client.message(message(String(n)))),
      ...Array.from({ length: 4 }, () => client.message(message(large))),
      client.message([message(large), message(large), message(large), message(large)]),
      client.message(message('last')),
    ]
    for (let request = 0; request < 6; request++) await fake.answer()
    await Promise.all(calls)
    expect(fake.requests.map((request) => bodyOf(request).length)).toEqual([1, 100, 52, 2, 4, 1])
  })

  it('are not sent when their call was aborted before, and the call says why', async () => {
    const fake = await startPatient()
    const client = aClient(fake.url)
    const leaving = new AbortController()
    const first = client.message(message('first'))
    const aborted = client.message(message('never'), { signal: leaving.signal })
    const last = client.message(message('last'))
    leaving.abort(new Error('the user left'))
    await expect(aborted).rejects.toThrow('the user left')
    await fake.answer()
    await fake.answer()
    await Promise.all([first, last])
    expect(fake.requests.map(textsOf)).toEqual([['first'], ['last']])
    const { signal } = leaving
    await expect(client.message(message('late'), { signal })).rejects.toThrow('the user left')
  })

  it('end at the deadline of their own call while others go on', async () => {
    const fake = await startPatient()
    const client = aClient(fake.url, { deadlineMs: 800, timeoutMs: 800 })
    const early = errorOf(client.message(message('early')))
    const waits = errorOf(client.message(message('waits')))
    await after(400)
    const late = client.message(message('late'))
    expect(await early).toMatchObject({ code: 'TIMEOUT' })
    expect(await waits).toMatchObject({ code: 'TIMEOUT' })
    await fake.answer() // of a request that was given up
    await fake.answer()
    expect(await late).toHaveLength(1)
  })

  it('reject alone if they cannot be written as JSON', async () => {
    const fake = await startPatient()
    const client = aClient(fake.url)
    const round: Record<string, unknown> = {}
    round['self'] = round
    const first = client.message(message('first'))
    const bad = client.message({ user: 'bob', channel: 'lobby', message: round })
    const last = client.message(message('last'))
    await expect(bad).rejects.toThrow(TypeError)
    await fake.answer()
    await fake.answer()
    await Promise.all([first, last])
  })

  it('go out on their own without gatherMessages, with recipients, or with a deadline', async () => {
    const fake = await startPatient()
    const alone = aClient(fake.url, { gatherMessages: false })
    const client = aClient(fake.url)
    const calls = [
      ...['1', '2'].map((text) => alone.message(message(text))),
      ...['3', '4'].map((text) => client.message(message(text), { deadlineMs: 20_000 })),
    ]
    await until(() => fake.requests.length === 4, 'all requests at the same time')
    for (let request = 0; request < 4; request++) await fake.answer()
    await Promise.all(calls)
    expect(fake.requests.every((request) => bodyOf(request).length === 1)).toBe(true)
  })
})

describe('a message that a server refuses', () => {
  it('fails its own call, with its own place in it, and all others arrive once', async () => {
    const { client, listener } = await start()
    const bad = { ...message('bad'), channel: 7 } as unknown as ReturnType<typeof message>
    const first = client.message(message('first'))
    const calls = Array.from({ length: 60 }, (_, n) =>
      client.message(n % 20 === 5 ? [message(`good ${n}`), bad] : message(String(n))),
    )
    await first
    const outcomes = await Promise.allSettled(calls)
    const failed = outcomes.flatMap(({ status }, n) => (status === 'rejected' ? [n] : []))
    expect(failed).toEqual([5, 25, 45])
    const error = await errorOf(calls[25] ?? Promise.resolve())
    expect(error).toMatchObject({ code: 'INVALID', status: 422 })
    expect(JSON.stringify(error.complaints)).toContain('"1"')
    await client.message(message('end'))
    await listener.heard('end')
    const fine = Array.from({ length: 60 }, (_, n) => String(n)).filter((_, n) => n % 20 !== 5)
    expect(listener.texts).toEqual(['first', ...fine, 'end'])
  })

  it('because it is nested too deeply fails no other call', async () => {
    const { client, listener } = await start()
    let deep: Record<string, unknown> = {}
    for (let depth = 0; depth < 120; depth++) deep = { deep }
    const first = client.message(message('first'))
    const calls = [message('1'), { ...message('deep'), message: deep }, message('2')].map((one) =>
      client.message(one),
    )
    const outcomes = await Promise.allSettled([first, ...calls])
    expect(outcomes.map(({ status }) => status === 'fulfilled')).toEqual([true, true, false, true])
    await listener.heard('2')
    expect(listener.texts).toEqual(['first', '1', '2'])
  })

  it('is not sent again for calls that have ended meanwhile', async () => {
    const bodies: string[][] = []
    const fake = await startFake((socket, request) => {
      const texts = textsOf(request)
      bodies.push(texts)
      if (texts.includes('bad') && texts.length > 1) leaving.abort(new Error('left'))
      const answer = texts.includes('bad')
        ? json({}, '422 Unprocessable Entity')
        : json(bodyOf(request))
      setTimeout(() => socket.write(answer), 50)
    })
    const client = aClient(fake.url)
    const leaving = new AbortController()
    const calls = [
      client.message(message('first')),
      client.message(message('left'), { signal: leaving.signal }),
      client.message(message('bad')),
    ]
    const outcomes = await Promise.allSettled(calls)
    expect(outcomes[1]).toMatchObject({ status: 'rejected', reason: { message: 'left' } })
    expect(bodies).toEqual([['first'], ['left', 'bad'], ['bad']])
  })

  it('because its user posts too much fails no other user’s call', async () => {
    const { client, listener } = await start({
      message_rate_per_user: 0.001,
      message_burst_per_user: 2,
    })
    const first = client.message(message('first', { user: 'cem' }))
    const calls = ['bob', 'eve', 'bob', 'fay', 'bob', 'gus'].map((user) =>
      client.message(message(`of ${user}`, { user })),
    )
    await first
    const outcomes = await Promise.allSettled(calls)
    expect(outcomes.map(({ status }) => status)).toEqual([
      ...['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
    ])
    expect(await errorOf(calls[4] ?? Promise.resolve())).toMatchObject({
      code: 'TOO_MANY_MESSAGES',
    })
    await listener.heard('of gus')
    expect(listener.texts.filter((text) => text === 'of bob')).toHaveLength(2)
  })

  it('because all are larger than the server accepts together arrives in smaller requests', async () => {
    const { client, listener } = await start({ max_body_bytes: 30_000 })
    const calls = Array.from({ length: 30 }, (_, n) =>
      client.message(message(String(n), { filling: 'x'.repeat(5_000) })),
    )
    await Promise.all(calls)
    await until(() => listener.texts.length === 30, 'all messages')
    expect(listener.texts).toEqual(Array.from({ length: 30 }, (_, n) => String(n)))
  })
})

it(
  'thousands of calls at once arrive once each, in the order of the calls',
  { timeout: 60_000 },
  async () => {
    const { client, listener } = await start()
    const texts = Array.from({ length: 3_000 }, (_, n) => String(n))
    const answers = await Promise.all(texts.map((text) => client.message(message(text))))
    expect(answers.map(([one]) => one?.message?.['text'])).toEqual(texts)
    await until(() => listener.texts.length === texts.length, 'all messages')
    expect(listener.texts).toEqual(texts)
  },
)
