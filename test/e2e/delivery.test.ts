import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend, until } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'

describe('from post to socket', () => {
  let server: ServerProcess
  let backend: Backend

  beforeAll(async () => {
    server = await ServerProcess.start({ settings: { max_history_size: 20 } })
    backend = new Backend(server)
  })
  afterAll(async () => {
    closeClients()
    await killProcesses()
  })

  const join = async (user: string, channels: readonly string[], more: object = {}) => {
    const connId = await backend.connect(user, channels, more)
    return { connId, listener: await Listener.open(server, connId) }
  }

  it('each message of a request is a frame of its own, in the order of the request', async () => {
    const { listener } = await join('ann', ['order'])
    const texts = Array.from({ length: 100 }, (_, i) => String(i))
    const list = texts.map((text) => ({ user: 'bob', channel: 'order', message: { text } }))
    await backend.call('POST /message', list)
    await listener.heard('99')
    expect(listener.texts).toEqual(texts)
    const frames = listener.frames.filter((frame) => frame !== '[]')
    expect(frames.map((frame) => (JSON.parse(frame) as unknown[]).length)).toEqual(
      texts.map(() => 1),
    )
    const numbers = listener.events.map(({ id }) => Number(id.split('-')[1]))
    expect(numbers).toEqual([...numbers].sort((one, other) => one - other))
    expect(new Set(numbers).size).toBe(100)
  })

  it('requests at the same time arrive whole and in one order at every client', async () => {
    const clients = await Promise.all(['ann', 'bob', 'cem'].map((user) => join(user, ['crowd'])))
    await Promise.all(Array.from({ length: 40 }, (_, i) => backend.say('crowd', String(i))))
    await backend.say('crowd', 'end')
    for (const { listener } of clients) await listener.heard('end')
    const [first] = clients
    expect(first?.listener.texts).toHaveLength(41)
    for (const { listener } of clients)
      expect(listener.events.map(({ id }) => id)).toEqual(
        first?.listener.events.map(({ id }) => id),
      )
  })

  it('a message arrives as it was posted, live, and without the details of its delivery', async () => {
    const { listener } = await join('ann', ['shape'])
    const message = { text: 'h\u00e9llo \u{1F600}', deep: [{ a: null }] }
    await backend.call('POST /message', [
      { user: 'bob', channel: 'shape', message, exclude_users: ['x'], color: 'red' },
    ])
    await until(() => listener.events.length > 0, 'the message')
    expect(listener.events[0]).toMatchObject({
      type: 'message',
      user: 'bob',
      message,
      color: 'red',
      catchup: false,
    })
    for (const key of ['pm_users', 'exclude_users', 'no_history'])
      expect(listener.events[0]).not.toHaveProperty(key)
  })

  it('a large message arrives whole', async () => {
    const { listener } = await join('ann', ['large'])
    for (const size of [100, 125, 126, 65_400, 65_536, 900_000]) {
      const text = 'x'.repeat(size)
      await backend.say('large', text)
      await listener.heard(text)
    }
  })

  it('edits and deletions follow their message', async () => {
    const { listener } = await join('ann', ['edits'])
    const uuid = '22222222-2222-4222-8222-222222222222'
    const target = { uuid, channel: 'edits' }
    await backend.call('POST /message', [{ ...target, user: 'bob', message: { text: 'one' } }])
    await backend.call('PATCH /message', [{ ...target, message: { text: 'two' } }])
    await backend.call('DELETE /message', [target])
    await until(() => listener.events.length === 3, 'three events')
    expect(listener.events).toMatchObject([
      { type: 'message', uuid, message: { text: 'one' } },
      { type: 'message:edit', uuid, message: { text: 'two' } },
      { type: 'message:delete', uuid },
    ])
  })

  it('a private message reaches every connection of its users, once', async () => {
    const [one, two, other] = await Promise.all(
      ['ann', 'ann', 'bob'].map((user) => join(user, ['pm room'])),
    )
    const pm = { user: 'cem', pm_users: ['ann', 'ann', 'nobody'], message: { text: 'psst' } }
    await backend.call('POST /message', [pm])
    await backend.say('pm room', 'end')
    for (const client of [one, two, other]) await client?.listener.heard('end')
    expect(one?.listener.texts).toEqual(['psst', 'end'])
    expect(two?.listener.texts).toEqual(['psst', 'end'])
    expect(other?.listener.texts).toEqual(['end'])
  })

  it('an open socket gets the messages of a channel from subscribing to unsubscribing', async () => {
    const { connId, listener } = await join('ann', ['always'])
    await backend.say('sometimes', 'too early') // the channel does not exist yet
    await backend.call('POST /subscribe', { conn_id: connId, channels: ['sometimes'] })
    await backend.say('sometimes', 'in time')
    await backend.call('POST /unsubscribe', { conn_id: connId, channels: ['sometimes'] })
    await backend.say('sometimes', 'too late')
    await backend.say('always', 'end')
    await listener.heard('end')
    expect(listener.texts).toEqual(['in time', 'end'])
    const { channels } = await backend.info()
    expect(channels['sometimes']?.users).toEqual([])
  })

  it('joining and leaving by way of the backend is told to the others while the socket is open', async () => {
    const channel_configs = { hall: { notify_presence: true } }
    const { listener } = await join('ann', ['hall'], { channel_configs })
    const { connId } = await join('bob', [])
    await backend.call('POST /subscribe', { conn_id: connId, channels: ['hall'] })
    await backend.call('POST /subscribe', { conn_id: connId, channels: ['hall'] })
    await backend.call('POST /unsubscribe', { conn_id: connId, channels: ['hall'] })
    await backend.call('POST /unsubscribe', { conn_id: connId, channels: ['hall'] })
    await backend.say('hall', 'end')
    await listener.heard('end')
    expect(listener.presenceOf('bob')).toEqual(['joined', 'parted'])
  })

  it('settings of a channel take effect at once: history is cut, presence and state are told or not', async () => {
    const { listener } = await join('ann', ['tuned'])
    const configure = (settings: object) =>
      backend.call('POST /channel_config', { tuned: settings })
    const history = async () =>
      (await backend.info()).channels['tuned']?.history.map(
        ({ message }) => (message as { text: string }).text,
      )
    await backend.say('tuned', 'kept by nobody')
    await configure({ store_history: true, history_size: 3 })
    for (const text of ['1', '2', '3', '4']) await backend.say('tuned', text)
    expect(await history()).toEqual(['2', '3', '4'])
    await configure({ store_history: true, history_size: 1 })
    expect(await history()).toEqual(['4'])
    await configure({ store_history: true, history_size: 20 })
    await backend.say('tuned', '5', { no_history: true })
    await backend.say('tuned', '6')
    expect(await history()).toEqual(['4', '6'])

    await join('quiet', ['tuned'])
    await configure({ notify_presence: true, notify_state: true })
    await join('loud', ['tuned'], { state_public_keys: ['mood'] })
    await backend.call('POST /user_state', {
      user: 'loud',
      user_state: { mood: 'well', hidden: 1 },
    })
    await backend.say('tuned', 'end')
    await listener.heard('end')
    expect(listener.presenceOf('quiet')).toEqual([])
    expect(listener.presenceOf('loud')).toEqual(['joined'])
    expect(listener.of('user_state_change')).toMatchObject([
      { user: 'loud', message: { changed: [{ key: 'mood', value: 'well' }] } },
    ])

    const refused = await backend.send('POST /channel_config', {
      json: { tuned: { history_size: 21 } },
    })
    expect(refused).toMatchObject({
      status: 422,
      body: { history_size: ['Must be less than or equal to 20.'] },
    })
  })

  it('ending a connection closes its socket with 1000, and it is gone', async () => {
    const { connId, listener } = await join('ann', ['ended'])
    expect(await backend.call('GET /disconnect?conn_id=' + connId)).toBe(true)
    expect((await listener.closed).code).toBe(1000)
    const again = await Listener.open(server, connId)
    expect((await again.closed).code).toBe(1000)
  })
})
