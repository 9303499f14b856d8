/** Evictions of one key at a time: what a server answers, and what is repaired. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CLOSE } from '../../src/protocol/close-codes.ts'
import { Admin } from '../helpers/admin.ts'
import { endAll } from '../helpers/ending.ts'
import { Backend, send, until } from '../helpers/http.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { Servers } from '../helpers/servers.ts'
import { Listener } from '../helpers/websocket.ts'
import type { ConfigInput } from '../../src/config/load.ts'
import type { Answer } from '../helpers/http.ts'
import type { RedisClient } from '../helpers/redis.ts'

const PATIENCE_MS = 20_000
/** For tests in which nobody leaves, however slow the machine is. */
const LASTING = { gc_conns_after: 60, resume_window: 60 }
const LOUD = { notify_presence: true, notify_state: true, store_history: true, history_size: 5 }

let redis: RedisServer
let admin: RedisClient

beforeAll(async () => {
  redis = await RedisServer.start()
  admin = await redis.client()
})
afterAll(async () => {
  admin.destroy()
  await endAll()
})

interface Totals {
  readonly connections: number
  readonly users: readonly string[]
}

/** Two servers with a separate installation for each test. */
class Scene {
  readonly backend: Backend

  private constructor(
    readonly servers: Servers,
    /** The root key, the prefix of all others. */
    readonly root: string,
  ) {
    this.backend = new Backend(servers)
  }

  static async set(settings: ConfigInput): Promise<Scene> {
    const redis_prefix = freshPrefix()
    const servers = await Servers.start(redis, 2, {
      redis_prefix,
      // Connections without a client must last as long as a slow machine takes to make them and to lose a key.
      gc_conns_after: 6,
      resume_window: 1,
      heartbeat_interval: 0.5,
      wake_connections_after: 0.1,
      ...settings,
    })
    return new Scene(servers, `{${redis_prefix}}`)
  }

  /** Deletes one key, which has to exist. */
  async lose(name: string): Promise<void> {
    expect(await admin.del(this.root + name), name).toBe(1)
  }

  connectLoud(user: string): Promise<string> {
    return this.backend.connect(user, ['room'], { channel_configs: { room: LOUD } })
  }

  /** A user in the room, with a socket. */
  async openLoud(user: string) {
    const connId = await this.connectLoud(user)
    const socket = await Listener.open(this.servers, connId)
    await until(() => socket.frames.length > 0, 'a frame')
    return { connId, socket }
  }

  async totals(channel = 'room'): Promise<Totals | undefined> {
    const found = (await this.backend.info()).channels[channel]
    return found && { connections: found.total_connections, users: found.users }
  }

  async figures(): Promise<Record<string, number>> {
    const { text } = await send(this.servers, 'GET /metrics')
    const all = text.matchAll(
      /^channelstream_(connections|connected_users|users|channels) (\S+)$/gm,
    )
    return Object.fromEntries([...all].map(([, name = '', value]) => [name, Number(value)]))
  }

  /** Resolves with undefined while Redis counts as unavailable. */
  async allFacts(): Promise<unknown> {
    const { status } = await this.backend.send('POST /info')
    if (status !== 200) return undefined
    return [await this.totals().catch(() => undefined), await this.figures()]
  }

  /** Whether the facts are the same as before the loss. */
  async isRight(facts: unknown): Promise<boolean> {
    return JSON.stringify(await this.allFacts()) === JSON.stringify(facts)
  }

