/** For stores on a network or a disk: the clock waits until all calls and announcements have arrived. */
import { ManualClock } from '../helpers/clock.ts'
import type { Store } from '../../src/store/store.ts'

/** Waits for all calls and announcements of stores. */
export class Quiet {
  readonly #stores = new Set<Store>()
  readonly #running = new Set<Promise<unknown>>()
  #calls = 0

  /** Returns the same store. Its calls are waited for until it stops. */
  watch<Watched extends Store>(store: Watched): Watched {
    this.#stores.add(store)
    return new Proxy(store, {
      get: (_target, key) => {
        const member: unknown = Reflect.get(store, key, store)
        if (typeof member !== 'function') return member
        return (...args: unknown[]) => {
          if (key === 'stop') this.#stores.delete(store)
          return this.#noted(member.apply(store, args))
        }
      },
    })
  }

  /** Resolves when no call is running and all announcements have arrived without causing another call. */
  async come(): Promise<void> {
    for (let before = -1; before !== this.#calls || this.#running.size > 0;) {
      before = this.#calls
      await Promise.allSettled(this.#running)
      // Its answer arrives after all earlier announcements.
      await Promise.all([...this.#stores].map(async (store) => store.missed([])))
    }
  }

  #noted(answer: unknown): unknown {
    if (!(answer instanceof Promise)) return answer
    this.#calls++
    this.#running.add(answer)
    const done = (): void => void this.#running.delete(answer)
    answer.then(done, done)
    return answer
  }
}

/** A manual clock. A turn ends when the stores are quiet as well. */
export class QuietClock extends ManualClock {
  readonly quiet = new Quiet()
  #isAsked = false

  override soon(run: () => void): void {
    this.#isAsked = true
    super.soon(run)
  }

  override async endTurn(): Promise<void> {
    do {
      this.#isAsked = false
      await super.endTurn()
      await this.quiet.come()
    } while (this.#isAsked)
  }
}
