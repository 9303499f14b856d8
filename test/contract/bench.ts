import { onTestFinished } from 'vitest'
import { ManualClock } from '../helpers/clock.ts'
import { Heard } from './fixtures.ts'
import type { Awaitable, Store } from '../../src/store/store.ts'

/** The limits that a store under test has to be opened with. */
export const CONTRACT_OPTIONS = {
  channelFrames: 5,
  userFrames: 3,
  gcUsersMs: 60_000,
  gcChannelsMs: 30_000,
  maxStateBytes: 200,
  presenceListLimit: 3,
  maxRemovals: 10,
} as const

/** Makes a store that nobody has used, with `CONTRACT_OPTIONS`, and with this clock for its deadlines. */
export type OpenStore = (clock: ManualClock) => Awaitable<Store>

/** A store that knows nothing yet, and what is needed to look at it. */
export interface Bench {
  readonly store: Store
  readonly clock: ManualClock
  readonly heard: Heard
}
export type OpenBench = () => Promise<Bench>

/** The store is stopped when the test ends. */
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
