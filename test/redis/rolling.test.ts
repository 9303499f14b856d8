/** Servers that are stopped and started under load, as in a rolling update. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { endAll } from '../helpers/ending.ts'
import { Backend, pause, until } from '../helpers/http.ts'
import { ServerProcess } from '../helpers/process.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { Listener } from '../helpers/websocket.ts'
import type { Sending } from '../helpers/http.ts'
import type { ReceivedEvent } from '../helpers/websocket.ts'

const CLIENTS = 24
const ROUNDS = 6
const PATIENCE_MS = 60_000
const RESUME_SECONDS = 5
/** The close code for an unknown or ended connection. */
const UNKNOWN = 1000

/** The servers that accept requests. Some of them may be stopping. */
class Fleet {
  readonly up: ServerProcess[] = []
  #asked = 0

  constructor(private readonly settings: Record<string, string | number>) {}

  async start(): Promise<void> {
    this.up.push(await ServerProcess.start({ settings: this.settings }))
  }

  /** Stops the oldest server. It gets requests until it has ended, because nobody knows that it is stopping. */
  async stop(): Promise<void> {
    const [oldest] = this.up
    oldest?.signal('SIGTERM')
    expect(await oldest?.ended()).toEqual({ code: 0, signal: null })
    this.up.shift()
  }

  /** Returns another server each time. */
  next(): ServerProcess {
    return this.up[this.#asked++ % this.up.length] as ServerProcess
  }

  /** Repeats the request until a server answers 200. */
  async call(line: string, sending: Sending): Promise<unknown> {
    const headers = { 'idempotency-key': crypto.randomUUID() }
    for (;;) {
      const answer = await new Backend(this.next())
        .send(line, { ...sending, headers })
        .catch(() => undefined)
      if (answer?.status === 200) return answer.body
      if (answer) expect(answer.status, answer.text).toBe(503)
      await pause(10)
    }
  }

  async connect(username: string): Promise<string> {
    const channel_configs = { room: { notify_presence: true } }
    const json = { username, channels: ['room'], channel_configs }
    return ((await this.call('POST /connect', { json })) as { conn_id: string }).conn_id
  }
}

/** Reconnects to any running server with its cursor. */
class Client {
  readonly #listeners: Listener[] = []
  #isLeaving = false
  readonly #work: Promise<void>

  private constructor(
    private readonly fleet: Fleet,
    readonly user: string,
    private readonly connId: string,
  ) {
    this.#work = this.#stay()
  }

  static async arrive(fleet: Fleet, user: string): Promise<Client> {
    const client = new Client(fleet, user, await fleet.connect(user))
    await until(() => client.#listeners.length > 0, `${user} to arrive`)
    return client
  }

  get events(): ReceivedEvent[] {
    return this.#listeners.flatMap(({ events }) => events)
  }

  /** The close codes of its sockets. */
  get codes(): number[] {
    return this.#listeners.flatMap(({ ending }) => ending?.code ?? [])
  }

  get texts(): (string | undefined)[] {
    return this.#listeners.flatMap(({ texts }) => texts)
  }

  /** The presence events that it received about another user, in order. */
  presenceOf(user: string): (string | undefined)[] {
    return this.#listeners.flatMap((listener) => listener.presenceOf(user))
  }

  async leave(): Promise<void> {
    this.#isLeaving = true
    await this.#listeners.at(-1)?.close()
    await this.#work
  }

  async #stay(): Promise<void> {
    while (!this.#isLeaving) {
      const cursor = this.events.at(-1)?.id
      const opening = cursor === undefined ? {} : { cursor }
      const opened = Listener.open(this.fleet.next(), this.connId, opening)
      const listener = await opened.catch(() => undefined)
      if (listener) {
        this.#listeners.push(listener)
        await (this.#isLeaving ? listener.close() : listener.closed)
      } else await pause(10)
    }
  }
}

/** Posts numbers one after the other. */
class Publisher {
  count = 0
  #isDone = false
  readonly #work: Promise<void>

  constructor(private readonly fleet: Fleet) {
    this.#work = this.#post()
  }

  /** Resolves with all posted texts. */
  async stop(): Promise<string[]> {
    this.#isDone = true
    await this.#work
    return Array.from({ length: this.count }, (_, number) => String(number))
  }