  /** Sends every kind of backend request. */
  async askEverything(connId: string): Promise<Answer[]> {
    const asked: [string, unknown][] = [
      ['POST /message', [{ user: 'b', channel: 'room', message: { text: 'to the room' } }]],
      ['POST /message', [{ user: 'b', pm_users: ['ann'], message: { text: 'to ann' } }]],
      ['PATCH /message', [{ uuid: connId, channel: 'room', message: { text: 'edited' } }]],
      ['DELETE /message', [{ uuid: connId, channel: 'room' }]],
      ['POST /user_state', { user: 'ann', user_state: { mood: String(Math.random()) } }],
      ['POST /subscribe', { conn_id: connId, channels: ['other'] }],
      ['POST /unsubscribe', { conn_id: connId, channels: ['other'] }],
      ['POST /channel_config', { hall: { notify_presence: true } }],
      ['POST /info', undefined],
      ['POST /admin/admin.json', undefined],
      ['POST /connect', { username: 'carol', channels: ['room'], conn_id: crypto.randomUUID() }],
    ]
    const answers: Answer[] = []
    for (const [line, json] of asked)
      for (let of = 0; of < 2; of++) answers.push(await this.backend.send(line, { json }))
    return answers
  }
}

/** Runs a test in a separate scene. */
const inScene =
  <Given extends readonly unknown[]>(
    play: (scene: Scene, ...given: Given) => Promise<void>,
    settings: ConfigInput = {},
  ) =>
  async (...given: Given): Promise<void> => {
    const scene = await Scene.set(settings)
    try {
      await play(scene, ...given)
    } finally {
      await scene.servers.close()
    }
  }

describe.concurrent('a key that is lost alone', { timeout: 90_000 }, () => {
  const KINDS = [
    ['', 'the root'],
    [':spare', 'what is written down of the root'],
    [':n:CONN', 'a connection'],
    [':u:ann', 'a user'],
    [':v:ann', "a user's connections"],
    [':g:ann', 'private messages'],
    [':c:room', 'a channel'],
    [':m:room', 'its users'],
    [':h:room', 'its history'],
    [':f:room', 'its events'],
    [':x:room', 'who was taken out of it'],
    [':users', 'all users'],
    [':channels', 'all channels'],
    [':servers', 'the servers'],
    [':at:SERVER', 'what a server holds'],
    [':due', 'what is due'],
    [':idle:c', 'idle channels'],
    [':idle:u', 'idle users'],
    [':notify', 'channels that tell of states'],
    [':a:KEY', 'an answer'],
    [':answers', 'when answers are forgotten'],
    [':o:ONCE', 'that something was published'],
    [':once', 'when that is forgotten'],
    [':admin:RUN', 'sessions of the admin pages'],
  ] as const

  it.each(KINDS)(
    '%s (%s) makes no request fail with 500, and what is left ends',
    inScene(async (scene, name) => {
      const { backend, servers, root } = scene
      const { connId, socket } = await scene.openLoud('ann')
      const late = await backend.connect('late', ['room'])
      const gone = await backend.connect('gone', ['room'])
      await backend.call('POST /unsubscribe', { conn_id: gone, channels: ['room'] })
      await backend.call('POST /disconnect', { conn_id: gone })
      await backend.say('room', 'before')
      await backend.call('POST /message', [
        { user: 'b', pm_users: ['ann'], message: { text: 'pm' } },
      ])
      await socket.heard('pm')
      const sending = {
        json: [{ user: 'b', channel: 'room', message: { text: 'keyed' } }],
        headers: { 'idempotency-key': 'k1' },
      }
      expect((await backend.send('POST /message', sending)).status).toBe(200)
      await backend.call('POST /channel_config', { idle: {} })
      await Admin.signIn(servers)
      const key = await keyFor(root + name.replace('CONN', connId))
      if (key === undefined) throw new Error(`there is no key like ${name}`)
      expect(await admin.del(key)).toBe(1)

      const answers = [
        ...(await scene.askEverything(connId)),
        await backend.send('POST /message', sending),
      ]
      for (const round of [late, connId])
        answers.push(await send(servers, `GET /listen?conn_id=${round}`))
      answers.push(...(await scene.askEverything(connId)))
      const faulty = answers.filter(({ status }) => status >= 500)
      // Redis counts as unavailable for a moment if the root is gone, or if a beat shows that a server was forgotten.
      if (!['', ':servers'].includes(name)) expect(faulty.map(({ text }) => text)).toEqual([])
      expect(faulty.every(({ status }) => status === 503)).toBe(true)

      // All users leave, whatever was lost, and none remains.
      socket.destroy()
      await until(
        async () => {
          const { connections, connected_users } = await scene.figures()
          return connections === 0 && connected_users === 0
        },
        'everybody to be gone',
        PATIENCE_MS,
      )
      expect((await scene.totals()) ?? { connections: 0, users: [] }).toEqual({
        connections: 0,
        users: [],
      })
    }),
  )

  async function keyFor(pattern: string): Promise<string | undefined> {
    if (!/SERVER|KEY|ONCE|RUN/.test(pattern)) return pattern
    const prefix = pattern.replace(/(SERVER|KEY|ONCE|RUN)$/, '')
    return (await admin.keys(`${prefix}*`)).at(0)
  }
})

