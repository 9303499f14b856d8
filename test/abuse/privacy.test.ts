import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend, send, until } from '../helpers/http.ts'
import { refuseCrashes } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import type { TestServer } from '../helpers/server.ts'

const KEPT = { store_history: true, history_size: 50, notify_presence: true, notify_state: true }

describe('what is meant for some', { timeout: 90_000 }, () => {
  refuseCrashes()
  let server: TestServer
  let backend: Backend

  beforeAll(async () => {
    server = await startServer({ gc_conns_after: 600, wake_connections_after: 0.1 })
    backend = new Backend(server)
  })
  afterAll(async () => {
    closeClients()
    await server.close()
  })

  describe('while somebody was taken out of a channel', () => {
    let round = 0

    /** Removes Ann from a room, and then posts to it. Returns the cursor that she had before. */
    async function takenOut() {
      const room = `shut ${round++}`
      const ann = await backend.connect('ann', [room])
      const socket = await Listener.open(server, ann)
      await backend.say(room, 'before')
      await socket.heard('before')
      const cursor = socket.events.at(-1)?.id ?? ''
      await backend.call('POST /unsubscribe', { conn_id: ann, channels: [room] })
      await backend.say(room, 'behind her back')
      return { room, ann, socket, cursor }
    }

    it('stays untold to the open socket and to the one that returns, with a cursor or none', async () => {
      const { room, ann, socket, cursor } = await takenOut()
      await backend.call('POST /subscribe', { conn_id: ann, channels: [room] })
      await backend.say(room, 'after')
      await socket.heard('after')
      expect(socket.texts).toEqual(['before', 'after'])
      await socket.breakOff()
      await backend.say(room, 'later')
      const back = await Listener.open(server, ann, { cursor })
      await back.heard('later')
      expect(back.texts).toEqual(['after', 'later'])
    })

    it.each(['its own', 'a made-up'])(
      'stays untold to a new connection, by %s cursor',
      async (whose) => {
        const { room, socket, cursor } = await takenOut()
        await socket.breakOff()
        const again = await backend.connect('ann', [room])
        await backend.say(room, 'after')
        const named = whose === 'its own' ? cursor : cursor.replace(/-\d+$/, '-0')
        const { body } = await send(server, `GET /listen?conn_id=${again}&cursor=${named}`)
        const texts = (body as { message?: { text?: string } }[]).map(
          ({ message }) => message?.text,
        )
        expect(texts).toEqual(['after'])
      },
    )

    it('is told to who went away by herself', async () => {
      const room = `open ${round++}`
      const ann = await backend.connect('ann', [room])
      const socket = await Listener.open(server, ann)
      await backend.say(room, 'before')
      await socket.heard('before')
      const cursor = socket.events.at(-1)?.id ?? ''
      await backend.call('POST /disconnect', { conn_id: ann })
      await backend.say(room, 'meanwhile')
      const again = await Listener.open(server, await backend.connect('ann', [room]), { cursor })
      await again.heard('meanwhile')
      expect(again.texts).toEqual(['meanwhile'])
    })
  })

  describe('is seen by nobody else', () => {
    const uuid = '11111111-1111-4111-8111-111111111111'
    let alice: Listener
    let bob: Listener
    let bobAway: string
    let room: string
    let round = 0

    /** A room with Alice, Bob, and Bob’s second connection, which is offline. */
    async function meet(): Promise<void> {
      room = `private ${round++}`
      const configs = { channel_configs: { [room]: KEPT } }
      alice = await Listener.open(server, await backend.connect('alice', [room], configs))
      bob = await Listener.open(server, await backend.connect('bob', [room]))
      bobAway = await backend.connect('bob', [room])
      const away = await Listener.open(server, bobAway)
      await away.breakOff()
    }

    /** Returns everything that Bob can get: live, by catch-up, and in answers about him. */
    async function seenByBob(): Promise<string> {
      await backend.say(room, 'the end')
      await bob.heard('the end')
      const poll = await send(server, `GET /listen?conn_id=${bobAway}`)
      const info = { include_history: true, include_users: true }
      const request = { username: 'bob', conn_id: bobAway, channels: [room], info }
      const connected = await backend.send('POST /connect', { json: request })
      const subscription = { conn_id: bobAway, channels: ['elsewhere'], info }
      const subscribed = await backend.send('POST /subscribe', { json: subscription })
      const unsubscribed = await backend.send('POST /unsubscribe', { json: subscription })
      const answers = [poll, connected, subscribed, unsubscribed]
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
      expect(poll.text).toContain('the end')
      return [...bob.frames, ...answers.map(({ text }) => text)].join('\n')
    }

    const message = (text: string) => ({ uuid, user: 'carol', message: { text } })

    it.each([
      ['a private message', { pm_users: ['alice'] }],
      ['a message to one in a channel', { pm_users: ['alice'], inRoom: true }],
      ['a message that excludes one', { exclude_users: ['bob'], inRoom: true }],
      [
        'a message to both that excludes one',
        { pm_users: ['alice', 'bob'], exclude_users: ['bob'], inRoom: true },
      ],
    ])('%s, its edit and its deletion', async (_what, to) => {
      await meet()
      const { inRoom, ...users } = { inRoom: false, ...to }
      const delivery = { ...users, channel: inRoom ? room : null }
      await backend.call('POST /message', [{ ...message('SECRET'), ...delivery }])
      await alice.heard('SECRET')
      await backend.call('PATCH /message', [{ ...message('SECRET 2'), ...delivery }])
      expect(await seenByBob()).not.toMatch(/SECRET/)
      await backend.call('DELETE /message', [{ uuid, ...delivery }])
      await until(() => alice.of('message:delete').length > 0, 'the deletion')
      const seen = await seenByBob()
      expect(seen).not.toMatch(/SECRET/)
      expect(seen).not.toContain(uuid)
    })

    it.each([
      ['a message to one in a channel', { pm_users: ['alice'] }],
      ['a message that excludes one', { exclude_users: ['bob'] }],
    ])('%s, its edits and its deletion that name nobody', async (_what, to) => {
      await meet()
      await backend.call('POST /message', [{ ...message('SECRET'), channel: room, ...to }])
      await alice.heard('SECRET')
      for (const text of ['SECRET 2', 'SECRET 3'])
        await backend.call('PATCH /message', [{ ...message(text), channel: room }])
      await until(() => alice.of('message:edit').length === 2, 'the edits')
      expect(await seenByBob()).not.toMatch(/SECRET/)
      await backend.call('DELETE /message', [{ uuid, channel: room }])
      await until(() => alice.of('message:delete').length > 0, 'the deletion')
      await backend.call('PATCH /message', [{ ...message('SECRET 4'), channel: room }])
      const seen = await seenByBob()
      expect(seen).not.toMatch(/SECRET/)
      expect(seen).not.toContain(uuid)
    })

    it('and nobody learns who else got it', async () => {
      await meet()
      const to = {
        pm_users: ['bob', 'SECRET FRIEND'],
        exclude_users: ['SECRET FOE'],
        channel: room,
      }
      await backend.call('POST /message', [{ ...message('for bob'), ...to }])
      await bob.heard('for bob')
      expect(await seenByBob()).not.toMatch(/SECRET/)
    })

    it('not even those who leave the channel and come back to an old cursor', async () => {
      await meet()
      await backend.say(room, 'before')
      await bob.heard('before')
      const cursor = bob.events.at(-1)?.id ?? ''
      const connId = await backend.connect('bob', [room])
      await backend.call('POST /unsubscribe', { conn_id: connId, channels: [room] })
      await backend.say(room, 'SECRET')
      const returned = await send(server, `GET /listen?conn_id=${connId}&cursor=${cursor}`)
      expect(returned.status).toBe(200)
      expect(returned.text).not.toMatch(/SECRET/)
    })
  })

  it('state that is not public leaves the server in answers to the backend only', async () => {
    const config = {
      channel_configs: {
        lounge: { ...KEPT, broadcast_presence_with_user_lists: true },
      },
    }
    const watcher = await Listener.open(
      server,
      await backend.connect('watcher', ['lounge'], config),
    )
    await backend.connect('dana', ['lounge'], {
      user_state: { mood: 'fine', diary: 'HUSH' },
      state_public_keys: ['mood'],
    })
    await backend.call('POST /user_state', {
      user: 'dana',
      user_state: { mood: 'well', diary: 'HUSH 2' },
    })
    await until(() => watcher.of('user_state_change').length > 0, 'the change')
    const conn_id = await backend.connect('dana', ['lounge'], { state_public_keys: ['mood'] })
    await backend.say('lounge', 'end')
    await watcher.heard('end')
    expect(watcher.frames.join()).toContain('well')
    expect(watcher.frames.join()).not.toMatch(/HUSH|diary/)

    const info = { return_public_state: true }
    const described = await backend.send('POST /info', { json: { info } })
    expect(described.text).not.toMatch(/HUSH|diary/)
    const admin = await backend.send('POST /admin/admin.json')
    expect(admin.text).not.toMatch(/HUSH|diary/)
    await backend.call('GET /disconnect?conn_id=' + conn_id)
  })

  it('presence is told to members of the channel only', async () => {
    const config = { channel_configs: { club: KEPT } }
    const member = await Listener.open(server, await backend.connect('member', ['club'], config))
    const stranger = await Listener.open(server, await backend.connect('stranger', ['street']))
    const conn_id = await backend.connect('newcomer', ['club', 'street'])
    await backend.call('POST /user_state', { user: 'newcomer', user_state: { mood: 'x' } })
    await send(server, `GET /disconnect?conn_id=${conn_id}`)
    await until(() => member.presenceOf('newcomer').length === 2, 'coming and going')
    await backend.say('street', 'end')
    await stranger.heard('end')
    expect(stranger.events).toHaveLength(1)
  })

  it('300 clients that come and go get what is theirs, once and in order, and nothing else', async () => {
    const CLIENTS = 300
    const ROUNDS = 12
    const rooms = 10
    const open = async (i: number, connId: string) => ({
      i,
      connId,
      listener: await Listener.open(server, connId),
    })
    const connect = (i: number) => backend.connect(`user ${i}`, [`room ${i % rooms}`])
    let clients = await Promise.all(
      Array.from({ length: CLIENTS }, async (_, i) => open(i, await connect(i))),
    )
    const heard = new Map<number, string[]>()
    const keep = ({ i, listener }: (typeof clients)[number]): void => {
      heard.set(i, [...(heard.get(i) ?? []), ...listener.texts.map(String)])
    }
    for (let round = 0; round < ROUNDS; round++) {
      const personal = clients.map(({ i }) => ({
        user: 'backend',
        pm_users: [`user ${i}`],
        message: { text: `user ${i} round ${round}` },
      }))
      const shared = Array.from({ length: rooms }, (_, room) => ({
        user: 'backend',
        channel: `room ${room}`,
        message: { text: `room ${room} round ${round}` },
      }))
      const posted = backend.call('POST /message', [...personal, ...shared])
      // Meanwhile a third of the clients disconnect and reconnect.
      clients = await Promise.all(
        clients.map(async (client) => {
          if ((client.i + round) % 3 !== 0) return client
          // The cursor requests the events that were lost in transit.
          await client.listener.breakOff()
          keep(client)
          const cursor = client.listener.events.at(-1)?.id
          const opening = cursor === undefined ? {} : { cursor }
          const listener = await Listener.open(server, client.connId, opening)
          return { ...client, listener }
        }),
      )
      await posted
    }
    const end = clients.map(({ i }) => ({
      user: 'backend',
      pm_users: [`user ${i}`],
      message: { text: `user ${i} end` },
    }))
    await backend.call('POST /message', end)
    await Promise.all(clients.map(({ i, listener }) => listener.heard(`user ${i} end`)))
    for (const client of clients) {
      keep(client)
      const { i } = client
      const lines = Array.from({ length: ROUNDS }, (_, round) => [
        `user ${i} round ${round}`,
        `room ${i % rooms} round ${round}`,
      ]).flat()
      expect(heard.get(i)).toEqual([...lines, `user ${i} end`])
    }
  })
})
