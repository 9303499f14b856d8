import { systemClock } from '../lib/clock.ts'
import { MemoryAdminSessions } from '../store/memory/admin-sessions.ts'
import { MemoryIdempotencyCache } from '../store/memory/idempotency-cache.ts'
import { MemoryStore } from '../store/memory/store.ts'
import {
  ADMIN_SESSION_LIMITS,
  diskOptions,
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

/**
 * Opens the store in Redis if `redis_url` is set, on disk if `data_dir` is, and otherwise in memory. Rejects if Redis or
 * the directory cannot be used.
 */
export async function openStore(
  config: Config,
  clock: Clock,
  logger: FastifyBaseLogger,
  onFault: (error: unknown) => void,
): Promise<OpenedStore> {
  if (config.data_dir !== '') return openDiskStore(config, { clock, logger, onFault })
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

interface DiskStoreDeps {
  readonly clock: Clock
  readonly logger: FastifyBaseLogger
  readonly onFault: (error: unknown) => void
}

async function openDiskStore(
  config: Config,
  { clock, logger, onFault }: DiskStoreDeps,
): Promise<OpenedStore> {
  // Loaded on demand: servers without a data directory do not need it.
  const { DiskStore } = await import('../store/disk/store.ts')
  const store = await DiskStore.open({
    ...storeOptions(config),
    ...diskOptions(config),
    clock,
    onAway: (error, isFinal) =>
      logger.error(
        { err: error },
        isFinal
          ? 'the disk of data_dir failed to sync and may have lost data: changes are refused until the server is restarted'
          : 'changes cannot be written to data_dir: they are refused until that works again',
      ),
    onBack: () => logger.info('changes can be written to data_dir again'),
    onFault,
    onNote: (note) => logger.warn(note),
  })
  return {
    store,
    idempotencyCache: store.idempotencyCache(),
    adminSessions: store.adminSessions(ADMIN_SESSION_LIMITS),
    webhookQueue: store.webhookQueue,
  }
}
