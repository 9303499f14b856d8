import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { Backend, pause, send, until } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import type { Clock } from '../../src/lib/clock.ts'
import type { Answer } from '../helpers/http.ts'
import type { ReceivedEvent } from '../helpers/websocket.ts'

const WAKE_S = 0.8
const GATHER_S = 0.8

const textsOf = ({ body }: Answer): unknown[] =>
  (body as ReceivedEvent[]).map(({ message }) => message?.text)

/** A clock that can hold back tasks for the end of the turn, and with them flushes. */
class HeldTurns {
  isHeld = false
  readonly #waiting: (() => void)[] = []

  readonly clock: Clock = {
    ...systemClock,
    soon: (task) => {
      if (this.isHeld) this.#waiting.push(task)
      else systemClock.soon(task)
    },
  }

  release(): void {
    this.isHeld = false
    for (const task of this.#waiting.splice(0)) task()
  }
}

describe('a poll that is answered before the flush of what was said last', () => {
  it('takes that along', async () => {
    const turns = new HeldTurns()
    const server = await startServer({ poll_gather: 0.2 }, turns.clock)
    try {
      const backend = new Backend(server)
      const connId = await backend.connect('ann', ['room'])
      const poll = send(server, `GET /listen?conn_id=${connId}`)
      await until(() => server.app.hub.openConnections === 1, 'the poll is there')
      await backend.say('room', '1')
      turns.isHeld = true
      await backend.say('room', '2')
      expect(textsOf(await poll)).toEqual(['1', '2'])
      turns.release()
      await backend.say('room', '3')
      expect(textsOf(await send(server, `GET /listen?conn_id=${connId}`))).toEqual(['3'])
    } finally {
      turns.release()
      await server.close()
    }
  })
})

describe.concurrent('long polling', () => {
  let server: ServerProcess
  let backend: Backend

  beforeAll(async () => {
    const settings = { wake_connections_after: WAKE_S, poll_gather: GATHER_S }
    server = await ServerProcess.start({ settings })
    backend = new Backend(server)
  })
  afterAll(killProcesses)

  const poll = (connId: string, query = '', signal?: AbortSignal) =>
    send(server, `GET /listen?conn_id=${connId}${query}`, signal && { signal })

  /** Resolves when the server has parked the poll: a later request has been answered. */
  async function parked(connId: string, query = '', signal?: AbortSignal) {
    const answer = poll(connId, query, signal)
    answer.catch(() => {}) // checked later
    await pause(30)
    await backend.call('POST /info')
    return { answer }
  }

  const timed = async <Value>(work: Promise<Value>): Promise<[Value, number]> => {
    const began = performance.now()
    return [await work, performance.now() - began]
  }

  it('answers an empty list when nothing happens for a while', async () => {
    const connId = await backend.connect('ann', ['nothing'])
    const [answer, tookMs] = await timed(poll(connId))
    expect(answer).toMatchObject({ status: 200, body: [] })
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(tookMs).toBeGreaterThan(WAKE_S * 950)
    expect(tookMs).toBeLessThan(WAKE_S * 1000 + 500)
  })

  it('answers soon after an event, with those that follow closely', async () => {
    const connId = await backend.connect('ann', ['gather'])
    const { answer } = await parked(connId)
    const gathered = timed(answer)
    await backend.say('gather', '1')
    await backend.say('gather', '2')
    await pause(GATHER_S * 250)
    await backend.say('gather', '3')
    const [{ body }, tookMs] = await gathered
    expect((body as ReceivedEvent[]).map(({ message }) => message?.text)).toEqual(['1', '2', '3'])
    expect(tookMs).toBeLessThan(GATHER_S * 4_000 + 300)
  })

  it('does not gather for ever', async () => {
    const connId = await backend.connect('ann', ['endless'])
    const { answer } = await parked(connId)
    const began = performance.now()
    let isAnswered = false
    void answer.then(() => (isAnswered = true))
    let said = 0
    while (!isAnswered && performance.now() - began < 20_000) {
      await backend.say('endless', String(said++))
      await pause(20)
    }
    expect(isAnswered).toBe(true)
    await backend.say('endless', 'end')
    const texts = [...textsOf(await answer), ...textsOf(await poll(connId))]
    expect(texts).toEqual([...Array.from({ length: said }, (_, i) => String(i)), 'end'])
  })

  it('answers as a script when asked to', async () => {
    const connId = await backend.connect('ann', ['script'])
    await backend.say('script', '</script>\u2028')
    const answer = await poll(connId, '&callback=app.on_events[0]')
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toBe('application/javascript; charset=utf-8')
    expect(answer.headers['x-content-type-options']).toBe('nosniff')
    expect(answer.text).toMatch(/^app\.on_events\[0\]\(\[.*\]\)$/)
    expect(answer.text).not.toMatch(/<|\u2028/)
    const list = JSON.parse(answer.text.slice('app.on_events[0]('.length, -1)) as ReceivedEvent[]
    expect(list[0]?.message?.text).toBe('</script>\u2028')
  })

  it('answers at once what happened between two polls', async () => {
    const connId = await backend.connect('ann', ['between'])
    await poll(connId)
    await backend.say('between', '1')
    await backend.say('between', '2')
    const [answer, tookMs] = await timed(poll(connId))
    expect(textsOf(answer)).toEqual(['1', '2'])
    expect(tookMs).toBeLessThan(GATHER_S * 1000 + 350)
  })

  it('loses nothing of a poll that the client broke off', async () => {
    const connId = await backend.connect('ann', ['abort'])
    const before = new AbortController()
    await parked(connId, '', before.signal)
    before.abort()
    await backend.say('abort', '1')

    const during = new AbortController()
    const { answer } = await parked(connId, '', during.signal)
    await backend.say('abort', '2') // gathered together with 1, not answered yet
    during.abort()
    await expect(answer).rejects.toThrow()
    await backend.say('abort', '3')

    expect(textsOf(await poll(connId))).toEqual(['1', '2', '3'])
    expect(textsOf(await poll(connId))).toEqual([])
  })

  it('answers the older of two polls, and loses nothing', async () => {
    const connId = await backend.connect('ann', ['two polls'])
    const older = await parked(connId)
    await backend.say('two polls', '1')
    const newer = poll(connId)
    const texts = textsOf(await older.answer)
    await backend.say('two polls', '2')
    texts.push(...textsOf(await newer))
    // A slow machine may need one more poll.
    if (texts.length < 2) texts.push(...textsOf(await poll(connId)))
    expect(texts).toEqual(['1', '2'])
  })

  it('goes on from a cursor, and tells of a gap', async () => {
    const connId = await backend.connect('ann', ['cursor'])
    await backend.say('cursor', '1')
    await backend.say('cursor', '2')
    const [first] = (await poll(connId)).body as ReceivedEvent[]
    expect(textsOf(await poll(connId, `&cursor=${first?.id}`))).toEqual(['2'])
    const gap = await poll(connId, '&cursor=another-7')
    expect(gap.body).toMatchObject([{ type: 'gap', channels: ['cursor'], private: true }])
  })

  it('tells a gap in a form that clients who read the message of every event understand', async () => {
    const connId = await backend.connect('ann', ['topics'])
    const answer = poll(connId, '&cursor=another-7')
    await backend.call('POST /message', [
      { user: 'bob', channel: 'topics', message: { topic: 'weather' } },
    ])
    const told = [await answer, await poll(connId)].flatMap(({ body }) => body as ReceivedEvent[])
    const topicOf = ({ message }: { message: { topic?: string } }) => message.topic
    expect(told.map((event) => topicOf(event as never))).toEqual([undefined, 'weather'])
  })

  it('ends with the connection', async () => {
    const connId = await backend.connect('ann', ['ends'])
    const { answer } = await parked(connId)
    await backend.call(`GET /disconnect?conn_id=${connId}`)
    const [ended, tookMs] = await timed(answer)
    expect(ended).toMatchObject({ status: 200, body: [] })
    expect(tookMs).toBeLessThan(300)
    expect((await poll(connId)).status).toBe(401)
  })
})
