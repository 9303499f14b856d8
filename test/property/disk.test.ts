/** The same rules over a store on disk, and what its files say. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DiskStore } from '../../src/store/disk/store.ts'
import { afterRestart, factsOnDisk } from '../helpers/disk-image.ts'
import { ROOMY_ANSWERS } from '../helpers/disk-store.ts'
import { HubDriver, storeLimits } from './hub-driver.ts'
import { hubOptions, operations, runs } from './operations.ts'
import { QuietClock } from './quiet.ts'
import { World } from './world.ts'
import type { DiskOptions } from '../../src/store/disk/options.ts'
import type { HubDriverOptions } from './hub-driver.ts'

const PATIENCE_MS = 600_000

/** Runs `work` with a new directory. */
async function withDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'channelstream-data-'))
  try {
    await work(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function fail(fault: unknown): never {
  throw new Error('the store had a fault', { cause: fault })
}

const WEBHOOKS: DiskOptions['webhooks'] = {
  events: ['message', 'joined', 'user_online', 'channel_created', 'channel_collected'],
  channels: [],
  maxEvents: 20,
  maxBytes: 1_000_000,
}

const openIn = (
  directory: string,
  options: HubDriverOptions,
  clock: QuietClock,
): Promise<DiskStore> =>
  DiskStore.open({
    ...storeLimits(options),
    ...{ directory, clock, sync: 'off', webhooks: WEBHOOKS, idempotency: ROOMY_ANSWERS },
    ...{ streamWaitMs: options.resumeWindowMs, pollWaitMs: options.gcConnsMs },
    ...{ onAway: fail, onBack: () => {}, onFault: fail, onNote: fail },
  })

describe('a hub over a store on disk', () => {
  it('does what the model says, whatever the order of operations', { timeout: PATIENCE_MS }, () =>
    fc.assert(
      fc.asyncProperty(hubOptions, operations(60, ['sse']), (options, sequence) =>
        withDirectory(async (directory) => {
          const clock = new QuietClock()
          const store = await openIn(directory, options, clock)
          const driver = new HubDriver(options, { clock, store: clock.quiet.watch(store) })
          try {
            const world = new World(driver)
            await world.play(sequence)
            await world.everybodyGoes()
          } finally {
            await driver.stop()
          }
          expect(clock.pending, 'timers').toBe(0)
        }),
      ),
      { numRuns: runs(25) },
    ),
  )

  it('has the same in its log, in its state, and after a restart', { timeout: PATIENCE_MS }, () =>
    fc.assert(
      fc.asyncProperty(hubOptions, operations(60, ['sse']), (options, sequence) =>
        withDirectory(async (directory) => {
          const clock = new QuietClock()
          const store = await openIn(directory, options, clock)
          const driver = new HubDriver(options, { clock, store: clock.quiet.watch(store) })
          try {
            await new World(driver).play(sequence)
            const logged = factsOnDisk(directory)
            await store.compact()
            const compacted = factsOnDisk(directory)
            expect(compacted).toEqual({ ...(logged as object), now: expect.anything() as number })
          } finally {
            await driver.stop()
          }
          const ended = factsOnDisk(directory)
          const again = await openIn(directory, options, clock)
          await again.compact()
          expect(factsOnDisk(directory)).toEqual(afterRestart(ended))
          await again.stop()
        }),
      ),
      { numRuns: runs(40) },
    ),
  )
})
