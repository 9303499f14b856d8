/** Webhooks of several servers on one Redis: one sender at a time, whatever is killed. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { WEBHOOK_EVENT_TYPES } from '../../src/protocol/webhooks.ts'
import { CONTRACT_OPTIONS } from '../contract/bench.ts'
import { connect } from '../contract/fixtures.ts'
import { endAll } from '../helpers/ending.ts'
import { Backend, until } from '../helpers/http.ts'
import { ServerProcess } from '../helpers/process.ts'
import { freshPrefix, openRedisStore } from '../helpers/redis-store.ts'
import { ON_DISK, RedisServer } from '../helpers/redis.ts'
import { WebhookReceiver } from '../helpers/webhook-receiver.ts'
import { Listener } from '../helpers/websocket.ts'
import type { WebhookEvent } from '../../src/protocol/webhooks.ts'
import type { RedisStore } from '../../src/store/redis/store.ts'
import type { WebhookQueue } from '../../src/store/webhook-queue.ts'

let redis: RedisServer
beforeAll(async () => {
  redis = await RedisServer.start()
})
afterAll(endAll)

const PATIENCE_MS = 60_000
const ALL = { mostEvents: 1000, mostBytes: 1e9 }

interface Site {
  readonly receiver: WebhookReceiver
  readonly start: () => Promise<ServerProcess>
}

/** Starts servers that share a webhook. */
async function site(
  { url } = redis,
  settings: Record<string, string | number> = {},
): Promise<Site> {
  const receiver = await WebhookReceiver.start()
  const shared = {
    redis_url: url,
    redis_prefix: freshPrefix(),
    webhook_url: receiver.url,
    gc_conns_after: 3,
    resume_window: 1,
    heartbeat_interval: 1,
    shutdown_grace: 1,
    ...settings,
  }
  const start = async (): Promise<ServerProcess> => {
    const server = await ServerProcess.start({ settings: shared })
    onTestFinished(() => server.kill())
    return server
  }
  return { receiver, start }
}

/** Expects each event once, and those of each subject in order and without a hole. Returns the events. */
function inOrder(events: readonly WebhookEvent[], { mayRepeat = false } = {}): WebhookEvent[] {
  const seen = new Set<string>()
  const newest = new Map<string, number>()
  const kept: WebhookEvent[] = []
  for (const event of events) {
    if (seen.has(event.id)) {
      expect(mayRepeat, `${event.type} again`).toBe(true)
      continue
    }
    seen.add(event.id)
    const before = newest.get(event.subject)
    if (before !== undefined) expect(event.seq, JSON.stringify(event)).toBe(before + 1)
    newest.set(event.subject, event.seq)
    kept.push(event)
  }
  return kept
}

