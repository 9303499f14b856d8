/** For stores across a network: time that stands still until nothing is on its way any more. */
import { ManualClock } from '../helpers/clock.ts'
import type { RedisStore } from '../../src/store/redis/store.ts'

/** What stores are asked, and what they announce: waits until all of it has come. */
export class Quiet {
  readonly #stores = new Set<RedisStore>()
  readonly #running = new Set<Promise<unknown>>()
  #calls = 0

  /** The same store, whose calls are waited for from now on, until it is stopped. */
  watch(store: RedisStore): RedisStore {
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

  /** Until no call is running, everything announced has come, and nothing that came led to another call. */
  async come(): Promise<void> {
    for (let before = -1; before !== this.#calls || this.#running.size > 0;) {
      before = this.#calls
      await Promise.allSettled(this.#running)
      // Its answer comes behind all that was announced before.
      await Promise.all([...this.#stores].map((store) => store.missed([])))
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

/** Turned by hand; a turn ends when the stores are quiet, too. */
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
