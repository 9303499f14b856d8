import { systemClock } from '../lib/clock.ts'
import { MemoryAdminSessions } from '../store/memory/admin-sessions.ts'
import { MemoryIdempotencyCache } from '../store/memory/idempotency-cache.ts'
import { MemoryStore } from '../store/memory/store.ts'
import {
  ADMIN_SESSION_LIMITS,
  idempotencyCacheOptions,
  redisOptions,
  storeOptions,
} from './options.ts'
import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../lib/clock.ts'
import type { AdminSessionStore } from '../store/admin-sessions.ts'
import type { IdempotencyCache } from '../store/idempotency-cache.ts'
import type { Store } from '../store/store.ts'

/** Where facts are kept that outlive a connection, or that another server must see. */
export interface OpenedStore {
  readonly store: Store
  readonly idempotencyCache: IdempotencyCache
  readonly adminSessions: AdminSessionStore
}

/** In this process, or in Redis if there is a `redis_url`. Rejects if Redis cannot be used. */
export async function openStore(
  config: Config,
  clock: Clock,
  logger: FastifyBaseLogger,
  onFault: (error: unknown) => void,
): Promise<OpenedStore> {
  if (config.redis_url === '') {
    const store = new MemoryStore(clock, storeOptions(config))
    return {
      store,
      idempotencyCache: new MemoryIdempotencyCache(clock, idempotencyCacheOptions(config)),
      adminSessions: new MemoryAdminSessions(clock, ADMIN_SESSION_LIMITS),
    }
  }
  // Only who has a Redis pays for its client.
  const { RedisStore } = await import('../store/redis/store.ts')
  const store = await RedisStore.open(
    {
      ...storeOptions(config),
      ...redisOptions(config),
      clock,
      // The calendar of Redis is the same for all servers; a clock that is turned by hand has to count there, too.
      ...(clock !== systemClock && { now: () => Math.floor(clock.wallTime()) }),
      onAway: (error, advice) =>
        logger.error(
          { err: error },
          advice === undefined ? 'Redis is away' : `Redis is away. ${advice}`,
        ),
      onEvicting: (warning) => logger.warn(warning),
      onFault,
      onBack: (where) => logger.info(`Redis is back, at ${where}`),
    },
    config.redis_connect_timeout * 1000,
  )
  return {
    store,
    idempotencyCache: store.idempotencyCache(idempotencyCacheOptions(config)),
    adminSessions: store.adminSessions(ADMIN_SESSION_LIMITS),
  }
}
