/** The longest time that timers know: a longer one would be over at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** Undoes what was asked for. Harmless afterwards. */
export type Cancel = () => void

/** Calls `task` once. Does not keep a Node process alive: for what only matters while something else does. */
export function idly(ms: number, task: () => void): Cancel {
  const timer = setTimeout(task, Math.min(ms, MAX_TIMER_MS))
  ;(timer as unknown as { unref?: () => void }).unref?.()
  return () => clearTimeout(timer)
}

/** The same, again and again. */
export function idlyEvery(ms: number, task: () => void): Cancel {
  const timer = setInterval(task, ms)
  ;(timer as unknown as { unref?: () => void }).unref?.()
  return () => clearInterval(timer)
}

/** Resolves after `ms`, or at once when `signal` is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
  })
}

/** Notices that nothing was heard for `limitMs` (0: never does) and then calls `task` once. */
export class Watchdog {
  #heardAt = performance.now()
  #cancel: Cancel = () => {}

  constructor(
    private readonly limitMs: number,
    private readonly task: () => void,
  ) {
    this.#watch()
  }

  heard(): void {
    this.#heardAt = performance.now()
  }

  /** After a time in which timers may have stood still, a shorter silence is enough. */
  lookNow(): void {
    this.#look(this.limitMs / 2)
  }

  stop(): void {
    this.#cancel()
    this.#cancel = () => {}
  }

  #look(limitMs: number): void {
    if (!(this.limitMs > 0)) return
    const silentMs = performance.now() - this.#heardAt
    this.stop()
    if (silentMs >= limitMs) this.task()
    else this.#watch(silentMs)
  }

  // Armed once per limit, not once per frame.
  #watch(silentMs = 0): void {
    if (this.limitMs > 0)
      this.#cancel = idly(this.limitMs - silentMs, () => this.#look(this.limitMs))
  }
}

/**
 * What `work` answers; its signal is aborted after `ms`, or with `signal`. Leaves nothing behind on `signal`, which may
 * live long.
 */
export async function within<Value>(
  ms: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const controller = new AbortController()
  const abort = (): void => controller.abort(signal?.reason)
  const cancel = idly(ms, () => controller.abort(new DOMException('too late', 'TimeoutError')))
  signal?.addEventListener('abort', abort)
  try {
    if (signal?.aborted) abort()
    return await work(controller.signal)
  } finally {
    cancel()
    signal?.removeEventListener('abort', abort)
  }
}

/** Browsers say for certain only that there is no network. Elsewhere nobody says so. */
export const isOffline = (): boolean => globalThis.navigator?.onLine === false

/** Calls `task` whenever the network comes back or the page is shown again, until `signal`. */
export function onWake(task: () => void, signal: AbortSignal): void {
  globalThis.addEventListener?.('online', task, { signal })
  globalThis.document?.addEventListener(
    'visibilitychange',
    () => {
      if (document.visibilityState === 'visible') task()
    },
    { signal },
  )
}