describe.concurrent('events that are lost', { timeout: 60_000 }, () => {
  it.each([
    ['of a channel', ':f:room', false],
    ['for a user', ':g:ann', true],
  ])(
    '%s are told as a gap, whether or not more was said since',
    inScene(async (scene, _, name, isPrivate) => {
      const { backend, servers } = scene
      for (const isMoreSaid of [false, true]) {
        const { connId, socket } = await scene.openLoud('ann')
        const say = (text: string) =>
          isPrivate
            ? backend.call('POST /message', [{ user: 'b', pm_users: ['ann'], message: { text } }])
            : backend.say('room', text)
        await say('heard')
        await socket.heard('heard')
        const cursor = socket.events.at(-1)?.id ?? ''
        socket.destroy()
        await say('missed')
        await scene.lose(name)
        if (isMoreSaid) await say('later')
        const back = await Listener.open(servers, connId, { cursor })
        await until(() => back.of('gap').length === 1, 'a gap')
        const [gap] = back.of('gap')
        expect(gap).toMatchObject({ private: isPrivate, channels: isPrivate ? [] : ['room'] })
        expect(back.texts).toEqual(isMoreSaid ? ['later'] : [])
        await say('at last')
        await back.heard('at last')
        // The gap is announced once.
        const again = await Listener.open(servers, connId, { cursor: back.events.at(-1)?.id ?? '' })
        await say('the end')
        await again.heard('the end')
        expect(again.of('gap')).toEqual([])
        await backend.call('POST /disconnect', { conn_id: connId })
      }
    }, LASTING),
  )

  it(
    'are none where the only message was deleted',
    inScene(async (scene) => {
      const { backend, servers } = scene
      const { connId, socket } = await scene.openLoud('ann')
      const [{ uuid } = { uuid: '' }] = await backend.call<{ uuid: string }[]>('POST /message', [
        { user: 'b', channel: 'quiet', message: { text: 'x' } },
      ])
      await backend.call('POST /channel_config', { quiet: {} })
      await backend.call('POST /subscribe', { conn_id: connId, channels: ['quiet'] })
      const posted = await backend.call<{ uuid: string }[]>('POST /message', [
        { user: 'b', channel: 'quiet', message: { text: 'only' } },
      ])
      expect(uuid).not.toBe('')
      await socket.heard('only')
      const cursor = socket.events.at(-1)?.id ?? ''
      await backend.call('DELETE /message', [{ uuid: posted[0]?.uuid, channel: 'quiet' }])
      await backend.say('quiet', 'later')
      const back = await Listener.open(servers, connId, { cursor })
      await back.heard('later')
      expect(back.of('gap')).toEqual([])
    }, LASTING),
  )
})

