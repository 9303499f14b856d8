import { systemClock } from '../../src/lib/clock.ts'
import { parseRedisUrl } from '../../src/lib/redis-url.ts'
import { RedisStore } from '../../src/store/redis/store.ts'
import type { RedisStoreOptions } from '../../src/store/redis/store.ts'
import type { StoreLimits } from '../../src/store/store.ts'
import type { RedisServer } from './redis.ts'

/** Each installation of the tests has its own prefix, so that all can share one Redis. */
let installations = 0
export const freshPrefix = (): string => `test-${process.pid}-${++installations}`

const PATIENCE_MS = 10_000

type Wishes = StoreLimits & Partial<RedisStoreOptions>

/** Throws an uncaught exception, which fails the tests. */
const failOnFault = (error: unknown): void =>
  queueMicrotask(() => {
    throw error
  })

/** Opens a store on this Redis, as a new installation unless a prefix is given. */
export function openRedisStore(
  { url }: Pick<RedisServer, 'url'>,
  options: Wishes,
): Promise<RedisStore> {
  const address = parseRedisUrl(url)
  if (!address) throw new Error(`${url} is not the address of a Redis`)
  return RedisStore.open(
    {
      address,
      prefix: freshPrefix(),
      clock: systemClock,
      timeoutMs: PATIENCE_MS,
      orphanWaitMs: 15_000,
      onceMs: 10_000,
      onAway: () => {},
      onBack: () => {},
      onEvicting: () => {},
      onFault: failOnFault,
      ...options,
    },
    PATIENCE_MS,
  )
}
