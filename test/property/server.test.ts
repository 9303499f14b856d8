import fc from 'fast-check'
import { describe, it } from 'vitest'
import { operations, runs } from './operations.ts'
import { ServerDriver } from './server-driver.ts'
import { World } from './world.ts'

describe('a server, over HTTP and WebSocket', () => {
  it('does what the model says, whatever the order of operations', { timeout: 120_000 }, () =>
    fc.assert(
      fc.asyncProperty(
        operations(30, ['stall', 'drain', 'fallSilent', 'answer']),
        async (sequence) => {
          const driver = await ServerDriver.start()
          try {
            const world = new World(driver)
            await world.play(sequence)
            await world.everybodyGoes()
          } finally {
            await driver.stop()
          }
        },
      ),
      { numRuns: runs(25) },
    ),
  )
})
