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
import type { WebhookQueue } from '../store/webhook-queue.ts'

/** Holds data that outlives a connection or that other servers must see. */
export interface OpenedStore {
  readonly store: Store
  readonly idempotencyCache: IdempotencyCache
  readonly adminSessions: AdminSessionStore
  /** Only with a `webhook_url`. */
  readonly webhookQueue: WebhookQueue | undefined
}

/** Opens the store in Redis if `redis_url` is set, otherwise in memory. Rejects if Redis cannot be used. */
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
      webhookQueue: store.webhookQueue,
    }
  }
  // Loaded on demand: servers without Redis do not load its client.
  const { RedisStore } = await import('../store/redis/store.ts')
  const store = await RedisStore.open(
    {
      ...storeOptions(config),
      ...redisOptions(config),
      clock,
      // All servers use the wall time of Redis. With a test clock, the store must use that one instead.
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
    webhookQueue: store.webhookQueue,
  }
}
