/** The same rules over a store on disk, and what its files say. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { afterRestart, factsOnDisk } from '../helpers/disk-image.ts'
import { openIn, withDirectory } from './disk-hub.ts'
import { HubDriver } from './hub-driver.ts'
import { hubOptions, operations, runs } from './operations.ts'
import { QuietClock } from './quiet.ts'
import { World } from './world.ts'

const PATIENCE_MS = 600_000

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
