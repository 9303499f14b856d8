/** What a store keeps goes through `export` and `import` unchanged, whatever it is. */
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseRedisUrl } from '../../src/lib/redis-url.ts'
import { openForExport as openDirectory } from '../../src/store/disk/export.ts'
import { importToDirectory } from '../../src/store/disk/import.ts'
import { openForExport as openRedis } from '../../src/store/redis/export.ts'
import { importToRedis } from '../../src/store/redis/import.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { comparable, contentOf, linesOf } from '../helpers/snapshots.ts'
import { openIn, withDirectory } from './disk-hub.ts'
import { HubDriver } from './hub-driver.ts'
import { hubOptions, operations, runs } from './operations.ts'
import { QuietClock } from './quiet.ts'
import { World } from './world.ts'
import type { RedisAddress } from '../../src/lib/redis-url.ts'

const PATIENCE_MS = 600_000
const NOW = Date.UTC(2030, 0, 2)

let redis: RedisServer
beforeAll(async () => {
  redis = await RedisServer.start()
})
afterAll(() => redis.stop())

it(
  'a directory says the same after a way through Redis and another directory',
  { timeout: PATIENCE_MS },
  () =>
    fc.assert(
      fc.asyncProperty(hubOptions, operations(60, ['sse']), (options, sequence) =>
        withDirectory(async (directory) => {
          const [from, to] = [join(directory, 'from'), join(directory, 'to')]
          const clock = new QuietClock()
          const store = await openIn(from, options, clock)
          const driver = new HubDriver(options, { clock, store: clock.quiet.watch(store) })
          try {
            await new World(driver).play(sequence)
          } finally {
            await driver.stop()
          }
          const lines = await linesOf(openDirectory(from, NOW))
          const expected = await comparable(lines)

          const place = {
            ...{ address: parseRedisUrl(redis.url) as RedisAddress, prefix: freshPrefix() },
            timeoutMs: PATIENCE_MS,
          }
          const waits = { gcUsersMs: 1000, gcChannelsMs: 1000 }
          await importToRedis(
            await contentOf(lines),
            { ...place, ...waits, connectionWaitMs: 1000 },
            NOW,
          )
          const inRedis = await linesOf(openRedis(place, NOW))
          expect(await comparable(inRedis)).toEqual(expected)

          const rules = { directory: to, sync: 'off' as const, ...waits }
          await importToDirectory(await contentOf(inRedis), rules, NOW)
          expect(await comparable(await linesOf(openDirectory(to, NOW)))).toEqual(expected)
        }),
      ),
      { numRuns: runs(25) },
    ),
)
