import type { ConnId } from '../protocol/ids.ts'
import type { Store } from '../store/store.ts'

/** Connections that are ended concurrently: over a network each takes a round trip to the store. */
const CONCURRENT_DROPS = 64

/** Ends connections that the store reports as due, one sweep at a time. */
export class Sweeper {
  #isSweeping = false

  constructor(private readonly store: Pick<Store, 'sweep' | 'drop'>) {}

  /** Does nothing while a sweep is running: that one also ends what has become due since it began. */
  async sweep(): Promise<void> {
    if (this.#isSweeping) return
    this.#isSweeping = true
    try {
      for (let due = await this.store.sweep(); due.length > 0; due = await this.store.sweep())
        await this.#endAll([...due])
    } finally {
      this.#isSweeping = false
    }
  }

  async #endAll(due: ConnId[]): Promise<void> {
    while (due.length > 0)
      await Promise.all(
        due
          .splice(0, CONCURRENT_DROPS)
          .map(async (connId) => this.store.drop(connId, { onlyIfDue: true })),
      )
  }
}