describe.concurrent('a record that is lost', { timeout: 60_000 }, () => {
  it.each([
    ['of a channel', ':c:room', ({ backend }: Scene) => backend.say('room', 'unheard')],
    [
      'of a user',
      ':u:ann',
      ({ backend }: Scene) =>
        backend.call('POST /message', [{ user: 'b', pm_users: ['ann'], message: { text: 'x' } }]),
    ],
    ['of a user, which nobody asks for', ':u:ann', () => Promise.resolve()],
    ['of a channel, which nobody asks for', ':c:room', () => Promise.resolve()],
    ['of a connection', ':n:CONN', () => Promise.resolve()],
  ])(
    '%s ends the connections with 1000, and who connects anew is heard',
    inScene(async (scene, _, name, ask) => {
      const { backend, servers } = scene
      const { connId, socket } = await scene.openLoud('ann')
      const { socket: other } = await scene.openLoud('bob')
      await scene.lose(name.replace('CONN', connId))
      await ask(scene)
      expect((await socket.closed).code).toBe(CLOSE.ended.code)
      expect((await send(servers, `GET /listen?conn_id=${connId}`)).status).toBe(401)
      if (name === ':c:room') expect((await other.closed).code).toBe(CLOSE.ended.code)
      const { socket: back } = await scene.openLoud('ann')
      await backend.say('room', 'here')
      await back.heard('here')
      const users = name === ':c:room' ? ['ann'] : ['ann', 'bob']
      await until(
        async () =>
          JSON.stringify((await scene.totals())?.users.toSorted()) === JSON.stringify(users),
        'those who are there',
        PATIENCE_MS,
      )
      expect((await scene.totals())?.connections).toBe(users.length)
      if (name === ':n:CONN') {
        const parted = other.of('presence').filter(({ message }) => message?.action === 'parted')
        expect(parted.length).toBeLessThanOrEqual(1)
      }
    }),
  )
})

describe.concurrent('what can be found out elsewhere', { timeout: 60_000 }, () => {
  it.each([
    ':v:ann',
    ':m:room',
    ':users',
    ':channels',
    ':notify',
    ':servers',
    ':at:SERVER',
    ':due',
    '',
    ':spare',
  ])(
    '%s is put right',
    inScene(async (scene, name) => {
      const { backend, servers, root } = scene
      const { socket } = await scene.openLoud('ann')
      const twice = await scene.openLoud('ann')
      const { socket: bob } = await scene.openLoud('bob')
      await until(() => twice.socket.frames.length > 0, 'a frame')
      if (name === ':due') await backend.connect('late', [])
      await until(async () => (await admin.exists(`${root}:spare`)) === 1, 'a beat')
      const facts = await scene.allFacts()
      const [server] = await admin.keys(`${root}:at:*`)
      await scene.lose(name === ':at:SERVER' ? (server ?? '').slice(root.length) : name)
      if (name === ':due') {
        await until(
          async () => (await scene.figures())['connections'] === 3,
          'who is late',
          PATIENCE_MS,
        )
      } else {
        await until(() => scene.isRight(facts), 'what it was', PATIENCE_MS)
      }
      const isUp = async () => (await send(servers.all[0] ?? servers, 'GET /health')).status === 200
      await until(isUp, 'the servers')
      const before = bob.of('user_state_change').length
      // A change of a state is announced as soon as the list of the channels that want it is repaired.
      const tellState = async (): Promise<boolean> => {
        const json = {
          user: 'ann',
          user_state: { mood: String(Math.random()) },
          state_public_keys: ['mood'],
        }
        await backend.send('POST /user_state', { json })
        return bob.of('user_state_change').length > before
      }
      await until(tellState, 'a change to be told')
      await backend.say('room', 'still here')
      for (const one of [socket, twice.socket, bob]) await one.heard('still here')
      for (const one of [socket, twice.socket, bob]) one.destroy()
      // A scrape has no figures of the store while that is slow.
      const areGone = async (): Promise<boolean> => {
        const { connections, connected_users } = await scene.figures()
        return connections === 0 && connected_users === 0
      }
      await until(areGone, 'all to go', PATIENCE_MS)
    }),
  )

  it(
    'who is lost but for the list of all users, and what for that of all channels, is gone',
    inScene(async (scene) => {
      const connId = await scene.connectLoud('ann')
      for (const name of [':u:ann', ':v:ann', `:n:${connId}`, ':c:room', ':m:room'])
        await scene.lose(name)
      const isGone = async () => {
        const { connections, connected_users, users, channels } = await scene.figures()
        return [connections, connected_users, users, channels].every((count) => count === 0)
      }
      await until(isGone, 'nothing to be counted', PATIENCE_MS)
      const isNobodyDue = async () => (await admin.zCard(`${scene.root}:due`)) === 0
      await until(isNobodyDue, 'nobody to be due', PATIENCE_MS)
    }),
  )

  it(
    'a server that dies leaves nobody behind, although what it held is lost',
    inScene(async (scene) => {
      const { root } = scene
      for (const name of [':at:SERVER', ':servers', ':graves']) {
        const connId = await scene.connectLoud('ann')
        await admin.hSet(`${root}:n:${connId}`, { s: 'dead', k: 'stream', r: '1', v: '999999' })
        await admin.zRem(`${root}:due`, connId)
        if (name !== ':at:SERVER') await admin.sAdd(`${root}:at:dead`, connId)
        await until(
          async () => (await scene.figures())['connections'] === 0,
          `all to go: ${name}`,
          PATIENCE_MS,
        )
      }
    }),
  )
})

