import { onTestFinished } from 'vitest'
import { ManualClock } from '../helpers/clock.ts'
import { Heard } from './fixtures.ts'
import type { Awaitable, Store } from '../../src/store/store.ts'

/** The limits of a store under test. */
export const CONTRACT_OPTIONS = {
  channelFrames: 5,
  userFrames: 3,
  gcUsersMs: 60_000,
  gcChannelsMs: 30_000,
  maxStateBytes: 200,
  presenceListLimit: 3,
  maxRemovals: 10,
} as const

/** Creates an empty store with `CONTRACT_OPTIONS`. Its deadlines follow this clock. */
export type OpenStore = (clock: ManualClock) => Awaitable<Store>

/** An empty store, and what is needed to observe it. */
export interface Bench {
  readonly store: Store
  readonly clock: ManualClock
  readonly heard: Heard
}
export type OpenBench = () => Promise<Bench>

/** Stops the store when the test ends. */
export const benchOf =
  (open: OpenStore): OpenBench =>
  async () => {
    const clock = new ManualClock()
    const store = await open(clock)
    onTestFinished(async () => {
      await store.stop()
    })
    return { store, clock, heard: new Heard(store) }
  }
