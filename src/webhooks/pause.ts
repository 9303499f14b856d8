import type { Clock } from '../lib/clock.ts'

/** Waits that others can end early. */
export class Pause {
  /** What ends each wait in progress. */
  readonly #waits = new Set<() => void>()
  #isCalled = false
  #endCall: (() => void) | undefined

  constructor(private readonly clock: Pick<Clock, 'after'>) {}

  /** Ends `waitForCall`, the next one if none is in progress. */
  call(): void {
    this.#isCalled = true
    this.#endCall?.()
  }

  /** Ends all waits in progress. */
  interrupt(): void {
    for (const end of [...this.#waits]) end()
  }

  /** Resolves after this time, or when it is interrupted. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancel()
        this.#waits.delete(end)
        resolve()
      }
      const cancel = this.clock.after(ms, end)
      this.#waits.add(end)
    })
  }

  /** The same, but a call ends it as well. Resolves with whether there was one. For one caller at a time. */
  async waitForCall(ms: number): Promise<boolean> {
    if (!this.#isCalled) {
      const called = new Promise<void>((resolve) => (this.#endCall = resolve))
      await Promise.race([this.wait(ms), called])
      this.#endCall = undefined
    }
    const isCalled = this.#isCalled
    this.#isCalled = false
    return isCalled
  }
}