describe.concurrent('what is remembered', { timeout: 60_000 }, () => {
  it(
    'of a request is published once though one of the two that know of it is lost',
    inScene(async (scene) => {
      const { backend, root } = scene
      for (const kind of ['o', 'once', 'a']) {
        const { socket } = await scene.openLoud('ann')
        const sending = {
          json: [{ user: 'b', channel: 'room', message: { text: kind } }],
          headers: { 'idempotency-key': `key-${kind}` },
        }
        await backend.send('POST /message', sending)
        for (const key of await admin.keys(`${root}:a:*`)) await admin.del(key)
        if (kind === 'once') await scene.lose(':once')
        if (kind === 'o') for (const key of await admin.keys(`${root}:o:*`)) await admin.del(key)
        expect((await backend.send('POST /message', sending)).status).toBe(200)
        await backend.say('room', 'end')
        await socket.heard('end')
        expect(socket.texts.filter((text) => text === kind)).toHaveLength(1)
        socket.destroy()
      }
    }, LASTING),
  )

  it(
    'keeps answers within their bytes after the list of them was lost',
    inScene(
      async (scene) => {
        const { backend, root } = scene
        const ask = async (key: string): Promise<void> => {
          const headers = { 'idempotency-key': key }
          const json = [{ user: 'b', channel: 'room', message: { text: 'x'.repeat(200) } }]
          expect((await backend.send('POST /message', { json, headers })).status).toBe(200)
        }
        for (let index = 0; index < 5; index++) await ask(`a${index}`)
        await scene.lose(':answers')
        for (let index = 0; index < 10; index++) await ask(`b${index}`)
        expect(Number(await admin.hGet(root, 'answers'))).toBeLessThanOrEqual(4000)
        const entries = await admin.zRange(`${root}:answers`, 0, -1)
        const sum = entries.reduce((total, entry) => total + parseInt(entry), 0)
        expect(Number(await admin.hGet(root, 'answers'))).toBe(sum)
      },
      { ...LASTING, max_idempotency_bytes: 4000 },
    ),
  )

  it(
    'of who was taken out of a channel keeps what was said meanwhile from them',
    inScene(async (scene) => {
      const { backend, servers } = scene
      const { connId, socket } = await scene.openLoud('ann')
      await backend.say('room', 'before')
      await socket.heard('before')
      const cursor = socket.events.at(-1)?.id ?? ''
      socket.destroy()
      await backend.call('POST /unsubscribe', { conn_id: connId, channels: ['room'] })
      await backend.say('room', 'secret')
      await scene.lose(':x:room')
      const again = await backend.connect('ann', ['room'])
      const back = await Listener.open(servers, again, { cursor })
      await backend.say('room', 'open')
      await back.heard('open')
      expect(back.texts).toEqual(['open'])
    }, LASTING),
  )
})
