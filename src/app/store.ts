import { MemoryAdminSessions } from '../store/memory/admin-sessions.ts'
import { MemoryAnswers } from '../store/memory/idempotency-cache.ts'
import { MemoryStore } from '../store/memory/store.ts'
import { systemClock } from '../lib/clock.ts'
import { ADMIN_SESSION_LIMITS, answersOptions, redisOptions, storeOptions } from './options.ts'
import type { AdminSessionStore } from '../store/admin-sessions.ts'
import type { Answers } from '../store/idempotency-cache.ts'
import type { Clock } from '../lib/clock.ts'
import type { Config } from '../config/schema.ts'
import type { FastifyBaseLogger } from 'fastify'
import type { Store } from '../store/store.ts'

/** Where facts are kept that outlive a connection, or that another server must see. */
export interface Storage {
  readonly store: Store
  readonly answers: Answers
  readonly adminSessions: AdminSessionStore
}

/** In this process, or in Redis if there is a `redis_url`. Rejects if Redis cannot be used. */
export async function openStorage(
  config: Config,
  clock: Clock,
  logger: FastifyBaseLogger,
  onFault: (error: unknown) => void,
): Promise<Storage> {
  if (config.redis_url === '') {
    const store = new MemoryStore(clock, storeOptions(config))
    return {
      store,
      answers: new MemoryAnswers(clock, answersOptions(config)),
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
    answers: store.answers(answersOptions(config)),
    adminSessions: store.adminSessions(ADMIN_SESSION_LIMITS),
  }
}