describe('webhooks of several servers', () => {
  it('are sent once, by one server, also what happens at the others', async () => {
    const { receiver, start } = await site()
    const servers = [await start(), await start(), await start()]
    const channels = Array.from({ length: 5 }, (_, at) => `room ${at}`)
    const users = Array.from({ length: 60 }, (_, at) => `user ${at}`)
    const listeners = await Promise.all(
      users.map(async (user, at) => {
        const server = servers[at % 3] as ServerProcess
        const room = channels[at % 5] as string
        return Listener.open(server, await new Backend(server).connect(user, [room]))
      }),
    )
    await Promise.all(listeners.map((listener) => listener.close()))
    await until(
      () => receiver.events.filter(({ type }) => type === 'user_offline').length === users.length,
      'all users to be offline',
      PATIENCE_MS,
    )
    const events = inOrder(receiver.events)
    const count = (wanted: string) => events.filter(({ type }) => type === wanted).length
    expect(['user_online', 'joined', 'parted', 'user_offline'].map(count)).toEqual(
      Array(4).fill(users.length),
    )
    expect(count('channel_created')).toBe(channels.length)
    expect(receiver.allEvents.filter(({ type }) => type === 'resync')).toHaveLength(1)
  })

  it(
    'tell once who left with a server that was killed, the sender or another',
    { timeout: 120_000 },
    async () => {
      const { receiver, start } = await site()
      const servers = [await start(), await start()]
      const spare = await start()
      const users = Array.from({ length: 40 }, (_, at) => `user ${at}`)
      await Promise.all(
        users.map(async (user, at) => {
          const server = servers[at % 2] as ServerProcess
          await Listener.open(server, await new Backend(server).connect(user, ['room']))
        }),
      )
      await until(() => receiver.events.some(({ type }) => type === 'joined'), 'a first join')
      // Both at once: whichever of them sends, it does so no more.
      for (const server of servers) server.signal('SIGKILL')
      await Listener.open(spare, await new Backend(spare).connect('late', ['room']))
      await until(
        () =>
          new Set(receiver.lines.filter((line) => line.startsWith('user_offline user'))).size ===
          40,
        'all users to be offline',
        PATIENCE_MS,
      )
      const events = inOrder(receiver.events, { mayRepeat: true })
      for (const type of ['user_online', 'joined', 'parted', 'user_offline'])
        for (const user of users) {
          const told = events.filter(
            (event) => event.type === type && 'user' in event && event.user === user,
          )
          expect(told, `${type} ${user}`).toHaveLength(1)
        }
      expect(events.filter(({ type }) => type === 'channel_vacated')).toEqual([])
    },
  )

  it(
    'lose nothing and keep their order while one server after another is killed',
    { timeout: 180_000 },
    async () => {
      const { receiver, start } = await site(redis, {
        webhook_events: WEBHOOK_EVENT_TYPES.join(','),
      })
      const sent: string[] = []
      let server = await start()
      for (let round = 0; round < 4; round++) {
        const next = await start()
        const backend = new Backend(server)
        await backend.connect('ann', ['room'])
        for (let number = 0; number < 40; number++) {
          const text = `${round} ${number}`
          await backend.say('room', text)
          sent.push(text)
        }
        server.signal('SIGKILL')
        server = next
      }
      const textsOf = (events: readonly WebhookEvent[]) =>
        events.flatMap((event) =>
          event.type === 'message' ? [(event.message['message'] as { text: string }).text] : [],
        )
      await until(
        () => textsOf(receiver.events).includes(sent.at(-1) ?? ''),
        'the last message',
        PATIENCE_MS,
      )
      expect(textsOf(inOrder(receiver.events, { mayRepeat: true }))).toEqual(sent)
    },
  )

  it('are sent by another server at once when the sender stops', async () => {
    const { receiver, start } = await site()
    const first = await start()
    const second = await start()
    const backend = new Backend(second)
    await backend.connect('before', ['room'])
    await receiver.got('joined room before')
    first.signal('SIGTERM')
    await first.ended()
    await backend.connect('after', ['room'])
    await receiver.got('joined room after')
    inOrder(receiver.events)
  })

  it('wait in Redis while nobody takes them, also when all servers end', async () => {
    const { receiver, start } = await site()
    receiver.answerWith((_, response) => void response.writeHead(503).end())
    const first = await start()
    await new Backend(first).connect('ann', ['room'])
    await until(() => receiver.requests.length > 1, 'an attempt and another')
    first.signal('SIGTERM')
    await first.ended()
    receiver.answerWith((_, response) => void response.writeHead(200).end())
    const second = await start()
    await receiver.got('joined room ann')
    const rows = await new Backend(second).call<{ webhooks: object[] }>('GET /admin/webhooks.json')
    expect(rows.webhooks).toMatchObject([{ endpoint: receiver.url, dropped: 0 }])
    inOrder(receiver.events)
  })

  it('tell to read the current state when Redis was restarted, and lose nothing that it kept', async () => {
    const onDisk = await RedisServer.start(ON_DISK)
    const { receiver, start } = await site(onDisk)
    const server = await start()
    const backend = new Backend(server)
    await backend.connect('ann', ['room'])
    await receiver.got('joined room ann')
    receiver.answerWith((_, response) => void response.writeHead(503).end())
    await backend.connect('bob', ['room'])
    await onDisk.restart()
    receiver.answerWith((_, response) => void response.writeHead(200).end())
    await backend.connectOnceBack('eve', ['room'])
    await receiver.got('joined room eve', PATIENCE_MS)
    expect(receiver.lines).toContain('joined room bob')
    const resyncs = receiver.allEvents.filter(({ type }) => type === 'resync')
    expect(resyncs).toMatchObject([{ reason: 'started' }, { reason: 'restarted' }])
    inOrder(receiver.events, { mayRepeat: true })
  })

  it('begin anew when Redis has lost everything', async () => {
    const forgetful = await RedisServer.start()
    const { receiver, start } = await site(forgetful)
    const server = await start()
    const backend = new Backend(server)
    await backend.connect('ann', ['room'])
    await receiver.got('joined room ann')
    await forgetful.restart()
    await backend.connectOnceBack('bob', ['room'])
    await receiver.got('joined room bob', PATIENCE_MS)
    const epochs = new Set(receiver.requests.map(({ body }) => body.epoch))
    expect(epochs.size).toBe(2)
    const started = receiver.allEvents.filter(
      (event) => event.type === 'resync' && event.reason === 'started',
    )
    expect(started).toHaveLength(2)
  })
})

