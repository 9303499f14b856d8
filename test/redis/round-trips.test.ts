/** Round trips to Redis per request. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { uuidOf } from '../contract/fixtures.ts'
import { endAll } from '../helpers/ending.ts'
import { Backend } from '../helpers/http.ts'
import { RedisServer } from '../helpers/redis.ts'
import { Servers } from '../helpers/servers.ts'
import type { RedisClient } from '../helpers/redis.ts'

/** Enough requests that the few commands per second that a server sends by itself do not matter. */
const REQUESTS = 100
const TEN = Array.from({ length: 10 }, (_, index) => `channel ${index}`)
const THOUSAND = Array.from({ length: 1_000 }, (_, index) => `name ${index}`)
const LOUD = { notify_presence: true, broadcast_presence_with_user_lists: true, notify_state: true }

const message = (text: string) => ({ user: 'ann', channel: TEN[0], message: { text } })
const user = (index: number) => ({ username: `user ${index}`, conn_id: uuidOf(index) })
const connId = (index: number) => ({ conn_id: uuidOf(index) })

/** In this order: each request depends on the previous ones. */
const KINDS = [
  { what: '/connect with ten channels', trips: 2, path: '/connect', body: connect },
  { what: '/connect without them', trips: 1, path: '/connect', body: user },
  { what: '/message with one message', trips: 1, path: '/message', body: () => [message('one')] },
  {
    what: '/message with a hundred',
    trips: 1,
    path: '/message',
    body: () => Array.from({ length: 100 }, (_, index) => message(`${index}`)),
  },
  {
    what: '/message with recipients',
    trips: 1,
    path: '/message?recipients=1',
    body: () => [message('one'), message('two')],
  },
  {
    what: '/message to ten channels',
    trips: 1,
    path: '/message',
    body: () => [{ user: 'ann', channels: TEN }],
  },
  {
    what: '/info with counts of a thousand channels',
    trips: 1,
    path: '/info',
    body: () => ({ counts: true, channels: THOUSAND }),
  },
  {
    what: '/info with users who are nowhere',
    trips: 1,
    path: '/info',
    body: () => ({ users: THOUSAND.slice(0, 100) }),
  },
  {
    what: '/info with users who are somewhere',
    trips: 2,
    path: '/info',
    body: () => ({ users: ['user 1', 'user 2', ...THOUSAND.slice(0, 98)] }),
  },
  {
    what: '/user_state',
    trips: 1,
    path: '/user_state',
    body: (index: number) => ({ user: `user ${index}`, user_state: { mood: 'fine' } }),
  },
  { what: '/unsubscribe from all', trips: 1, path: '/unsubscribe', body: channels },
  { what: '/subscribe', trips: 2, path: '/subscribe', body: channels },
  { what: '/disconnect', trips: 1, path: '/disconnect', body: connId },
]

function connect(index: number) {
  return { ...user(index), channels: TEN }
}

function channels(index: number) {
  return { ...connId(index), channels: TEN }
}

describe('the round trips to Redis', () => {
  let redis: RedisServer
  let admin: RedisClient
  let servers: Servers
  let backend: Backend
  beforeAll(async () => {
    redis = await RedisServer.start()
    admin = await redis.client()
    // Connections that end would cost round trips of their own.
    servers = await Servers.start(redis, 1, { gc_conns_after: 600 })
    backend = new Backend(servers)
    const configs = Object.fromEntries(TEN.map((name) => [name, LOUD]))
    await backend.call('POST /channel_config', configs)
  })
  afterAll(async () => {
    await servers.close()
    await endAll()
  })

  /** The number of scripts that servers have run. A request causes no other commands. */
  async function asked(): Promise<number> {
    const stats = await admin.info('commandstats')
    return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0)
  }

  it.each(KINDS)('of $what are $trips', async ({ trips, path, body }) => {
    const before = await asked()
    for (let index = 1; index <= REQUESTS; index++) await backend.call(`POST ${path}`, body(index))
    expect(Math.round(((await asked()) - before) / REQUESTS)).toBe(trips)
  })
})
