import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HubDriver } from './hub-driver.ts'
import { hubOptions, operations, runs } from './operations.ts'
import { World } from './world.ts'

describe('a hub over a memory store', () => {
  it('does what the model says, whatever the order of operations', { timeout: 600_000 }, () =>
    fc.assert(
      fc.asyncProperty(hubOptions, operations(80, ['sse']), async (settings, sequence) => {
        const driver = new HubDriver(settings)
        const world = new World(driver)
        await world.play(sequence)
        await world.everybodyGoes()
        await driver.stop()
        expect(driver.clock.pending, 'timers').toBe(0)
      }),
      { numRuns: runs(120) },
    ),
  )
})
