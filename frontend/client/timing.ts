/** The longest delay that timers support: a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1
/** Microtasks until code that awaits `connect()` goes on, and a few for what awaits that. */
const TICKS = 6

/** Cancels a timer. Does nothing once it has fired. */
export type Cancel = () => void

/** Calls `task` once after `ms`. Does not keep a Node process alive. */
export function backgroundTimeout(ms: number, task: () => void): Cancel {
  const timer = setTimeout(task, Math.min(ms, MAX_TIMER_MS))
  ;(timer as unknown as { unref?: () => void }).unref?.()
  return () => clearTimeout(timer)
}

/** Calls `task` every `ms`. Does not keep a Node process alive. */
export function backgroundInterval(ms: number, task: () => void): Cancel {
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

/** Calls `task` once when nothing was received for `limitMs()`. 0: never. The limit may change at any time. */
export class Watchdog {
  #lastAt = performance.now()
  #cancel: Cancel = () => {}

  constructor(
    private readonly limitMs: () => number,
    private readonly task: () => void,
  ) {
    this.#watch()
  }

  reset(): void {
    this.#lastAt = performance.now()
  }

  /** Checks now, with half the limit. For moments when timers may have been suspended. */
  checkNow(): void {
    this.#check(this.limitMs() / 2)
  }

  stop(): void {
    this.#cancel()
    this.#cancel = () => {}
  }

  #check(limitMs: number): void {
    if (!(limitMs > 0)) return
    const silentMs = performance.now() - this.#lastAt
    this.stop()
    if (silentMs >= limitMs) this.task()
    else this.#watch(silentMs)
  }

  // Sets one timer per limit, not one per frame.
  #watch(silentMs = 0): void {
    const limitMs = this.limitMs()
    if (limitMs > 0)
      this.#cancel = backgroundTimeout(limitMs - silentMs, () => this.#check(this.limitMs()))
  }
}

/**
 * Runs `work` with a signal that is aborted `ms()` after the start or the last call of `alive`, or when `signal` is
 * aborted. Resolves with its result. Leaves no listener on `signal`, which may be long-lived.
 */
export async function withTimeout<Value>(
  ms: () => number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal, alive: () => void) => Promise<Value>,
): Promise<Value> {
  const controller = new AbortController()
  const abort = (): void => controller.abort(signal?.reason)
  const watchdog = new Watchdog(ms, () =>
    controller.abort(new DOMException('timed out', 'TimeoutError')),
  )
  signal?.addEventListener('abort', abort)
  try {
    if (signal?.aborted) abort()
    return await work(controller.signal, () => watchdog.reset())
  } finally {
    watchdog.stop()
    signal?.removeEventListener('abort', abort)
  }
}

/**
 * Lets code go on that awaits `connect()`. Events may arrive together with the opening of a transport, and the page adds
 * its listeners only then.
 */
export async function settled(): Promise<void> {
  for (let tick = 0; tick < TICKS; tick++) await Promise.resolve()
}

/** Resolves or rejects like `promise`, or resolves with undefined when `signal` is aborted. */
export async function untilAborted<Value>(
  promise: Promise<Value>,
  signal: AbortSignal,
): Promise<Value | undefined> {
  let abort = (): void => {}
  const aborted = new Promise<undefined>((resolve) => (abort = () => resolve(undefined)))
  signal.addEventListener('abort', abort)
  if (signal.aborted) abort()
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** Browsers are reliable only when they say that they are offline. Node never says so. */
export const isOffline = (): boolean => globalThis.navigator?.onLine === false

/** What the browser tells about the network and the page, until `signal` is aborted. */
export function watchBrowser(
  tasks: { online(): void; offline(): void; shown(): void; leaving(): void },
  signal: AbortSignal,
): void {
  globalThis.addEventListener?.('online', () => tasks.online(), { signal })
  globalThis.addEventListener?.('offline', () => tasks.offline(), { signal })
  globalThis.addEventListener?.('pagehide', () => tasks.leaving(), { signal })
  globalThis.document?.addEventListener(
    'visibilitychange',
    () => {
      if (document.visibilityState === 'visible') tasks.shown()
    },
    { signal },
  )
}