describe('the queue of webhooks on Redis', () => {
  async function open(prefix: string): Promise<{ store: RedisStore; queue: WebhookQueue }> {
    const webhooks = { events: WEBHOOK_EVENT_TYPES, channels: [], maxEvents: 1000, maxBytes: 1e9 }
    const store = await openRedisStore(redis, { ...CONTRACT_OPTIONS, prefix, webhooks })
    onTestFinished(() => store.stop())
    if (!store.webhookQueue) throw new Error('no queue')
    return { store, queue: store.webhookQueue }
  }

  it('is read by one server at a time, until it releases the endpoint or ends', async () => {
    const prefix = freshPrefix()
    const [one, other] = [await open(prefix), await open(prefix)]
    await connect(one.store, 'ann')
    const part = await one.queue.read('x', ALL)
    if (part === 'elsewhere') throw new Error('nobody else reads')
    expect(await other.queue.read('x', ALL)).toBe('elsewhere')
    expect(await other.queue.confirm('x', part)).toBe(false)
    const status = { failures: 0, lastError: null, lastErrorAt: null, lastSuccessAt: null }
    expect(await other.queue.note('x', status)).toBe(false)
    await one.queue.release('x')
    expect(await other.queue.read('x', ALL)).not.toBe('elsewhere')
    expect(await one.queue.read('x', ALL)).toBe('elsewhere')
    expect(await one.queue.confirm('x', part)).toBe(false)
    await other.store.stop()
    expect(await one.queue.read('x', ALL)).not.toBe('elsewhere')
  })

  it('is not kept for endpoints that no server has any more', async () => {
    const prefix = freshPrefix()
    const { store, queue } = await open(prefix)
    const client = await redis.client()
    onTestFinished(() => client.destroy())
    await queue.read('gone', ALL)
    await queue.read('x', ALL)
    // As if it had been asked for two days ago.
    await client.zIncrBy(`{${prefix}}:webhooks`, -2 * 86_400_000, 'gone')
    await connect(store, 'ann')
    const part = await queue.read('x', ALL)
    if (part === 'elsewhere') throw new Error('nobody else reads')
    expect(part.events).toHaveLength(1)
    await queue.confirm('x', part)
    expect(await client.xLen(`{${prefix}}:webhook-queue`)).toBe(0)
    expect(await client.exists(`{${prefix}}:webhook:gone`)).toBe(0)
  })

  it('tells to read the current state if Redis has evicted it', async () => {
    const prefix = freshPrefix()
    const { store, queue } = await open(prefix)
    const client = await redis.client()
    onTestFinished(() => client.destroy())
    const first = await queue.read('x', ALL)
    if (first === 'elsewhere') throw new Error('nobody else reads')
    await queue.confirm('x', first)
    await connect(store, 'ann')
    await client.del(`{${prefix}}:webhook-queue`)
    const part = await queue.read('x', ALL)
    expect(part).toMatchObject({ events: [], resync: { reason: 'restarted' } })
  })

  it('is empty without webhooks', async () => {
    const prefix = freshPrefix()
    const store = await openRedisStore(redis, { ...CONTRACT_OPTIONS, prefix })
    onTestFinished(() => store.stop())
    await connect(store, 'ann', { channels: ['a'] })
    const client = await redis.client()
    onTestFinished(() => client.destroy())
    expect(await client.exists(`{${prefix}}:webhook-queue`)).toBe(0)
    expect(store.webhookQueue).toBeUndefined()
  })
})