  async #post(): Promise<void> {
    while (!this.#isDone) {
      const text = String(this.count)
      const uuid = crypto.randomUUID()
      const json = [{ uuid, user: 'publisher', channel: 'room', message: { text } }]
      await this.fleet.call('POST /message', { json })
      this.count++
    }
  }
}

describe('servers that are stopped and started in turn', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(endAll)

  it('lose nothing, tell nothing twice and leave nothing behind', { timeout: 90_000 }, async () => {
    const redis_prefix = freshPrefix()
    const fleet = new Fleet({
      redis_url: redis.url,
      redis_prefix,
      channel_frames: 20_000,
      gc_conns_after: 2,
      heartbeat_interval: 1,
      resume_window: RESUME_SECONDS,
    })
    await Promise.all([fleet.start(), fleet.start()])
    const users = Array.from({ length: CLIENTS }, (_, number) => `user ${number}`)
    const [first = '', ...others] = users
    const watcher = await Client.arrive(fleet, first)
    const clients = [watcher]
    clients.push(...(await Promise.all(others.map((user) => Client.arrive(fleet, user)))))

    const publisher = new Publisher(fleet)
    const visitors: Client[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const before = publisher.count
      visitors.push(await Client.arrive(fleet, `visitor ${round}`))
      // Alternates: the new server starts before the old one ends, or after.
      const [stopping, isLater] = [fleet.stop(), round % 2 === 1]
      if (isLater) await stopping
      await Promise.all([stopping, fleet.start(), visitors.at(-2)?.leave()])
      await until(() => publisher.count > before + 20, 'messages in this round', PATIENCE_MS)
    }
    const posted = await publisher.stop()
    await fleet.call('POST /message', { json: LAST })
    await Promise.all(
      clients.map((client) => until(() => client.texts.at(-1) === 'last', 'the end', PATIENCE_MS)),
    )

    for (const client of clients) {
      expect(client.texts).toEqual([...posted, 'last'])
      expect(client.events.filter(({ type }) => type === 'gap')).toEqual([])
      expect(client.codes).not.toContain(UNKNOWN)
      const numbers = client.events.map(({ id }) => Number(id.split('-')[1]))
      expect(numbers).toEqual([...new Set(numbers)].toSorted((one, other) => one - other))
    }
    // A user that reconnects in time never left.
    for (const user of others) expect(watcher.presenceOf(user)).toEqual(['joined'])
    for (const [at, { user }] of visitors.entries()) {
      const told = at < ROUNDS - 1 ? ['joined', 'parted'] : ['joined']
      for (const client of clients) {
        await until(() => client.presenceOf(user).length >= told.length, `what ${user} did`)
        expect(client.presenceOf(user)).toEqual(told)
      }
    }
    const present = [...users, visitors.at(-1)?.user].toSorted()
    for (const server of fleet.up) {
      const { channels } = await new Backend(server).info()
      expect(channels['room']?.users.toSorted()).toEqual(present)
      expect(channels['room']?.total_connections).toBe(CLIENTS + 1)
    }

    await Promise.all([...clients, ...visitors].map((client) => client.leave()))
    await until(async () => (await leftIn(redis, redis_prefix)).length === 0, 'nothing to be left')
    while (fleet.up.length > 0) await fleet.stop()
    const left = await namesIn(redis, redis_prefix)
    expect(left.filter((name) => /^(servers|graves|at:.*|due)$/.test(name))).toEqual([])
  })
})

const LAST = [{ user: 'publisher', channel: 'room', message: { text: 'last' } }]

/** The keys of the installation, without their common prefix. */
async function namesIn(redis: RedisServer, prefix: string): Promise<string[]> {
  const client = await redis.client()
  const names = await client.keys(`{${prefix}}:*`)
  client.destroy()
  return names.map((name) => name.slice(prefix.length + 3))
}

/** The keys that belong to connections only. */
const leftIn = async (redis: RedisServer, prefix: string): Promise<string[]> =>
  (await namesIn(redis, prefix)).filter((name) => /^(n:.*|v:.*|m:.*|at:.*|due)$/.test(name))
